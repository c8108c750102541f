"""Draws of the class probabilities, from dropout or from a Laplace approximation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from skbadge._contracts import Head, Needs, Outputs
from skbadge.embeddings._tensors import chunk_length
from skbadge.exceptions import InvalidInputError
from skbadge.utils._validation import check_integer, check_option, check_real

__all__ = [
    "check_source",
    "drawn_heads",
    "head_proba",
    "iterate_samples",
    "laplace_draws",
    "source_needs",
]

# By how much the head's probabilities may differ from the net's: half precision.
_TOLERANCE = 0.02
# Draws, each a head or a number for each row and class: more say nothing new.
_MOST_SAMPLES = 10_000


def check_source(source: Any, n_samples: Any, prior_precision: Any) -> None:
    """Refuse what no draws can be made with."""
    check_option(source, "source", ("dropout", "laplace"))
    check_integer(n_samples, "n_samples", low=2, high=_MOST_SAMPLES)
    check_real(
        prior_precision,
        "prior_precision",
        low=0,
        high=np.inf,
        include_low=False,
        include_high=False,
    )


def source_needs(source: str, n_samples: int) -> Needs:
    """Return what draws are made of."""
    if source == "dropout":
        return Needs(samples=n_samples)
    labeled = Needs(proba=True, features=True)
    return Needs(features=True, head=True, labeled=labeled)


def drawn_heads(
    outputs: Outputs,
    source: str,
    n_samples: int,
    prior_precision: float,
    generator: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return what the samples of any row are made with: heads, or None for dropout.

    Parameters
    ----------
    outputs : Outputs
        With what `source_needs` says.
    source : {"dropout", "laplace"}
        Where they come from.
    n_samples : int
        Number of draws, the same ones for all rows.
    prior_precision : float
        Of the Laplace approximation.
    generator : numpy.random.Generator
        Fixes those of the Laplace approximation.

    Returns
    -------
    weight, bias : torch.Tensor or None
        As `laplace_draws` gives them.
    """
    if source == "dropout":
        return None
    _check_head(outputs.labeled, outputs.head)
    return laplace_draws(
        outputs.labeled, outputs.head, n_samples, prior_precision, generator
    )


def iterate_samples(
    outputs: Outputs, heads: tuple[torch.Tensor, torch.Tensor] | None
) -> Iterator[torch.Tensor]:
    """Yield draws of the probabilities block by block.

    Parameters
    ----------
    outputs : Outputs
        The rows.
    heads : tuple of (weight, bias) or None
        As `drawn_heads` gives them.

    Yields
    ------
    samples : torch.Tensor of shape (n_block, n_samples, n_classes), float64
    """
    if heads is None:
        samples = outputs.samples
        yield from map(
            torch.Tensor.double, samples.split(chunk_length(samples[0].numel()))
        )
        return
    weight, bias = heads
    width = max(weight.shape[2], weight.shape[0] * weight.shape[1])
    for block in outputs.features.split(chunk_length(width)):
        logits = _finite(block.double() @ weight.flatten(0, 1).T)
        yield head_proba(logits.unflatten(1, weight.shape[:2]) + bias)


def laplace_draws(
    labeled: Outputs,
    head: Head,
    n_samples: int,
    prior_precision: float,
    generator: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw heads from the Laplace approximation around the trained one.

    Parameters
    ----------
    labeled : Outputs
        Features and probabilities of the rows that the net was trained on.
    head : Head
        The trained one.
    n_samples : int
        Number of heads.
    prior_precision : float
        Added to each eigenvalue of the curvature.
    generator : numpy.random.Generator
        Fixes the draws.

    Returns
    -------
    weight : torch.Tensor of shape (n_samples, n_outputs, n_features), float64
    bias : torch.Tensor of shape (n_samples, n_outputs), float64
        Zeros for a head without one.
    """
    weight = head.weight.double()
    features, proba = labeled.features.double(), labeled.proba.double()
    if head.bias is not None:
        weight = torch.cat([weight, head.bias.double()[:, None]], dim=1)
        features = torch.nn.functional.pad(features, (0, 1), value=1.0)
    if len(weight) == 1:
        curvature = (proba[:, :1] * proba[:, 1:]).mean(dim=0)[:, None]
    else:
        curvature = torch.diag(proba.mean(dim=0)) - proba.T @ proba / len(proba)
    of_outputs, left = torch.linalg.eigh(curvature)
    of_inputs, right = torch.linalg.eigh(_finite(features.T @ features))
    # Rounding may leave eigenvalues a little below zero.
    eigenvalues = torch.outer(of_outputs.clamp_min(0.0), of_inputs.clamp_min(0.0))
    noise = torch.from_numpy(generator.standard_normal((n_samples, *weight.shape)))
    # Scaled along the eigenvectors and turned back: their signs, and their choice where
    # eigenvalues are equal, differ between devices and decide nothing.
    along = left.T @ noise.to(weight.device) @ right
    along /= (eigenvalues + prior_precision).sqrt()
    drawn = weight + left @ along @ right.T
    if head.bias is None:
        return drawn, drawn.new_zeros(drawn.shape[:2])
    return drawn[..., :-1], drawn[..., -1]


def head_proba(logits: torch.Tensor) -> torch.Tensor:
    """Return class probabilities of a head's outputs; one output is two classes."""
    if logits.shape[-1] > 1:
        return logits.softmax(dim=-1)
    second = logits.sigmoid()
    return torch.cat([1.0 - second, second], dim=-1)


def _finite(products: torch.Tensor) -> torch.Tensor:
    if torch.isfinite(products).all():
        return products
    raise InvalidInputError(
        "Features must be small enough for products of them to be finite, in float64. "
        'Scale the inputs of the net, or take source="dropout".'
    )


def _check_head(labeled: Outputs, head: Head) -> None:
    logits = labeled.features.double() @ head.weight.double().T
    if head.bias is not None:
        logits = logits + head.bias.double()
    expected, found = head_proba(logits), labeled.proba.double()
    if expected.shape == found.shape:
        gap = float((expected - found).abs().max())
        if gap <= _TOLERANCE:
            return
        what = f"They differ by up to {gap:.2g} on the labelled rows"
    else:
        what = f"Got {found.shape[1]} classes of a head with {len(head.weight)} outputs"
    raise InvalidInputError(
        'source="laplace" needs a net whose probabilities are the softmax of the head. '
        f'{what}: take source="dropout", or a net without anything after its last '
        "layer."
    )
