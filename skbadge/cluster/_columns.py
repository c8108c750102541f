"""How rows are read, and what their columns must be, wherever that happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skbadge.exceptions import InvalidInputError
from skbadge.utils._kinds import is_table
from skbadge.utils._rows import (
    RowList,
    as_rows,
    check_structure,
    column_names,
    several_inputs,
)

__all__ = ["Columns", "in_a_list_as_before", "part_rows"]


@dataclass(frozen=True)
class Columns:
    """What rows had in `fit`, to which those of a pool are compared.

    Parameters
    ----------
    owner : str
        Name of the class that was fitted, for messages.
    width : int or None
        Number of columns of a table; None where it is not known, or may differ.
    names : list of str or None
        Their names; None where they have none.
    ids_differ : bool, default=False
        Whether tables of whole numbers may have another width: sequences of ids.
    no_rows : rows or None, default=None
        None of the rows of what is no table, to compare its make-up: several inputs,
        images.
    lists_hold_rows : bool, default=False
        Whether a list of arrays holds rows, see `as_rows`.
    """

    owner: str
    width: int | None
    names: list[str] | None
    ids_differ: bool = False
    no_rows: Any = None
    lists_hold_rows: bool = False

    def check(self, columns: Any, dtype: Any = None) -> None:
        """Refuse other columns.

        Parameters
        ----------
        columns : tuple of int, list, or None
            Shape of a row of an array, or names; None where they are not known.
        dtype : numpy.dtype or None, default=None
            Of an array; None where it is not known.

        Raises
        ------
        InvalidInputError
            If they differ.
        """
        if isinstance(columns, list) and self.names not in (None, columns):
            raise InvalidInputError(
                f"X must have the columns {self.names}, as in fit. Got {columns} "
                "instead."
            )
        count = None
        if isinstance(columns, list):
            count = len(columns)
        elif isinstance(columns, tuple) and len(columns) == 1:
            are_ids = self.ids_differ and (dtype is None or dtype.kind in "iu")
            count = None if are_ids else columns[0]
        if count is not None and self.width not in (None, count):
            raise InvalidInputError(
                f"X has {count} features, but {self.owner} is expecting {self.width} "
                "features as input."
            )

    def check_part(self, part: Any) -> None:
        """Refuse rows that were read, where they have other columns or inputs.

        Raises
        ------
        InvalidInputError
            If they differ.
        """
        if self.no_rows is not None:
            check_structure(self.no_rows, part, same_shape=False)
        if several_inputs(part) or not is_table(part):
            return
        names = column_names(part)
        dtype = part.dtype if isinstance(part, np.ndarray) else None
        self.check(tuple(part.shape[1:]) if names is None else names, dtype)


def part_rows(part: Any, expected: Columns | None) -> Any:
    """Return what a reader gave as rows, read as those in memory are.

    Parameters
    ----------
    part : rows of any kind
        As the reader gave them.
    expected : Columns or None
        Of whoever was fitted; None where nobody was: then as `skbadge.take` reads.

    Raises
    ------
    InvalidInputError
        If it is of no known kind.
    """
    if expected is None:
        return as_rows(part)
    rows = as_rows(part, lists_hold_rows=expected.lists_hold_rows)
    return in_a_list_as_before(rows, expected.no_rows)


def in_a_list_as_before(X: Any, no_rows: Any) -> Any:
    """Return an array as a list of rows, where the rows of `fit` were one.

    Those were of several lengths, though these happen to be of one.
    """
    as_before = isinstance(no_rows, RowList) and isinstance(X, np.ndarray)
    return RowList(X.tolist()) if as_before else X
