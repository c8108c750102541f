"""k-means sampling: one row of each of n clusters."""

from __future__ import annotations

from typing import Literal

import numpy as np

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.selection._kmeans import _nearest_members
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._space import check_space, read_space, space_needs
from skbadge.utils._validation import check_flag

__all__ = ["KMeansSampling"]


class KMeansSampling(QueryStrategy):
    """Choose the middle row of each of n clusters.

    A batch that looks like the whole pool: the simplest good first batch, since it
    needs no label, and no trained net where it compares the inputs themselves.

    Parameters
    ----------
    features : {"net", "input"}, default="net"
        What is compared: what the net makes of a row before its classification layer,
        or what reaches the net. With "input" a learner can query before `fit`. For a
        pretrained encoder, put it in a pipeline before the net: its features are then
        the input.
    normalize : bool, default=False
        Whether each row is scaled to length 1 first, as is usual for features of
        encoders that were trained by cosines.

    See Also
    --------
    skbadge.selection.weighted_kmeans : The clusters.
    TypiClust : Knows what is labelled, and prefers dense places.

    Notes
    -----
    k-means with n clusters; of each the member nearest to its center, the largest
    cluster first. Where clusters stay empty, since rows are alike, the rest is drawn at
    random: there are never fewer than n. Scores: the size of the cluster, 0 for rows at
    random. A batch is made for its size: smaller batches are not its beginning. Labels
    play no part. Cost: O(n_pool n d) a step of k-means; see
    :func:`skbadge.selection.weighted_kmeans`.

    References
    ----------
    .. [1] Yuan, Lin and Boyd-Graber, "Cold-start Active Learning through
       Self-supervised Language Modeling",
       `arXiv:2010.09535 <https://arxiv.org/abs/2010.09535>`_, for k-means as a cold
       start.

    Examples
    --------
    >>> from skbadge import KMeansSampling
    >>> from skbadge.strategies import Outputs
    >>> outputs = Outputs.of(inputs=[[0.0], [0.1], [0.2], [7.0], [7.2]])
    >>> strategy = KMeansSampling(features="input")
    >>> strategy.select(outputs, n=2, random_state=0).indices.tolist()[0]
    1
    """

    traits = Traits(nested=False)

    def __init__(
        self, *, features: Literal["net", "input"] = "net", normalize: bool = False
    ) -> None:
        self.features = features
        self.normalize = normalize

    @property
    def needs(self) -> Needs:
        """Inputs or features."""
        return space_needs(self.features)

    def check_parameters(self) -> None:
        """Refuse a space that does not exist, and what is neither True nor False."""
        check_space(self.features)
        check_flag(self.normalize, "normalize")

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        indices, sizes = _nearest_members(
            read_space(outputs, self.features),
            n,
            normalize=self.normalize,
            generator=generator,
        )
        return Selection(indices, scores=sizes)
