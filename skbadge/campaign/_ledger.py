"""What people told a campaign, and what can be read of it: no model is needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from skbadge.campaign._accuracy import accuracy_table, windowed
from skbadge.campaign._answers import Given, Told, check_annotator, check_text, sort_out
from skbadge.campaign._exports import is_export, read_export
from skbadge.campaign._label_studio import ID
from skbadge.campaign._pool import Pool
from skbadge.campaign._record import Record
from skbadge.campaign._spreadsheet import read_labels
from skbadge.campaign._status import Status, status_of
from skbadge.campaign._tables import answers_table, labels_table, skipped_table
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.utils._validation import check_flag

__all__ = ["Ledger"]


class Ledger:
    """The answers of a campaign: told, taken back, and read.

    Parameters
    ----------
    folder : str or Path
        Of the campaign.

    Attributes
    ----------
    folder : Path
    """

    # Whatever is known of the rows beyond their ids.
    _pool: Pool | None = None

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._record = Record(folder)

    # -------------------------------------------------------------------- telling

    @property
    def opening(self) -> dict[str, Any] | None:
        """What the command line opens the campaign with; None if begun in Python."""
        return self._record.refresh().opening

    @property
    def classes(self) -> list[Any] | None:
        """The classes, or None where no campaign was begun."""
        if not self._record.is_begun:
            return None
        return self._record.state.settings["classes"]

    def note_opening(self, opening: dict[str, Any]) -> None:
        """Write down what the command line opens the campaign with."""
        if opening != self.opening:
            with self._record.writing() as append:
                append("opened", opening)

    @property
    def mark(self) -> str | None:
        """What its tasks bear in Label Studio; None if begun before they bore one."""
        return self._record.refresh().settings.get("mark")

    @property
    def projects(self) -> list[dict[str, Any]]:
        """Where tasks were sent, the last one last: ``url``, ``project``, ``title``."""
        return list(self._record.refresh().projects)

    def note_project(self, project: dict[str, Any]) -> None:
        """Write down where tasks are sent."""
        if self.projects[-1:] != [project]:
            with self._record.writing() as append:
                append("pushed", project)

    def tell(
        self,
        labels: Mapping[Any, Any] | pd.Series | Iterable[tuple[Any, Any]],
        *,
        annotator: str | None = None,
        seconds: Mapping[Any, float] | pd.Series | None = None,
    ) -> Told:
        """Store labels; they are on the disk when the call returns. Trains nothing.

        Parameters
        ----------
        labels : mapping of id to label, Series, or list of (id, label)
            For any row of the pool, asked for or not.
        annotator : str or None, default=None
            Who gave them; None for nobody by name.
        seconds : mapping of id to float or None, default=None
            How long each took.

        Returns
        -------
        told : Told
            How many were stored, and which were refused and why: an id that the pool
            does not have, no class or no label, a row that this annotator has labelled
            otherwise, seconds that are no time. A warning names them too. All others
            are kept.

        Raises
        ------
        CampaignError
            If they could not be stored; then none was.
        InvalidInputError
            If the arguments are not of these kinds; then none was either.
        """
        annotator = check_annotator(annotator)
        return self._tell(_given(labels, annotator, seconds), annotator)

    def relabel(
        self,
        labels: Mapping[Any, Any] | pd.Series | Iterable[tuple[Any, Any]],
        *,
        annotator: str | None = None,
    ) -> Told:
        """Store labels in the place of others by the same annotator.

        Parameters
        ----------
        labels : mapping of id to label, Series, or list of (id, label)
            The right ones.
        annotator : str or None, default=None
            Whose labels they replace; None for those told without a name.

        Returns
        -------
        told : Told
            A row that has no label by this annotator is refused, and the refusal says
            whose labels it has.
        """
        annotator = check_annotator(annotator)
        return self._tell(_given(labels, annotator, None), annotator, correction=True)

    def skip(
        self,
        ids: str | int | Iterable[str | int],
        *,
        reason: str = "",
        annotator: str | None = None,
    ) -> Told:
        """Store that rows cannot be labelled; they are not asked for again.

        Parameters
        ----------
        ids : id or list of ids
            The rows.
        reason : str, default=""
            Kept in the journal.
        annotator : str or None, default=None
            Who could not say.

        Returns
        -------
        told : Told
        """
        annotator, reason = check_annotator(annotator), check_text(reason, "reason")
        if isinstance(ids, str) or not hasattr(ids, "__iter__"):
            ids = [ids]
        given = [Given(id, None, annotator, skipped=True, reason=reason) for id in ids]
        return self._tell(given, annotator)

    def undo(self, *, annotator: str | None = None) -> list[str]:
        """Take the last call back that told labels or skips.

        Parameters
        ----------
        annotator : str or None, default=None
            Takes back the last call all of whose answers are this person's; None for
            the last one, whoever made it.

        Returns
        -------
        ids : list of str
            The rows whose answers were taken back.

        Raises
        ------
        CampaignError
            If there is nothing to take back.
        """
        who = check_annotator(annotator)
        with self._record.writing(who) as append:
            state = self._record.state
            seq = state.last_answer_event(None if annotator is None else who)
            if seq is None:
                by = f" by {who!r} alone" if who else ""
                raise CampaignError(f"undo() takes answers back. There are none{by}.")
            payload = state.told(seq)
            append("undone", {"seq": seq})
        return [item["id"] for item in [*payload["items"], *payload["skipped"]]]

    def from_label_studio(
        self,
        source: str | Path | list[dict[str, Any]],
        *,
        annotators: Mapping[Any, str] | None = None,
    ) -> Told:
        """Store the answers and skips of an export of Label Studio.

        Parameters
        ----------
        source : str, Path or list of dict
            A file in the format JSON, JSON_MIN or CSV; or the tasks of a JSON export.
            Take JSON: the others leave skipped tasks out, which a warning tells.
        annotators : mapping or None, default=None
            Names by Label Studio's number of the user; None for the numbers.

        Returns
        -------
        told : Told
            The same file twice changes nothing; an answer that was changed in the tool
            takes the place of the earlier one.
        """
        export = read_export(source, annotators, self.mark)
        missing = set(self._record.refresh().open_rows()) - export.ids
        told = self._tell(export.given, "", source="label-studio")
        if export.n_foreign:
            warnings.warn(
                f"{export.n_foreign} tasks bear no {ID} and were left out: they are "
                "not of this campaign, or lost it on the way.",
                UserWarning,
                stacklevel=2,
            )
        if missing and not export.has_skips:
            warnings.warn(
                f"{len(missing)} open rows are not in the export. {export.kind} leaves "
                "skipped tasks out without a word, so they may have been skipped: "
                "export as JSON.",
                UserWarning,
                stacklevel=2,
            )
        return told

    def from_file(
        self, path: str | Path, *, annotator: str | None = None, correct: bool = False
    ) -> Told:
        """Store answers of a file: an export of Label Studio, or a CSV with labels.

        Parameters
        ----------
        path : str or Path
            The file.
        annotator : str or None, default=None
            Who answered, where a CSV does not say so. An export of Label Studio does.
        correct : bool, default=False
            As for `from_csv`.

        Returns
        -------
        told : Told
            As of `from_label_studio` or `from_csv`, by what the file looks like.
        """
        if not is_export(path):
            return self.from_csv(path, annotator=annotator, correct=correct)
        if annotator is not None or correct:
            raise InvalidInputError(
                "annotator and correct are for tables of labels. Got an export of "
                f"Label Studio, {str(path)!r}, which says who answered, and what is "
                "later: leave them away."
            )
        return self.from_label_studio(path)

    def from_csv(
        self, path: str | Path, *, annotator: str | None = None, correct: bool = False
    ) -> Told:
        """Store the labels of a CSV with the columns ``id`` and ``label``.

        Columns ``annotator`` and ``seconds`` are read where they are there. Rows
        without a label count as not answered yet.

        Parameters
        ----------
        path : str or Path
            The file.
        annotator : str or None, default=None
            Who answered, where no column says so.
        correct : bool, default=False
            Whether the labels take the place of others by the same annotator, as those
            of `relabel` do.

        Returns
        -------
        told : Told
        """
        annotator = check_annotator(annotator)
        given = read_labels(path, annotator)
        correction = check_flag(correct, "correct")
        return self._tell(given, annotator, correction=correction, source="csv")

    def _tell(
        self,
        given: list[Given],
        annotator: str,
        *,
        correction: bool = False,
        source: str = "python",
    ) -> Told:
        with self._record.writing(annotator) as append:
            state = self._record.state
            payload, told = sort_out(state, given, correction=correction)
            if payload is not None:
                append("answered", {**payload, "source": source})
        told.warn(stacklevel=3)
        return told

    # --------------------------------------------------------------------- reading

    def labels(self) -> pd.DataFrame:
        """Return the labels that count.

        Returns
        -------
        DataFrame with one row a labelled row
            ``id``, ``label``, ``annotator``, ``round`` (missing for rows that were not
            asked for), ``time`` (UTC), ``random`` (whether drawn for the accuracy).
        """
        return labels_table(self._record.refresh(), self._shown_id)

    def answers(self) -> pd.DataFrame:
        """Return the last label of every annotator, as `labels`, with ``seconds``."""
        return answers_table(self._record.refresh(), self._shown_id)

    def skipped(self) -> pd.DataFrame:
        """Return the rows that were skipped: ``id``, ``annotator``, ``reason``."""
        return skipped_table(self._record.refresh(), self._shown_id)

    def disagreements(self) -> pd.DataFrame:
        """Return the answers to rows on which annotators differ, as `answers`."""
        answers = self.answers()
        disputed = {self._shown_id(id) for id in self._record.state.disputed()}
        return answers[answers["id"].isin(disputed)].reset_index(drop=True)

    def accuracy(self, window: int = 1) -> pd.DataFrame:
        """Estimate the accuracy of each model from the batch that it chose.

        The rows of a batch that were drawn at random are scored by the model that was
        there when they were drawn, before it learned from them: an unbiased estimate of
        its accuracy on the rows that could be asked for at that time (neither labelled
        nor skipped), with an exact binomial interval. The whole pool is another
        population: its labelled rows are the ones the strategy preferred, which tend to
        be harder.

        Parameters
        ----------
        window : int, default=1
            Number of rounds whose shares are pooled: a narrower interval, for the mean
            of their models.

        Returns
        -------
        DataFrame with one row a batch of a trained model
            ``round``, ``training``, ``n_labeled`` (labels the model had learned from),
            ``n_population``, ``n_random``, ``n_scored``, ``n_skipped`` (of the share:
            the estimate does not speak of rows that people skip), ``n_missed`` (of the
            share: not answered while the batch was out, or labelled before it was made
            longer), ``n_correct``, ``accuracy``, ``low``, ``high`` (95%), and from the
            draws of a strategy that knows their probabilities, once each has a label,
            ``lure`` with ``lure_error``, of ``n_lure`` draws.

        Notes
        -----
        The interval is the exact one of independent draws; without replacement the
        share varies less, so that it covers a little more often than 95%. While a batch
        is unfinished its estimate speaks of the rows that were answered first.

        Answers count that came while the batch was out: the last one asked for, and not
        closed. Rows that are labelled later were picked for another reason. Where a
        batch was closed before its share was answered whole, nothing is scored
        (``n_scored`` is 0, ``n_missed`` above 0): which rows were left out may hang on
        what they are. Nor is it where a batch was made longer and its share met rows
        that somebody had labelled unasked since: those were picked too.

        ``lure`` speaks of the strategy's own draws, as many as the batch has rows
        beside its random share, and only where each of them was labelled: a skipped one
        is a draw without a loss. See `skbadge.campaign.lure` for what it takes to be
        unbiased; it can lie outside of [0, 1].
        """
        return windowed(accuracy_table(self._record.refresh()), window)

    def status(self) -> Status:
        """Say how the campaign stands: counts, accuracy, signs, what to do next.

        Returns
        -------
        Status
            Printed, it is a page of text.
        """
        accuracy = self.accuracy(3)
        return status_of(self._record.state, accuracy)

    def _shown_id(self, id: str) -> Any:
        """Return an id as the user gave it, where the pool is there to know."""
        if self._pool is not None and id in self._pool.at:
            return self._pool.ids[self._pool.at[id]]
        return id


def _given(labels: Any, annotator: str, seconds: Any) -> list[Given]:
    seconds = {} if seconds is None else _by_key(seconds)
    if hasattr(labels, "items") and not isinstance(labels, pd.DataFrame):
        labels = list(labels.items())
    try:
        pairs = [(id, label) for id, label in labels]
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            "labels must be a mapping of id to label, a Series, or pairs. Got "
            f"{type(labels).__name__} instead: of a DataFrame, give "
            'frame.set_index("id")["label"].'
        ) from error
    given = [Given(id, label, annotator, seconds.get(str(id))) for id, label in pairs]
    told = {str(id) for id, _ in pairs}
    why = "it has seconds here, and no label"
    return given + [Given(id, unreadable=why) for id in seconds if id not in told]


def _by_key(seconds: Any) -> dict[str, Any]:
    if not hasattr(seconds, "items"):
        raise InvalidInputError(
            "seconds must be a mapping of id to the time its label took. Got "
            f"{type(seconds).__name__} instead."
        )
    return {str(id): value for id, value in seconds.items()}
