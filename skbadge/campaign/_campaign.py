"""Campaign: labelling over weeks, by several people, on a machine that restarts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from skbadge.campaign._accuracy import accuracy_table, windowed
from skbadge.campaign._answers import Given, sort_out
from skbadge.campaign._model import Model
from skbadge.campaign._opening import begin, check_same, check_settings, joined
from skbadge.campaign._pool import as_pool, id_key
from skbadge.campaign._record import Record
from skbadge.campaign._rounds import Rounds
from skbadge.campaign._status import status_of
from skbadge.campaign._tables import answers_table, labels_table, skipped_table
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.stopping import StoppingCriterion
from skbadge.strategies import RandomSampling
from skbadge.utils._validation import check_integer

__all__ = ["Campaign"]


class Campaign:
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
        Chooses while there is no label; None for ``RandomSampling()``.
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
    trains it again from the labels: one training; with ``warm_start`` as many as there
    were. ``ask`` costs what ``learner.query`` costs, one prediction of the batch, and
    the training that is due.

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
        folder,
        learner=None,
        pool=None,
        *,
        ids=None,
        inputs=None,
        show=None,
        classes=None,
        random_share=None,
        cold_start=None,
        stop=None,
        count=None,
        n_stop=None,
        image_size=(64, 64),
        gray=False,
    ):
        self.folder = Path(folder)
        if stop is not None and not isinstance(stop, StoppingCriterion):
            raise InvalidInputError(
                "stop must be a criterion of skbadge.stopping. Got "
                f"{type(stop).__name__} instead."
            )
        given = {"random_share": random_share, "count": count, "n_stop": n_stop}
        check_settings(given)
        self._record = Record(folder)
        self._pool = self._rounds = None
        if pool is not None:
            self._pool = as_pool(
                pool, ids, inputs=inputs, show=show, image_size=image_size, gray=gray
            )
        if not self._record.journal.exists:
            begin(self._record, learner, self._pool, classes, given)
        state = self._record.refresh()
        check_same(state.settings, classes, given)
        if self._pool is not None:
            self._pool = joined(self._record, self._pool)
        if self._pool is not None and learner is not None:
            self._rounds = Rounds(
                self._record,
                self._pool,
                Model(learner, state.settings["classes"], state.settings["entropy"]),
                cold_start=RandomSampling() if cold_start is None else cold_start,
                stop=stop,
            )

    # --------------------------------------------------------------------- asking

    def ask(self, n=None, *, more=None, suggestions=False):
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
                f"ask needs n, or more, and no batch is open. Got n={n!r} and "
                f"more={more!r}."
            )
        rounds = self._with_model("ask")
        if more is None:
            n = check_integer(n, "n", low=1)
            rounds.train()
        elif not state.batches:
            raise CampaignError(
                "ask(more=...) makes a batch longer. There is none yet."
            )
        else:
            n = check_integer(more, "more", low=1)
        rounds.draw(n, extends=more is not None)
        return self._batch_table(suggestions)

    def train(self):
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

    def close(self):
        """Give the open rows of the last batch up: they may be asked for again."""
        with self._record.writing() as append:
            if not self._record.state.open_rows():
                raise CampaignError("close() gives a batch up. There is none open.")
            append("closed", {})

    @property
    def learner(self):
        """The learner of the last training; it is trained again where need be."""
        rounds = self._with_model("learner")
        if not rounds.state.trainings:
            raise CampaignError(
                "There is no model yet. Tell some labels, then ask or train."
            )
        return rounds.restored()

    # -------------------------------------------------------------------- telling

    def tell(self, labels, *, annotator="", seconds=None):
        """Store labels; they are on the disk when the call returns. Trains nothing.

        Parameters
        ----------
        labels : mapping of id to label, Series, or list of (id, label)
            For any row of the pool, asked for or not.
        annotator : str, default=""
            Who gave them.
        seconds : mapping of id to float or None, default=None
            How long each took.

        Returns
        -------
        told : Told
            How many were stored, and which were refused and why: an id that the pool
            does not have, no class, a row that this annotator has labelled otherwise. A
            warning names them too. All others are kept.

        Raises
        ------
        CampaignError
            If they could not be stored; then none was.
        """
        return self._tell(_given(labels, annotator, seconds), annotator)

    def relabel(self, labels, *, annotator=""):
        """Store labels in the place of others by the same annotator.

        Parameters
        ----------
        labels : mapping of id to label, Series, or list of (id, label)
        annotator : str, default=""

        Returns
        -------
        told : Told
        """
        return self._tell(_given(labels, annotator, None), annotator, correction=True)

    def skip(self, ids, *, reason="", annotator=""):
        """Store that rows cannot be labelled; they are not asked for again.

        Parameters
        ----------
        ids : id or list of ids
        reason : str, default=""
        annotator : str, default=""

        Returns
        -------
        told : Told
        """
        if isinstance(ids, (str, int, np.integer)):
            ids = [ids]
        given = [Given(id, annotator=annotator, reason=str(reason)) for id in ids]
        return self._tell(given, annotator)

    def undo(self, *, annotator=""):
        """Take the last call back that told labels or skips, whoever made it.

        Returns
        -------
        ids : list of str
            The rows whose answers were taken back.

        Raises
        ------
        CampaignError
            If there is nothing to take back.
        """
        with self._record.writing(annotator) as append:
            seq = self._record.state.last_answer_event()
            if seq is None:
                raise CampaignError("undo() takes answers back. There are none.")
            payload = self._record.state.told(seq)
            append("undone", {"seq": seq})
        return [item["id"] for item in [*payload["items"], *payload["skipped"]]]

    def _tell(self, given, annotator, *, correction=False, source="python"):
        with self._record.writing(annotator) as append:
            state = self._record.state
            payload, told = sort_out(state, given, correction=correction)
            if payload is not None:
                append("answered", {**payload, "source": source})
        told.warn(stacklevel=3)
        return told

    # --------------------------------------------------------------------- reading

    def labels(self):
        """Return the labels that count.

        Returns
        -------
        DataFrame with one row a labelled row
            ``id``, ``label``, ``annotator``, ``round`` (missing for rows that were not
            asked for), ``time`` (UTC), ``random`` (whether drawn for the accuracy).
        """
        return labels_table(self._record.refresh(), self._shown_id)

    def answers(self):
        """Return the last label of every annotator, as `labels`, with ``seconds``."""
        return answers_table(self._record.refresh(), self._shown_id)

    def skipped(self):
        """Return the rows that were skipped: ``id``, ``annotator``, ``reason``."""
        return skipped_table(self._record.refresh(), self._shown_id)

    def disagreements(self):
        """Return the answers to rows on which annotators differ, as `answers`."""
        answers = self.answers()
        disputed = {self._shown_id(id) for id in self._record.state.disputed()}
        return answers[answers["id"].isin(disputed)].reset_index(drop=True)

    def accuracy(self, window=1):
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
            the estimate does not speak of rows that people skip), ``n_correct``,
            ``accuracy``, ``low``, ``high`` (95%), and from all draws of a strategy that
            knows their probabilities, once each has a label, ``lure`` with
            ``lure_error``, of ``n_lure`` draws.

        Notes
        -----
        The interval is the exact one of independent draws; without replacement the
        share varies less, so that it covers a little more often than 95%. While a batch
        is unfinished its estimate speaks of the rows that were answered first.
        """
        return windowed(accuracy_table(self._record.refresh()), window)

    def status(self):
        """Say how the campaign stands: counts, accuracy, signs, what to do next.

        Returns
        -------
        Status
            Printed, it is a page of text.
        """
        accuracy = self.accuracy(3)
        return status_of(self._record.state, accuracy)

    def _shown_id(self, id):
        """Return an id as the user gave it, where the pool is there to know."""
        if self._pool is not None and id in self._pool.at:
            return self._pool.ids[self._pool.at[id]]
        return id

    # --------------------------------------------------------------------- private

    def _with_model(self, method):
        state = self._record.refresh()
        if self._rounds is None:
            raise CampaignError(
                f"{method} needs the model. Open the campaign with a learner and a "
                "pool."
            )
        if self._pool.keys != list(state.present):
            raise CampaignError(
                "Another process has opened the campaign with another pool. Open it "
                "anew here."
            )
        return self._rounds

    def _batch_table(self, suggestions):
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
        return frame


def _given(labels, annotator, seconds):
    if hasattr(labels, "items"):
        labels = list(labels.items())
    seconds = {} if seconds is None else {id_key(k): v for k, v in seconds.items()}
    try:
        pairs = [(id, label) for id, label in labels]
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            "labels must be a mapping of id to label, a Series, or pairs. Got "
            f"{type(labels).__name__} instead."
        ) from error
    return [Given(id, label, annotator, seconds.get(str(id))) for id, label in pairs]
