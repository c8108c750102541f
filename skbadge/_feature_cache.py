"""FeatureCache: a step that cannot change is run once for each row."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import sklearn
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skbadge.exceptions import InvalidInputError
from skbadge.extraction._storage import table_on_disk
from skbadge.nets._batches import iterate_parts
from skbadge.nets._steps import Steps
from skbadge.utils._row_keys import row_keys
from skbadge.utils._rows import as_rows

__all__ = ["FeatureCache"]

_BATCH_SIZE = 128
# What a fit may note of the rows without having learned from them.
_NO_STATE = {"n_features_in_", "feature_names_in_"}


class FeatureCache(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Run a step of a pipeline once for each row, and keep what it answers.

    In a campaign the same pool passes through the same steps round after round. Where
    a step cannot change, such as a pretrained encoder, its answers cannot either: with
    this around it, only the head behind it is run again.

    Parameters
    ----------
    transformer : transformer
        Without state (its ``fit`` learns nothing), or fitted and inside of
        ``sklearn.frozen.FrozenEstimator``; also a pipeline or union of such. It must
        answer a dense array with one row for each row.

    Attributes
    ----------
    transformer_ : transformer
        What answers for rows that are new.
    n_kept_ : int
        Number of rows whose answers are kept.

    See Also
    --------
    PenultimateFeatures : Makes an encoder of a skorch net.

    Notes
    -----
    A row is known by its content (a 16-byte BLAKE2b digest), not by its place: in
    pools, among the labelled rows and in a test set it is the same row. Of a file name
    the name is the content, so put the loader inside: ``FeatureCache(make_pipeline(
    Load(), Encode()))`` reads each file once, and does not notice a file that changes
    under its name. Random steps, such as augmentation, are frozen at their first draw.

    Clones and copies share what is kept, so it outlives the trainings of a learner and
    serves all learners that are made of clones of one pipeline, as those of
    `skbadge.simulate` are; a pickle holds nothing of it. Setting a parameter begins
    anew. Answers are in memory as long as they fit into scikit-learn's
    ``working_memory``, and beyond it in temporary files without a name. Beside them a
    row costs some 250 bytes. What a row costs in time is reading and hashing it, about
    a second for each GiB.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skbadge import FeatureCache
    >>> calls = []
    >>> def encode(X):
    ...     calls.append(len(X))
    ...     return np.tanh(X)
    >>> features = FeatureCache(FunctionTransformer(encode))
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> features.fit_transform(X[:4]).shape
    (4, 2)
    >>> features.transform(X).shape
    (6, 2)
    >>> calls
    [4, 2]
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "transformer":
            # Answers of another one are of no use.
            super().__setattr__("_kept", _Kept())
        super().__setattr__(name, value)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; what was kept is forgotten.

        Parameters
        ----------
        **params : dict
            As for any estimator.

        Returns
        -------
        self
        """
        if params:
            self._kept = _Kept()
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Self:
        twin = copy.copy(self)
        twin.__dict__.pop("transformer_", None)
        twin.__dict__["transformer"] = clone(self.transformer)
        return twin

    def fit(self, X: Any, y: Any = None) -> Self:
        """Look whether the step can change; nothing is learned.

        Parameters
        ----------
        X : rows of any kind
            Handed to the step's ``fit``.
        y : array-like or None, default=None
            As well.

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If the step has learned something.
        """
        transformer = clone(self.transformer).fit(X, y)
        learned = _learned(transformer)
        if learned:
            raise InvalidInputError(
                "FeatureCache keeps what a step answers, so the step must not change "
                f"from one training to the next. {type(self.transformer).__name__} has "
                f"learned {learned} in fit: put FrozenEstimator around a fitted one, "
                "or leave FeatureCache away."
            )
        self.transformer_ = transformer
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return what the step answers for each row.

        Parameters
        ----------
        X : rows of any kind
            What the step takes.

        Returns
        -------
        features : ndarray of shape (n_rows, ...)

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            If the step answers no dense array with one row for each row.
        """
        check_is_fitted(self, "transformer_")
        X = as_rows(X, lists_hold_rows=True)
        keys = row_keys(X)
        if not keys:
            return _as_array(self.transformer_.transform(X))
        new, done = self._kept.unknown(keys), 0
        steps = Steps([(type(self.transformer_).__name__, self.transformer_)])
        for part in iterate_parts(X, new, _BATCH_SIZE, steps):
            block = _as_array(part)
            self._kept.add([keys[i] for i in new[done : done + len(block)]], block)
            done += len(block)
        return self._kept.answers(keys)

    @property
    def n_kept_(self) -> int:
        """Number of rows whose answers are kept."""
        return len(self._kept.places)

    @available_if(lambda self: hasattr(self.transformer, "get_feature_names_out"))
    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Return the names that the step gives to what it answers.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of what it takes.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "transformer_")
        return self.transformer_.get_feature_names_out(input_features)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.transformer).input_tags
        return tags


class _Kept:
    """Answers by the keys of their rows; shared by copies, left out of pickles."""

    def __init__(self) -> None:
        # Each row's block and its place there: entries are only added, so that threads
        # need no lock, and the worst that happens is that two compute the same.
        self.places: dict[bytes, tuple[np.ndarray, int]] = {}
        self.n_bytes = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[_Kept], tuple[()]]:
        return _Kept, ()

    def unknown(self, keys: list[bytes]) -> np.ndarray:
        """Return where rows without an answer stand, of equal ones the first."""
        first: dict[bytes, int] = {}
        for i, key in enumerate(keys):
            if key not in self.places:
                first.setdefault(key, i)
        return np.fromiter(first.values(), dtype=np.intp)

    def add(self, keys: list[bytes], block: np.ndarray) -> None:
        limit = sklearn.get_config()["working_memory"] * 2**20
        if self.n_bytes + block.nbytes > limit:
            dtype = torch.from_numpy(block[:0]).dtype
            table = table_on_disk(block.shape, dtype, block.nbytes, limit).numpy()
            table[...] = block
            block = table
        else:
            self.n_bytes += block.nbytes
        self.places.update((key, (block, i)) for i, key in enumerate(keys))

    def answers(self, keys: list[bytes]) -> np.ndarray:
        """Return the answers for keys, in their order."""
        found = [self.places[key] for key in keys]
        by_block: dict[int, tuple[np.ndarray, list[int], list[int]]] = {}
        for place, (block, row) in enumerate(found):
            rows = by_block.setdefault(id(block), (block, [], []))
            rows[1].append(place)
            rows[2].append(row)
        first = found[0][0]
        answers = np.empty((len(keys), *first.shape[1:]), dtype=first.dtype)
        for block, places, positions in by_block.values():
            if block.shape[1:] != first.shape[1:]:
                raise InvalidInputError(
                    "The step inside FeatureCache must answer rows of one shape. Got "
                    f"{block.shape[1:]} and {first.shape[1:]}: pad them in the step."
                )
            answers[places] = block[positions]
        return answers


def _as_array(answer: Any) -> np.ndarray:
    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu()
        # NumPy lacks bfloat16.
        answer = (answer.float() if answer.dtype == torch.bfloat16 else answer).numpy()
    elif hasattr(answer, "to_numpy"):
        answer = answer.to_numpy()
    if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "fiub":
        raise InvalidInputError(
            "FeatureCache keeps dense arrays of numbers. Got "
            f"{type(answer).__name__} from the step inside: leave FeatureCache away, "
            "or put a step that makes an array into it as well."
        )
    # A copy: a step may go on to write to what it answered.
    return answer.copy()


def _learned(step: Any) -> list[str]:
    """Return the names of what a fitted step has learned from rows."""
    if isinstance(step, FrozenEstimator) or step in (None, "passthrough", "drop"):
        return []
    if isinstance(step, FeatureCache):
        return _learned(step.transformer_)
    if isinstance(step, (Pipeline, FeatureUnion)):
        steps = step.steps if isinstance(step, Pipeline) else step.transformer_list
        return [name for _, inner in steps for name in _learned(inner)]
    if not get_tags(step).requires_fit:
        return []
    return [
        name
        for name in vars(step)
        if name.endswith("_") and not name.startswith("_") and name not in _NO_STATE
    ]
