"""Campaign: labelling over weeks, by several people, on a machine that restarts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbadge.campaign._cache import Cache
from skbadge.campaign._label_studio import tasks_of
from skbadge.campaign._ledger import Ledger
from skbadge.campaign._model import Model
from skbadge.campaign._opening import (
    begin,
    check_learner,
    check_same,
    check_settings,
    joined,
)
from skbadge.campaign._pool import Pool, as_pool
from skbadge.campaign._report import report_page
from skbadge.campaign._rounds import Rounds
from skbadge.campaign._spreadsheet import READ, write_csv
from skbadge.campaign._state import State
from skbadge.campaign._texts import write_text
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.stopping import StoppingCriterion
from skbadge.strategies import QueryStrategy
from skbadge.utils._validation import check_integer

__all__ = ["Campaign"]


class Campaign(Ledger):
    """A labelling campaign on disk: what was asked and told is never lost.

    All that happens is written to a journal in ``folder``, from which the same campaign
    comes back in another process, on another day: the same labels, the same model, the
    same open rows. Rows are known by ids, so the pool may be sorted anew or grow.

    Parameters
    ----------
    folder : str or Path
        Where the campaign lives; begun there if there is none.
    learner : ActiveLearner or None, default=None
        Unfitted; a clone is trained, under the campaign's own seed. Needed to ask and
        to train, not to tell.
    pool : DataFrame, array, Tensor, Dataset, str, Path or None, default=None
        Rows, or a file ``.csv``, ``.tsv``, ``.parquet``, ``.npy``, ``.npz``, or a
        folder of images. Needed to ask and to train.
    ids : str, sequence or None, default=None
        Column with the ids, or one id a row: text or ints, distinct. None takes the
        index of a DataFrame, the array ``ids`` of an ``.npz``, or the names of image
        files.
    inputs : str, list of str or None, default=None
        Columns of a table that the learner gets: one name gives a Series (as text
        vectorizers take it), a list a DataFrame, None all but the ids.
    show : list of str or None, default=None
        Columns that a person sees; None for all but the ids.
    classes : array-like or None, default=None
        All classes, texts or ints; None takes those of the learner or its net.
    random_share : float in [0, 1] or None, default=None
        Share of each batch that is drawn at random, for an honest accuracy. None for
        0.1, or what the campaign was begun with.
    cold_start : QueryStrategy or None, default=None
        Chooses while there is no label; None for
        ``KMeansSampling(features="input")`` where the net gets a table of numbers as it
        is, unless that would be slow, and ``RandomSampling()`` otherwise.
    stop : StoppingCriterion or None, default=None
        Looks at the model after each training; see :mod:`skbadge.stopping`.
    count : {"last", "majority"} or None, default=None
        Which label counts where annotators differ. None for "last", or what the
        campaign was begun with.
    n_stop : int or None, default=None
        Size of the stop set. None for 2,000, or what the campaign was begun with.
    image_size : tuple of two ints, default=(64, 64)
        Height and width of the rows of a folder of images.
    gray : bool, default=False
        Whether images are read with one channel.

    Raises
    ------
    CampaignError
        If the folder holds something else, a damaged journal, or that of a newer
        version.
    InvalidInputError
        If an argument does not fit, or is not what the campaign was begun with.

    See Also
    --------
    skbadge.ActiveLearner : The loop by hand.

    Notes
    -----
    Opening reads the journal and trains nothing. The first call that needs the model
    reads its parameters from the folder ``cache``. Where they are not there it is
    trained again from the labels: once, with ``warm_start`` as often as it was; so
    always for ``warm_start=True``, and ``"shrink-perturb"`` in a pipeline. ``ask``
    costs what ``learner.query`` costs, one prediction of the batch, and the training
    that is due.

    Seeds come from the campaign's seed and the number of the training. A learner with
    ``random_state=None`` gets a seed when the campaign begins, which is in the journal.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from skorch import NeuralNetClassifier
    >>> from torch.nn import CrossEntropyLoss
    >>> from skbadge import ActiveLearner, Campaign
    >>> from skbadge.modules import MLP
    >>> X, y = load_digits(return_X_y=True)
    >>> net = NeuralNetClassifier(
    ...     MLP, module__n_features=64, module__n_classes=10, module__n_hidden=32,
    ...     criterion=CrossEntropyLoss, train_split=None, iterator_train__shuffle=True,
    ...     max_epochs=5, verbose=0,
    ... )
    >>> folder = tempfile.TemporaryDirectory()
    >>> campaign = Campaign(
    ...     folder.name, ActiveLearner(net, random_state=0), X, ids=range(len(X)),
    ...     classes=range(10),
    ... )
    >>> batch = campaign.ask(20)
    >>> campaign.tell({i: y[i] for i in batch["id"]}, annotator="mk").stored
    20
    >>> len(campaign.ask(10))
    10
    >>> campaign.learner.n_labeled_
    20
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | Path,
        learner: ActiveLearner | None = None,
        pool: Any = None,
        *,
        ids: str | Iterable[str | int] | None = None,
        inputs: str | list[str] | None = None,
        show: list[str] | None = None,
        classes: ArrayLike | None = None,
        random_share: float | None = None,
        cold_start: QueryStrategy | None = None,
        stop: StoppingCriterion | None = None,
        count: Literal["last", "majority"] | None = None,
        n_stop: int | None = None,
        image_size: tuple[int, int] = (64, 64),
        gray: bool = False,
    ) -> None:
        if stop is not None and not isinstance(stop, StoppingCriterion):
            raise InvalidInputError(
                "stop must be a criterion of skbadge.stopping. Got "
                f"{type(stop).__name__} instead."
            )
        if cold_start is not None and not isinstance(cold_start, QueryStrategy):
            raise InvalidInputError(
                "cold_start must be a strategy that needs no trained net. Got "
                f"{type(cold_start).__name__} instead."
            )
        given = {"random_share": random_share, "count": count, "n_stop": n_stop}
        check_settings(given)
        super().__init__(folder)
        self._rounds: Rounds | None = None
        if pool is not None:
            self._pool = as_pool(
                pool, ids, inputs=inputs, show=show, image_size=image_size, gray=gray
            )
        if not self._record.is_begun:
            begin(self._record, learner, self._pool, classes, given)
        state = self._record.refresh()
        check_same(state.settings, classes, given)
        if learner is not None:
            check_learner(state.settings["classes"], learner)
        if self._pool is not None:
            self._pool = joined(self._record, self._pool)
        if self._pool is not None and learner is not None:
            self._rounds = Rounds(
                self._record,
                self._pool,
                Model(
                    learner,
                    state.settings["classes"],
                    state.settings["entropy"],
                    Cache(self.folder / "cache"),
                ),
                cold_start=cold_start,
                stop=stop,
            )

    # --------------------------------------------------------------------- asking

    def ask(
        self,
        n: int | None = None,
        *,
        more: int | None = None,
        suggestions: bool = False,
    ) -> pd.DataFrame:
        """Return the rows to label next, after the training that is due.

        Parameters
        ----------
        n : int or None
            Number of rows of a new batch; fewer where the pool has no more. While a
            batch is unfinished, its rows without an answer come again, whatever ``n``.
        more : int or None, default=None
            Make the last batch longer by so many rows, by the same model. For
            strategies whose batches are nested these are the very rows that a longer
            batch would have had.
        suggestions : bool, default=False
            Whether to add what the model predicts. It saves time and draws people to
            the model's errors.

        Returns
        -------
        batch : DataFrame
            ``id``, ``rank`` (from 1), ``score`` (higher = more wanted; NaN where the
            strategy has none, and for rows that came by the random share alone: do not
            show it to whom labels), then the columns to show, and ``suggestion`` and
            ``suggestion_probability``.

        Raises
        ------
        CampaignError
            If no row is left, or the campaign was opened without learner or pool.
        RefitError
            If the training failed; all labels are kept.
        """
        state = self._record.refresh()
        if more is None and state.open_rows():
            return self._batch_table(suggestions)
        if (n is None) == (more is None):
            raise InvalidInputError(
                "ask must get one of n, rows of a new batch, and more, rows by which "
                f"the open batch grows. Got n={n!r} and more={more!r} instead."
            )
        rounds = self._with_model("ask")
        if more is None:
            count = check_integer(n, "n", low=1)
            rounds.train()
        elif not state.batches or state.batches[-1].closed:
            found = "The last one was given up by close()" if state.batches else None
            raise CampaignError(
                "ask(more=...) makes a batch longer. "
                f"{found or 'There is none yet'}: ask(n) for a new one."
            )
        else:
            count = check_integer(more, "more", low=1)
        rounds.draw(count, extends=more is not None)
        return self._batch_table(suggestions)

    def train(self) -> ActiveLearner:
        """Train now on all labels there are, unless that is what was done last.

        Returns
        -------
        learner : ActiveLearner
            The trained one.

        Raises
        ------
        CampaignError
            If there is no label, or the campaign was opened without learner or pool.
        """
        self._with_model("train").train()
        return self.learner

    def refit(self) -> ActiveLearner:
        """Train once more, also where no label is new: under the seed that is next.

        Returns
        -------
        learner : ActiveLearner
            The trained one; with ``warm_start`` it went on from the one before.

        Raises
        ------
        CampaignError
            If there is no label, or the campaign was opened without learner or pool.

        Notes
        -----
        Costs one training. A stopping criterion is not shown a model of the same labels
        as before: that two of them agree says nothing about more labels.
        """
        self._with_model("refit").train(anew=True)
        return self.learner

    def close(self) -> None:
        """Give the open rows of the last batch up: they may be asked for again."""
        with self._record.writing() as append:
            if not self._record.state.open_rows():
                raise CampaignError("close() gives a batch up. There is none open.")
            append("closed", {})

    @property
    def learner(self) -> ActiveLearner:
        """The learner of the last training; it is trained again where need be."""
        rounds = self._with_model("learner")
        if not rounds.state.trainings:
            raise CampaignError(
                "There is no model yet. Tell some labels, then ask or train."
            )
        return rounds.restored()

    # ---------------------------------------------------------------------- files

    def to_label_studio(
        self,
        path: str | Path,
        *,
        kind: Literal["text", "image", "table"] | None = None,
        images: str | None = None,
        suggestions: bool = False,
    ) -> int:
        """Write the open rows as tasks for Label Studio, in the order asked.

        Parameters
        ----------
        path : str or Path
            For the tasks, ``.json``. Beside it, under the same name with ``.xml``, goes
            the labelling configuration.
        kind : {"text", "image", "table"} or None, default=None
            How a row is shown; None for what the pool holds.
        images : str or None, default=None
            What stands before an image's name to make it an address; None for
            ``"/data/local-files/?d="``, where Label Studio serves local files.
        suggestions : bool, default=False
            Whether tasks bear the model's prediction. It draws people to its errors.

        Returns
        -------
        n : int
            Number of tasks. Rows of the random share look like all others.
        """
        if Path(path).suffix == ".xml":
            raise InvalidInputError(
                f"path must be a file for the tasks, .json. Got {str(path)!r} instead, "
                "where the configuration goes."
            )
        tasks, config = self.tasks(kind=kind, images=images, suggestions=suggestions)
        write_text(Path(path).with_suffix(".xml"), config)
        write_text(path, json.dumps(tasks, indent=1, allow_nan=False) + "\n")
        return len(tasks)

    def tasks(
        self,
        *,
        kind: Literal["text", "image", "table"] | None = None,
        images: str | None = None,
        suggestions: bool = False,
    ) -> tuple[list[dict[str, Any]], str]:
        """Return the open rows as tasks for Label Studio, in the order asked.

        Parameters
        ----------
        kind, images, suggestions : as for `to_label_studio`
            Which writes them to a file.

        Returns
        -------
        tasks : list of dict
            As its import takes them.
        config : str
            The labelling configuration.

        Raises
        ------
        CampaignError
            If no row is open, or the campaign was opened without its pool.
        """
        state, pool, _ = self._open_rows()
        return tasks_of(state, pool, kind=kind, images=images, suggestions=suggestions)

    def to_csv(self, path: str | Path) -> int:
        """Write the open rows to a CSV with an empty column ``label`` to fill in.

        Text that a spreadsheet would take for a formula gets a ' before it, which
        `from_csv` takes away. Columns of the pool that are called ``label``,
        ``annotator`` or ``seconds``, which `from_csv` reads, get a ``_`` behind.

        Parameters
        ----------
        path : str or Path
            The file to write.

        Returns
        -------
        n : int
            Number of rows.
        """
        _, pool, ids = self._open_rows()
        frame = pool.table(ids)
        frame.columns = [f"{c}_" if c in READ else c for c in frame.columns]
        frame.insert(1, "label", "")
        write_csv(path, frame)
        return len(frame)

    def report(self, path: str | Path | None = None) -> Path:
        """Write one HTML page that shows how the campaign goes.

        Parameters
        ----------
        path : str or Path or None, default=None
            None for ``report.html`` in the folder.

        Returns
        -------
        path : Path
            The page holds everything in itself, pictures too.
        """
        path = self.folder / "report.html" if path is None else Path(path)
        self._record.refresh()
        write_text(path, report_page(self, self._record.state, self._pool))
        return path

    # --------------------------------------------------------------------- private

    def _open_rows(self) -> tuple[State, Pool, list[str]]:
        """Return state, pool, and the ids that wait for an answer, as asked for."""
        state = self._record.refresh()
        ids = state.open_rows()
        if not ids:
            raise CampaignError("No row is open. Ask for a batch first.")
        if self._pool is None:
            raise CampaignError("What a row shows is in the pool: open with a pool.")
        return state, self._pool, ids

    def _with_model(self, method: str) -> Rounds:
        state = self._record.refresh()
        if self._rounds is None:
            raise CampaignError(
                f"{method} needs the model. Open the campaign with a learner and a "
                "pool."
            )
        pool = self._rounds.pool
        if pool.keys != list(state.present):
            raise CampaignError(
                f"{method} needs the pool as it is known now: {len(state.present):,} "
                f"rows. Got one of {len(pool):,}, since the campaign was opened "
                "with another pool meanwhile, here or by another process. Open it anew "
                "with the pool that is right."
            )
        return self._rounds

    def _batch_table(self, suggestions: bool) -> pd.DataFrame:
        state = self._record.state
        batch, ids = state.batches[-1], state.open_rows()
        if self._pool is not None:
            frame = self._pool.table(ids)
        else:
            frame = pd.DataFrame({"id": ids})
        items = [batch.items[id] for id in ids]
        frame.insert(1, "rank", [item["rank"] for item in items])
        scores = [np.nan if item["score"] is None else item["score"] for item in items]
        frame.insert(2, "score", np.array(scores, dtype=np.float64))
        if suggestions:
            frame["suggestion"] = [item["predicted"] for item in items]
            frame["suggestion_probability"] = [item["probability"] for item in items]
        for note in batch.notes:
            warnings.warn(f"Batch {batch.number}: {note}", UserWarning, stacklevel=3)
        return frame
