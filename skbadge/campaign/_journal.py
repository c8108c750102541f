"""The journal of a campaign: an append-only table of events in one SQLite file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from skbadge.exceptions import CampaignError

__all__ = ["FILE", "FORMAT", "Event", "Journal"]

FILE = "journal.sqlite"
FORMAT = 1
# "SKBJ", so that another program's database is told from a journal.
_APPLICATION = 0x534B424A
# Seconds to wait for another process that writes.
_PATIENCE = 60.0
_TABLE = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    digest TEXT NOT NULL
)
"""
_GUARDS = [
    f"""
CREATE TRIGGER no_{verb.lower()} BEFORE {verb} ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""
    for verb in ("UPDATE", "DELETE")
]


class Event(NamedTuple):
    """One line of the journal.

    Parameters
    ----------
    seq : int
        1, 2, ... without a gap.
    time : str
        UTC, ISO 8601.
    who : str
        As the caller was named; may be empty.
    kind : str
        What happened.
    payload : dict
        Plain JSON.
    """

    seq: int
    time: str
    who: str
    kind: str
    payload: dict[str, Any]


class Journal:
    """Append-only events of a campaign's folder.

    Every call opens the file and closes it, so that threads, forks and other processes
    do no harm. A transaction is on the disk when the call returns
    (``synchronous=FULL``, write-ahead log).

    Parameters
    ----------
    folder : str or Path
        Made where there is none.

    Raises
    ------
    CampaignError
        If the file in it is no journal, or one of a newer version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE
        self._seen = (0, "")
        if self.folder.exists() and not self.folder.is_dir():
            raise CampaignError(
                f"A campaign lives in a folder. Got the file {str(self.folder)!r} "
                "instead: give another name."
            )
        if self.path.exists():
            with self._connected() as connection:
                self._check(connection)

    @property
    def exists(self) -> bool:
        """Whether a campaign was begun here."""
        if not self.path.exists():
            return False
        with self._connected() as connection:
            return self._check(connection)

    def forget(self) -> None:
        """Have the next call read from the first event on."""
        self._seen = (0, "")

    def read(self) -> list[Event]:
        """Return the events written since the last call, by whomever.

        Raises
        ------
        CampaignError
            If the journal is damaged.
        """
        if not self.path.exists():
            raise CampaignError(
                f"{str(self.folder)!r} must hold a campaign. Got a folder without "
                f"{FILE}: name another folder, or begin a campaign there."
            )
        with self._connected() as connection:
            return self._news(connection)

    @contextmanager
    def writing(
        self, who: str = ""
    ) -> Iterator[tuple[list[Event], Callable[[str, Any], None]]]:
        """Hold the journal for one transaction: all that is appended, or nothing.

        Parameters
        ----------
        who : str, default=""
            Stands in each event.

        Yields
        ------
        news : list of Event
            What was written since the last `read`; nobody else writes until the end.
        append : callable
            ``append(kind, payload)``. What it wrote comes with the next `read`.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CampaignError(
                f"The folder {str(self.folder)!r} cannot be made: {error.strerror}."
            ) from error
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not self._check(connection):
                    self._create(connection)
                news = self._news(connection)
                seq, digest = self._seen

                def append(kind: str, payload: Any) -> None:
                    nonlocal seq, digest
                    seq += 1
                    time = datetime.now(UTC).isoformat()
                    text = json.dumps(payload, allow_nan=False, separators=(",", ":"))
                    row = (seq, time, who, kind, text)
                    digest = _digest(digest, row)
                    connection.execute(
                        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", (*row, digest)
                    )

                yield news, append
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _news(self, connection: sqlite3.Connection) -> list[Event]:
        found = []
        after, digest = self._seen
        rows = connection.execute(
            "SELECT seq, time, who, kind, payload, digest FROM events WHERE seq > ? "
            "ORDER BY seq",
            (after,),
        )
        for seq, time, who, kind, text, stored in rows:
            digest = _digest(digest, (seq, time, who, kind, text))
            if seq != after + 1 or digest != stored:
                raise CampaignError(
                    f"The journal {str(self.path)!r} is damaged: event {seq} is not "
                    "what was written. Bring the file back from a backup; the events "
                    f"up to {after} can be read with any SQLite program."
                )
            after = seq
            found.append(Event(seq, time, who, kind, json.loads(text)))
        self._seen = (after, digest)
        return found

    def _check(self, connection: sqlite3.Connection) -> bool:
        """Say whether there are events; refuse what is no journal of ours."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if not tables and not application:
            # A process was killed between making the file and its first transaction.
            return False
        if application != _APPLICATION:
            raise CampaignError(
                f"{str(self.path)!r} must be the journal of a campaign. Got the "
                "database of another program: give the campaign another folder."
            )
        if version > FORMAT:
            raise CampaignError(
                f"The journal {str(self.path)!r} has format {version}, which a newer "
                f"skbadge wrote; this one reads up to {FORMAT}: upgrade skbadge."
            )
        return True

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute(_TABLE)
        for guard in _GUARDS:
            connection.execute(guard)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = None
        try:
            connection = sqlite3.connect(
                self.path, timeout=_PATIENCE, isolation_level=None
            )
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.Error as error:
            raise CampaignError(self._explained(error)) from error
        finally:
            if connection is not None:
                connection.close()

    def _explained(self, error: sqlite3.Error) -> str:
        text = str(error)
        if "not a database" in text or "malformed" in text:
            return (
                f"{str(self.path)!r} cannot be read as the journal of a campaign "
                f"({text}): it is another file, or was damaged. Bring it back from a "
                "backup, together with the file of the same name and -wal beside it."
            )
        if "locked" in text:
            return (
                f"The journal {str(self.path)!r} was held by another process for "
                f"{_PATIENCE:g} seconds; nothing was stored. Try again."
            )
        return (
            f"Nothing of this call was stored in {str(self.path)!r}: {text}. All that "
            "was told before is there. Make room or allow writing, and call again."
        )


def _digest(before: str, row: Sequence[Any]) -> str:
    """Return the link of the chain that says whether an event was changed."""
    content = json.dumps([before, *row], separators=(",", ":"))
    return hashlib.sha256(content.encode("ascii")).hexdigest()
