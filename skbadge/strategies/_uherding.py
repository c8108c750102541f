"""MaxHerding and UHerding: rows that cover what the net is unsure of."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from skbadge._contracts import Needs, Outputs, Selection, Traits
from skbadge.embeddings import DenseEmbedding
from skbadge.embeddings._distances import distances_sq
from skbadge.embeddings._tensors import chunk_length, directions
from skbadge.selection._coverage_shards import herd_on_shards
from skbadge.selection._facility_location import (
    Coverage,
    _facility_location_greedy,
    check_length_scale,
    fit_to_square,
)
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._temperature import cross_fitted_temperature
from skbadge.utils._validation import check_integer, check_option, check_real

__all__ = ["MaxHerding", "UHerding"]


class MaxHerding(QueryStrategy):
    r"""Choose rows that are similar to much of the pool, and not to each other.

    Made for the first rounds on good features, as those of a pretrained encoder: it
    asks for typical rows of all regions, and reads no prediction.

    Parameters
    ----------
    length_scale : float in [1e-100, 1e100], default=1.0
        Distance, between features scaled to length 1, at which a row covers 1/e of
        another.
    n_targets : int or None, default=None
        Cover so many rows of the pool, drawn by the seed, instead of all: cost falls in
        proportion.

    See Also
    --------
    UHerding : The same for later rounds, weighted by uncertainty.
    skbadge.selection.facility_location_greedy : The algorithm.

    Notes
    -----
    Greedy generalized coverage [1]_ with the kernel
    :math:`\exp(-\lVert x - x' \rVert^2 / \sigma^2)`; what labelled rows cover is
    covered at first. Lazy greedy: the picks of the plain loop. The public code keeps an
    array of all pairs and therefore cuts the pool to some 35,000 rows; here all of it
    is read, in blocks. Scores: the share of the targets that each pick covers anew.
    For one seed, the first rows of a larger batch are the smaller batch. Cost:
    O(n_pool n_targets d) time once, then a few rows' share of it a pick.

    On a cluster the targets are gathered in groups of about fifty thousand on the
    workers: a round trip for each group at first, then one for several picks. All
    rows are compared with all targets: set ``n_targets``, and it is one group.

    References
    ----------
    .. [1] Bae, Noh and Sutherland, "Generalized Coverage for More Robust Low-Budget
       Active Learning", `arXiv:2407.12212 <https://arxiv.org/abs/2407.12212>`_.

    Examples
    --------
    Of three rows that are alike the one with most around it that no label covers:

    >>> from skbadge import MaxHerding
    >>> from skbadge.strategies import Outputs
    >>> none = Outputs.of(features=[[1.0, -1.0]], y=[0])
    >>> rows = [[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 1.0]]
    >>> outputs = Outputs.of(features=rows, labeled=none)
    >>> MaxHerding().select(outputs, n=2, random_state=0).indices
    array([1, 3])
    """

    needs = Needs(features=True, labeled=Needs(features=True))
    traits = Traits(on_cluster=True)

    def __init__(
        self, *, length_scale: float = 1.0, n_targets: int | None = None
    ) -> None:
        self.length_scale = length_scale
        self.n_targets = n_targets

    def check_parameters(self) -> None:
        """Refuse numbers out of range."""
        _check_numbers(self.length_scale, self.n_targets)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        weight = np.ones(outputs.n_pool)
        return _herd(
            outputs,
            n,
            weight,
            length_scale=self.length_scale,
            n_targets=self.n_targets,
            generator=generator,
        )


class UHerding(QueryStrategy):
    r"""Choose rows that cover, together, what the net is unsure of.

    One method for all budgets: with few labels the kernel is wide and the net unsure
    everywhere, so that typical rows are chosen; with many the kernel is narrow, and the
    choice turns into that of unsure rows which differ.

    Parameters
    ----------
    uncertainty : {"margin", "entropy", "confidence"}, default="margin"
        Weight of a row: :math:`1 - (p_1 - p_2)` with the two largest probabilities, the
        entropy as a part of the largest there is, or :math:`1 - p_1`.
    temperature : "cross-fitted" or float in (0, inf), default="cross-fitted"
        Divides the logits before the uncertainty. "cross-fitted" takes the temperature
        that suits predictions of labelled rows which a model of the features has not
        seen.
    length_scale : float in [1e-100, 1e100] or None, default=None
        Distance, between features scaled to length 1, at which a row covers 1/e of
        another. None takes the smallest distance, above 0, between two labelled rows;
        1 where there are none.
    n_targets : int or None, default=None
        Cover so many rows of the pool, drawn by the seed, instead of all.

    See Also
    --------
    MaxHerding : The same without predictions.
    skbadge.selection.facility_location_greedy : The algorithm.

    Notes
    -----
    Greedy maximization of uncertainty coverage [1]_,
    :math:`\sum_i U(x_i) \max_c k(x_i, x_c)`, over labelled and chosen rows c; see
    :class:`MaxHerding` for the kernel, the laziness, and scores.

    The paper trains a second net on a part of the labels for the temperature. A
    strategy trains no net: "cross-fitted" fits logistic regressions on the features of
    four fifths of the labelled rows, five times, and takes of 1.0, 1.1, ..., 19.9 the
    temperature with the least calibration error (15 bins) on the others. For a linear
    head on fixed features that is what the paper does; where the features themselves
    were trained on these labels it finds too small a temperature. With fewer than two
    labelled rows of two classes it is 1. Float32 features with a length scale below
    0.03 are compared in float64.

    Cost: O(n_pool n_targets d) time once, then a few rows' share of it a pick.

    References
    ----------
    .. [1] Bae, Oliveira and Sutherland, "Uncertainty Herding: One Active Learning
       Method for All Label Budgets",
       `arXiv:2412.20644 <https://arxiv.org/abs/2412.20644>`_.

    Examples
    --------
    Of two groups the one of which the net is unsure:

    >>> from skbadge import UHerding
    >>> from skbadge.strategies import Outputs
    >>> known = Outputs.of(features=[[1.0, -1.0]], proba=[[0.5, 0.5]], y=[0])
    >>> outputs = Outputs.of(
    ...     features=[[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]],
    ...     proba=[[0.99, 0.01], [0.99, 0.01], [0.6, 0.4]],
    ...     labeled=known,
    ... )
    >>> UHerding(temperature=1.0).select(outputs, n=1, random_state=0).indices
    array([2])
    """

    needs = Needs(proba=True, features=True, labeled=Needs(features=True))
    traits = Traits(on_cluster=True)

    def __init__(
        self,
        uncertainty: Literal["margin", "entropy", "confidence"] = "margin",
        *,
        temperature: Any = "cross-fitted",
        length_scale: float | None = None,
        n_targets: int | None = None,
    ) -> None:
        self.uncertainty = uncertainty
        self.temperature = temperature
        self.length_scale = length_scale
        self.n_targets = n_targets

    def check_parameters(self) -> None:
        """Refuse options that do not exist, and numbers out of range."""
        check_option(self.uncertainty, "uncertainty", tuple(_UNCERTAINTIES))
        if isinstance(self.temperature, str):
            check_option(self.temperature, "temperature", ("cross-fitted",))
        else:
            check_real(
                self.temperature,
                "temperature",
                low=0,
                high=np.inf,
                include_low=False,
                include_high=False,
            )
        length_scale = 1.0 if self.length_scale is None else self.length_scale
        _check_numbers(length_scale, self.n_targets)

    def _select(
        self, outputs: Outputs, n: int, generator: np.random.Generator
    ) -> Selection:
        known = outputs.labeled
        temperature = self.temperature
        if temperature == "cross-fitted":
            seen = fit_to_square(known.features)
            temperature = cross_fitted_temperature(seen, known.y, generator)
        measure = _UNCERTAINTIES[self.uncertainty]
        weight = outputs.by_rows(
            lambda part: measure(_tempered(part.proba, temperature))
        )
        length_scale = self.length_scale or _smallest_distance(known.features)
        return _herd(
            outputs,
            n,
            weight,
            length_scale=length_scale,
            n_targets=self.n_targets,
            generator=generator,
        )


def _check_numbers(length_scale: float, n_targets: int | None) -> None:
    check_length_scale(length_scale)
    if n_targets is not None:
        check_integer(n_targets, "n_targets", low=1)


def _herd(
    outputs: Outputs,
    n: int,
    weight: np.ndarray,
    *,
    length_scale: float,
    n_targets: int | None,
    generator: np.random.Generator,
) -> Selection:
    """Choose by coverage of features scaled to length 1; scores are mean gains."""
    priority = generator.permutation(outputs.n_pool)
    known = fit_to_square(outputs.labeled.features)
    features: Any = outputs.features  # or what stands for them on several machines
    drawn = None
    if n_targets is not None and n_targets < outputs.n_pool:
        drawn = np.sort(generator.choice(outputs.n_pool, n_targets, replace=False))
    if outputs.on_cluster:
        indices, gains = herd_on_shards(
            features,
            n,
            weight,
            drawn,
            labeled=known,
            length_scale=length_scale,
            priority=priority,
        )
    else:
        features = fit_to_square(features)
        targets = features
        if drawn is not None:
            targets, weight = features[torch.from_numpy(drawn)], weight[drawn]
        coverage = Coverage(
            features, targets, weight, length_scale=length_scale, normalize=True
        )
        coverage.cover(known)
        indices, gains = _facility_location_greedy(coverage, n, priority=priority)
    return Selection(
        indices, scores=gains / (outputs.n_pool if drawn is None else len(drawn))
    )


def _smallest_distance(features: torch.Tensor) -> float:
    """Return the smallest distance above 0 between rows scaled to length 1, or 1."""
    if len(features) < 2:
        return 1.0
    embedding = DenseEmbedding(directions(features.double()))
    embedding.norms()
    everything = embedding.rows(slice(None))
    smallest = torch.inf
    # In float64, and several blocks stand beside each other.
    step = chunk_length(4 * max(len(features), features.shape[1]))
    for start in range(0, len(features), step):
        found = distances_sq(everything[start : start + step], everything)
        # Digits of a float64: what is below is a copy.
        found[found <= 1e-28] = torch.inf
        smallest = min(smallest, float(found.min()))
    unit = embedding.scale
    return smallest**0.5 * unit if np.isfinite(smallest) else 1.0


def _tempered(proba: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the probabilities of logits over a temperature, float64."""
    proba = proba.double()
    if temperature == 1.0:
        return proba
    smallest = torch.finfo(torch.float64).tiny
    return (proba.clamp_min(smallest).log() / float(temperature)).softmax(dim=1)


def _margin(proba: torch.Tensor) -> torch.Tensor:
    top = proba.topk(min(2, proba.shape[1]), dim=1).values
    second = top[:, 1] if top.shape[1] > 1 else 0.0
    return 1.0 - (top[:, 0] - second)


def _entropy(proba: torch.Tensor) -> torch.Tensor:
    most = np.log(max(2, proba.shape[1]))
    return torch.special.entr(proba).sum(dim=1) / most


def _confidence(proba: torch.Tensor) -> torch.Tensor:
    return 1.0 - proba.amax(dim=1)


_UNCERTAINTIES = {"margin": _margin, "entropy": _entropy, "confidence": _confidence}
