"""What the columns of rows must be, wherever the rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skbadge.exceptions import InvalidInputError
from skbadge.utils._kinds import is_table
from skbadge.utils._rows import check_structure, column_names, several_inputs

__all__ = ["Columns"]


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
    """

    owner: str
    width: int | None
    names: list[str] | None
    ids_differ: bool = False
    no_rows: Any = None

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
