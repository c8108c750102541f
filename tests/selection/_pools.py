"""Pools that any selection must survive, as strategies of hypothesis."""

import numpy as np
import torch
from hypothesis import strategies as st

from skbadge.embeddings import DenseEmbedding, GradientEmbedding

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@st.composite
def hostile_tables(draw, n=None, width=None, dtypes=DTYPES):
    """Draw a finite table, (n, width): any size of numbers, copies, rows of zeros."""
    n = draw(st.integers(1, 40)) if n is None else n
    width = draw(st.integers(1, 5)) if width is None else width
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    limits = torch.finfo(dtype)
    # From numbers that underflow to 0 up to the largest there is.
    low, high = np.log10(limits.tiny) - 20, np.log10(limits.max) - 1e-6
    power = draw(st.sampled_from([0, low / 8, low / 2, low, high / 8, high / 2, high]))
    spread = draw(st.sampled_from([0, 1, high]))
    power = np.clip(power + rng.normal(size=(n, 1)) * spread, -330, high)
    table = rng.uniform(-1, 1, size=(n, width)) * 10.0**power
    if draw(st.booleans()):
        table = table[rng.integers(n, size=n)] * rng.integers(2, size=(n, 1))
    return torch.from_numpy(table).clamp(limits.min, limits.max).to(dtype)


@st.composite
def hostile_embeddings(draw):
    features = draw(hostile_tables())
    if draw(st.booleans()):
        return DenseEmbedding(features)
    residual = draw(hostile_tables(n=len(features)))
    return GradientEmbedding(residual, features, bias=draw(st.booleans()))
