"""The journal and the state it amounts to, kept in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skbadge.campaign._journal import Event, Journal
from skbadge.campaign._state import State
from skbadge.exceptions import CampaignError

__all__ = ["Record"]


class Record:
    """What was written down, by whatever process.

    Parameters
    ----------
    folder : str or Path

    Attributes
    ----------
    state : State
        As of the last `refresh` or `writing`.
    """

    def __init__(self, folder: str | Path) -> None:
        self.journal = Journal(folder)
        self.state = State()

    @property
    def is_begun(self) -> bool:
        """Whether there is a campaign in the folder."""
        if self.journal.exists:
            self._apply(self.journal.read())
        return bool(self.state.settings)

    def refresh(self) -> State:
        """Take in what was written since, and return the state.

        Raises
        ------
        CampaignError
            If no campaign was begun in the folder.
        """
        if not self.is_begun:
            raise CampaignError(
                f"{str(self.journal.folder)!r} must hold a campaign. Got a folder "
                f"without one: name another folder, or begin a campaign there."
            )
        return self.state

    @contextmanager
    def writing(
        self, who: str = "", *, begins: bool = False
    ) -> Iterator[Callable[[str, Any], None]]:
        """Append events in one transaction, on a state nobody else changes meanwhile.

        Parameters
        ----------
        who : str, default=""
            Stands in each event.
        begins : bool, default=False
            Whether a campaign is begun where there is none.

        Yields
        ------
        append : callable
            ``append(kind, payload)``; the state has them when the block ends.
        """
        if not begins:
            self.refresh()
        with self.journal.writing(str(who)) as (news, append):
            self._apply(news)
            yield append
        self.refresh()

    def _apply(self, events: Iterable[Event]) -> None:
        try:
            for event in events:
                self.state.apply(event)
        except BaseException:
            # Half of what was read is no state: the next call reads all again, and
            # meets the same.
            self.journal.forget()
            self.state = State()
            raise
