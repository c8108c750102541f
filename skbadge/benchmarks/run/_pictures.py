"""Pictures in a file of one's own: which axis has the channels, and what scale."""

from __future__ import annotations

import numpy as np

from skbadge.exceptions import InvalidInputError

__all__ = ["as_pictures"]

# Channels of a picture: gray, colors, one or two more.
_FEW = 5
# Beyond this a net's inputs are on no scale that it is made for.
_NEAR_ONE = 20


def as_pictures(path, dtype, *parts):
    """Return pictures with channels first, and bytes as numbers in [0, 1].

    Rows with more than one axis are taken for pictures: with two, gray ones (or series,
    which are scaled alike), with three, those with channels. Others stay as they are.

    Parameters
    ----------
    path : str
        The file, for messages.
    dtype : dtype
        What the file had before it became float32.
    *parts : ndarray of shape (n_rows, ...), float32
        Pool and test rows, with rows of one shape.

    Returns
    -------
    tuple of ndarray
        As many.

    Raises
    ------
    InvalidInputError
        If the axis of the channels cannot be told, or the numbers are on no known
        scale.
    """
    if parts[0].ndim == 4 and _channels_are_last(path, parts[0].shape[1:]):
        parts = [np.ascontiguousarray(part.transpose(0, 3, 1, 2)) for part in parts]
    if parts[0].ndim > 2 and _are_bytes(path, dtype, parts):
        parts = [part / np.float32(255) for part in parts]
    return tuple(parts)


def _are_bytes(path, dtype, parts):
    """Say whether pictures are to be divided by 255, or refuse them.

    Whole numbers from 0 to 255 are bytes, whatever their type, unless all are so small
    that they are no less on a net's scale than after a division.
    """
    low = min(part.min() for part in parts)
    top = max(part.max() for part in parts)
    whole = all((part == np.round(part)).all() for part in parts)
    if whole and low >= 0 and (_NEAR_ONE if dtype != np.uint8 else 1) < top <= 255:
        return True
    # Standardized by pixel, a rare one can be far out, but most are near 0.
    spread = max(np.sqrt(np.mean(np.square(part, dtype=np.float64))) for part in parts)
    if max(top, -low) > _NEAR_ONE and (low >= 0 or spread > _NEAR_ONE / 2):
        raise InvalidInputError(
            f"X in {path} must have pictures as bytes, whole numbers from 0 to 255, as "
            f"numbers near [0, 1], or standardized. Got numbers from {low:g} to "
            f"{top:g}: divide X, and X_test too, by the largest number there can be."
        )
    return False


def _channels_are_last(path, shape):
    """Say which axis holds the channels, by what speaks for the first and the last.

    For an axis speaks that it is short, and that the other two form a square.
    """
    a, b, c = shape
    first = (a <= _FEW or 2 * a < min(b, c)) + (b == c)
    last = (c <= _FEW or 2 * c < min(a, b)) + (a == b)
    if first == last:
        raise InvalidInputError(
            f"X in {path} must have pictures of shape (n_channels, height, width). Got "
            f"{shape}, which may be that or have the channels last: crop or pad them, "
            "so that only one axis can be that of the channels."
        )
    return last > first
