"""The chess endgame of king and rook against king, solved backward from mate."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from skbadge.datasets._registry import DATASETS

__all__ = ["make_krk_endgame"]

_OUTCOMES = (
    "draw zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen"
).split()
_FEATURE_NAMES = [
    f"{piece}_{part}"
    for piece in ("white_king", "white_rook", "black_king")
    for part in ("col", "row")
]
# Squares are numbered 8 * row + column, from 0 (a1) to 63 (h8).
_ROW, _COL = np.divmod(np.arange(64), 8)
# Every position with the white king elsewhere mirrors one with it on these squares:
# a1 b1 c1 d1 b2 c2 d2 c3 d3 d4.
_TRIANGLE = (_ROW <= _COL) & (_COL <= 3)


@overload
def make_krk_endgame(*, return_X_y: Literal[False] = False) -> Bunch: ...
@overload
def make_krk_endgame(*, return_X_y: Literal[True]) -> tuple[np.ndarray, np.ndarray]: ...
def make_krk_endgame(
    *, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make the king-and-rook-against-king data set (OpenML 184, kropt) from its rules.

    Each row is a position with black to move, up to symmetry; its class says how many
    moves white needs to mate under best play, or that the game is drawn. Nothing is
    downloaded: all positions are solved by working backward from the mates, in a
    fraction of a second. Known of the original and reproduced here are its number of
    rows and its class counts; the rows were not compared with a copy of it.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        With the entries

        data : ndarray of shape (28056, 6), uint8
            Column (file a to h) and row (rank) of white king, white rook and black
            king, each 1 to 8.
        target : ndarray of shape (28056,), int64
            0 for a draw, 1 + n for a mate in n moves, 18 classes.
        target_names : list of str
            ``"draw"``, ``"zero"``, ..., ``"sixteen"``.
        feature_names : list of str
            One name a column.
        DESCR : str
            What the data are.

    (data, target) : tuple
        If ``return_X_y`` is True.

    Notes
    -----
    Rows are ordered by class, then by the six features. Class counts, from draw to
    sixteen: 2796, 27, 78, 246, 81, 198, 471, 592, 683, 1433, 1712, 1985, 2854, 3597,
    4194, 4553, 2166, 390. The original was computed the same way by Michael Bain (UCI
    Machine Learning Repository, "Chess (King-Rook vs. King)", CC BY 4.0). There columns
    are letters, which `fetch_openml_task` codes from 0; here they are numbers from 1.

    References
    ----------
    M. Bain. *Learning Logical Exceptions in Chess.* PhD thesis, University of
    Strathclyde, 1994.

    Examples
    --------
    >>> from skbadge.datasets import make_krk_endgame
    >>> endgame = make_krk_endgame()
    >>> endgame.data.shape, endgame.target_names[endgame.target[-1]]
    ((28056, 6), 'sixteen')
    """
    depth, legal = _solve()
    white_king, white_rook, black_king = np.nonzero(legal & _canonical())
    # A depth of -1 is a draw, so that classes are depths plus one.
    target = depth[white_king, white_rook, black_king].astype(np.int64) + 1
    data = np.stack(
        [
            part[square] + 1
            for square in (white_king, white_rook, black_king)
            for part in (_COL, _ROW)
        ],
        axis=1,
    ).astype(np.uint8)
    order = np.lexsort((*data.T[::-1], target))
    data, target = data[order], target[order]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=list(_OUTCOMES),
        feature_names=list(_FEATURE_NAMES),
        DESCR=DATASETS["kropt"].describe(),
    )


def _geometry() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which squares touch, share a line, or lie between two others."""
    rows = _ROW[:, None], _ROW[None, :]
    cols = _COL[:, None], _COL[None, :]
    near = np.maximum(abs(rows[0] - rows[1]), abs(cols[0] - cols[1])) <= 1
    aligned = (rows[0] == rows[1]) ^ (cols[0] == cols[1])
    between = np.zeros((64, 64, 64), dtype=bool)
    for same, moving in ((_ROW, _COL), (_COL, _ROW)):
        one, two, middle = moving[:, None, None], moving[None, :, None], moving
        inside = (np.minimum(one, two) < middle) & (middle < np.maximum(one, two))
        on_line = (same[:, None, None] == same[None, :, None]) & (
            same[:, None, None] == same
        )
        between |= inside & on_line
    return near, aligned, between


def _solve() -> tuple[np.ndarray, np.ndarray]:
    """Return moves to mate, -1 for draws, and which positions are legal.

    Both have the shape (64, 64, 64): squares of white king, white rook, black king.
    """
    near, aligned, between = _geometry()
    step = near & ~np.eye(64, dtype=bool)
    # hit[k, r, t]: a rook on r attacks t with a white king on k in no one's way. The
    # black king is no blocker: it cannot hide behind itself.
    hit = aligned[None] & ~between.transpose(2, 0, 1)
    white_king, white_rook, black_king = np.ogrid[:64, :64, :64]
    legal = (white_king != white_rook) & (white_rook != black_king) & ~near[:, None, :]
    check = legal & hit
    white_to_move = legal & ~check
    # Squares to which a black king may go; the rook's own square is a capture.
    free = ~near[:, None, :] & ~hit
    # Counts of at most 8, exact in float32, whose matrix products are fast.
    steps = step.astype(np.float32)
    n_moves = free.astype(np.float32) @ steps
    depth = np.full((64, 64, 64), -1, dtype=np.int8)
    latest = check & (n_moves == 0)
    depth[latest] = 0
    open_positions = legal & (n_moves > 0)
    won = np.zeros((64, 64, 64), dtype=bool)
    moves = 0
    while latest.any():
        moves += 1
        won |= _before_white_move(latest, steps, hit, between) & white_to_move
        n_lost = (free & won).astype(np.float32) @ steps
        latest = open_positions & (depth < 0) & (n_lost == n_moves)
        depth[latest] = moves
    return depth, legal


def _before_white_move(
    positions: np.ndarray, steps: np.ndarray, hit: np.ndarray, between: np.ndarray
) -> np.ndarray:
    """Return the positions from which one white move leads to ``positions``."""
    by_king = (steps @ positions.reshape(64, -1).astype(np.float32)) > 0
    before = by_king.reshape(64, 64, 64)
    king, rook, black = np.nonzero(positions)
    # A rook comes from where it could go: neither king may stand on the way.
    sources = hit[king, rook] & ~between[rook, :, black]
    which, source = np.nonzero(sources)
    before[king[which], source, black[which]] = True
    return before


def _canonical() -> np.ndarray:
    """Return one position of each set that mirrors onto itself or one another."""
    below = _ROW <= _COL
    on_diagonal = _ROW == _COL
    king, rook, black = np.ix_(range(64), range(64), range(64))
    keep_black = ~on_diagonal[king] | below[black]
    keep_rook = ~(on_diagonal[king] & on_diagonal[black]) | below[rook]
    return _TRIANGLE[king] & keep_black & keep_rook
