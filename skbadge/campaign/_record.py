"""The journal and the state it amounts to, kept in step."""

from __future__ import annotations

from contextlib import contextmanager

from skbadge.campaign._journal import Journal
from skbadge.campaign._state import State

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

    def __init__(self, folder):
        self.journal = Journal(folder)
        self.state = State()

    def refresh(self):
        """Take in what was written since, and return the state."""
        self._apply(self.journal.read())
        return self.state

    @contextmanager
    def writing(self, who=""):
        """Append events in one transaction, on a state nobody else changes meanwhile.

        Yields
        ------
        append : callable
            ``append(kind, payload)``; the state has them when the block ends.
        """
        with self.journal.writing(str(who)) as (news, append):
            self._apply(news)
            yield append
        self.refresh()

    def _apply(self, events):
        for event in events:
            self.state.apply(event)
