"""AlphaMix: rows whose class changes when their features move towards a class."""

from __future__ import annotations

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.embeddings._tensors import chunk_length
from skbadge.selection._kmeans import _nearest_members
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._heads import two_or_more

__all__ = ["AlphaMix"]

# How far features may move: the first limit that gives enough candidates.
_LIMITS = (0.2, 0.4, 0.6, 0.8, 1.0)


class AlphaMix(QueryStrategy):
    r"""Choose different rows whose class changes when other features are mixed in.

    If the features of a row are mixed with a little of the mean features of some class,
    in the way that raises the loss most, does the net still prefer the same class? Rows
    for which it does not are candidates, and k-means picks among them.

    See Also
    --------
    DropQuery : Leaves features out instead.

    Notes
    -----
    The closed form of [1]_: with the mean :math:`h_c` of the labelled rows of class c
    (of all labelled rows, for classes without any), features move by
    :math:`\epsilon\, d^{-1/2} \lVert h_c - h \rVert\, g / \lVert g \rVert`, where
    :math:`g = W^T a` is the gradient of the loss in the features at the hypothetical
    label. The paper writes this as a mixing rate for each feature, whose denominator
    cancels. Since all classes move a row in the same direction, and outputs are linear
    along it, the class changes for some :math:`h_c` if it does for the farthest; so the
    smallest :math:`\epsilon` that changes it is found at once for each row, without an
    array of rows by classes by features. Candidates are the rows that change for
    :math:`\epsilon` of 0.2; while they are fewer than n, of 0.4, 0.6, 0.8 and 1. Of n
    clusters of the candidates' features, scaled to length 1, the member nearest to each
    center is chosen; where candidates are fewer, others at random. Scores: the size of
    the cluster. A batch is made for its size: smaller batches are not its beginning.

    Differences: the paper's main form learns the mixing rates by gradient steps. Cost:
    O(n_pool K d), and k-means among the candidates.

    References
    ----------
    .. [1] Parvaneh, Abbasnejad, Teney, Haffari, van den Hengel and Shi, "Active
       Learning by Feature Mixing", `arXiv:2203.07034
       <https://arxiv.org/abs/2203.07034>`_.

    Examples
    --------
    The class of the second row hangs by a thread:

    >>> from skbadge import AlphaMix
    >>> from skbadge.strategies import Outputs
    >>> labeled = Outputs.of(features=[[2.0, 0.0], [0.0, 2.0]], y=[0, 1])
    >>> outputs = Outputs.of(
    ...     features=[[9.0, 0.0], [1.0, 0.9], [0.0, 9.0]],
    ...     residual=[[-0.01, 0.01], [-0.5, 0.5], [0.01, -0.01]],
    ...     head=([[1.0, 0.0], [0.0, 1.0]], None),
    ...     labeled=labeled,
    ... )
    >>> AlphaMix().select(outputs, n=1, random_state=0).indices
    array([1])
    """

    needs = Needs(residual=True, features=True, head=True, labeled=Needs(features=True))
    traits = Traits(nested=False, needs_labels=True)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        n_classes = len(two_or_more(outputs.head)[0])
        anchors = _class_means(outputs.labeled, n_classes)
        reach = outputs.by_rows(lambda part: _least_reach(part, anchors))
        enough = [limit for limit in _LIMITS if (reach <= limit).sum() >= n]
        limit = enough[0] if enough else _LIMITS[-1]
        indices, sizes = _nearest_members(
            outputs.features,
            n,
            among=np.flatnonzero(reach <= limit),
            normalize=True,
            generator=generator,
        )
        return Selection(indices, scores=sizes)


def _class_means(labeled: Outputs, n_classes: int) -> torch.Tensor:
    """Return mean features of each class, of all rows for classes without any."""
    features = labeled.features.double()
    y = labeled.y.to(features.device)
    means = features.mean(dim=0).repeat(n_classes, 1)
    for column in y.unique().tolist():
        means[column] = features[y == column].mean(dim=0)
    return means


def _least_reach(outputs: Outputs, anchors: torch.Tensor) -> torch.Tensor:
    """Return the smallest epsilon that changes the class of each row, or infinity."""
    weight, bias = (table.double() for table in two_or_more(outputs.head))
    features, residual = outputs.features, outputs.residual
    reach = weight.new_empty(len(features))
    # Several tables of float64 for each.
    step = chunk_length(4 * features.shape[1])
    for start in range(0, len(features), step):
        part = slice(start, start + step)
        rows = features[part].double()
        logits = rows @ weight.T + bias
        direction = residual[part].double() @ outputs.head.weight.double()
        slope = torch.nn.functional.normalize(direction, eps=1e-300) @ weight.T
        top = logits.argmax(dim=1, keepdim=True)
        gap = logits.gather(1, top) - logits
        gain = slope - slope.gather(1, top)
        # The class that is preferred itself gains nothing.
        length = torch.where(gain > 0, gap / gain, torch.inf).amin(dim=1)
        farthest = torch.cdist(rows, anchors).amax(dim=1)
        reach[part] = length * features.shape[1] ** 0.5 / farthest
    return reach
