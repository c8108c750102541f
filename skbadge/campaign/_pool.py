"""The rows of a campaign: named by ids of the user's, read from what people have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch.utils.data import Dataset

from skbadge.campaign._texts import encoding_of, read_text
from skbadge.exceptions import InvalidInputError
from skbadge.utils._identity import row_marks
from skbadge.utils._rows import RowList, as_rows, is_dataset, n_rows, take
from skbadge.utils._torch import preserved_generators
from skbadge.utils._tree import leaves

__all__ = ["ImageFiles", "Pool", "as_pool", "id_key", "written_ids"]

# Number of rows whose contents are remembered; of those that a user's code reads, each
# twice, fewer.
_SAMPLE = 200
_SAMPLE_READ = 20
_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


class ImageFiles(Dataset):
    """Pictures in files, read when they are needed.

    Parameters
    ----------
    folder : str or Path
        Where they are.
    names : sequence of str
        Their names inside it.
    size : tuple of two ints, default=(64, 64)
        Height and width to which each is brought.
    gray : bool, default=False
        One channel instead of three.

    Notes
    -----
    Row ``i`` is a float32 tensor of shape (channels, height, width) with values in
    [0, 1], beside a label 0 that nothing reads. One that cannot be read is an
    `InvalidInputError` with its name.
    """

    def __init__(
        self,
        folder: str | Path,
        names: Iterable[str],
        *,
        size: Sequence[int] = (64, 64),
        gray: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.names = list(names)
        self.size = tuple(size)
        self.gray = gray

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        height, width = self.size
        path = self.folder / self.names[i]
        try:
            with Image.open(path) as image:
                found = image.convert("L" if self.gray else "RGB")
        except (
            OSError,
            SyntaxError,
            ValueError,
            Image.DecompressionBombError,
        ) as error:
            raise InvalidInputError(
                f"The pool must hold pictures that can be read. Got {self.names[i]!r} "
                f"with: {error}. Mend it, or take it out of the folder; one that has "
                "no label yet can be skipped instead."
            ) from error
        pixels = found.resize((width, height))
        array = np.asarray(pixels, dtype=np.float32) / 255
        return torch.from_numpy(array.reshape(height, width, -1)).permute(2, 0, 1), 0


class Pool:
    """Rows with ids.

    Parameters
    ----------
    ids : sequence of str or int
        One a row.
    X : rows of any kind
        What the learner gets.
    shown : DataFrame or None
        What a person sees of each row, in the same order.

    Raises
    ------
    InvalidInputError
        If the ids are not distinct, not one a row, or neither text nor int.
    """

    def __init__(
        self, ids: Iterable[Any], X: Any, shown: pd.DataFrame | None = None
    ) -> None:
        self.ids = [id.item() if isinstance(id, np.generic) else id for id in ids]
        self.keys = [id_key(id) for id in self.ids]
        self.X = as_rows(X)
        self.shown = shown
        self.at = {key: i for i, key in enumerate(self.keys)}
        self._sampled: dict[str, str] | None = None
        if len(self.keys) != n_rows(self.X):
            raise InvalidInputError(
                f"ids must name each of the {n_rows(self.X)} rows of the pool. Got "
                f"{len(self.keys)} instead."
            )
        if len(self.at) != len(self.keys):
            keys = pd.Series(self.keys)
            twice = keys[keys.duplicated()].unique().tolist()
            raise InvalidInputError(
                f"ids must be distinct. Got {written_ids(twice)} more than once: take "
                "another column, or drop rows that are there twice."
            )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def images(self) -> Path | None:
        """The folder of image files, or None where rows are no such files."""
        return self.X.folder if isinstance(self.X, ImageFiles) else None

    def aligned(self, order: list[str]) -> Pool:
        """Return the pool with its rows in the order of ``order``, ids of all of it."""
        if order == self.keys:
            return self
        rows = [self.at[key] for key in order]
        if isinstance(self.X, ImageFiles):
            X = ImageFiles(self.X.folder, order, size=self.X.size, gray=self.X.gray)
        else:
            X = take(self.X, rows)
        shown = None if self.shown is None else self.shown.iloc[rows]
        return Pool([self.ids[i] for i in rows], X, shown)

    def table(self, keys: Iterable[str]) -> pd.DataFrame:
        """Return what a person sees of some rows: DataFrame with ``id`` first."""
        rows = [self.at[key] for key in keys]
        frame = pd.DataFrame({"id": [self.ids[i] for i in rows]})
        if self.shown is not None:
            part = self.shown.iloc[rows].reset_index(drop=True)
            part.columns = [f"{c}_" if c in _OWN else c for c in part.columns]
            frame = pd.concat([frame, part], axis=1)
        return frame

    def sample(self) -> dict[str, str]:
        """Return digests of some rows by id, the same ids while they are there.

        None at all of a user's data set that draws anew each time a row is read.
        """
        if self._sampled is None:
            first = sorted(self.keys, key=lambda key: _sha(key.encode()))
            if self._is_users:
                self._sampled = self._read_twice(first[:_SAMPLE_READ])
            else:
                self._sampled = {k: self._content(self.at[k]) for k in first[:_SAMPLE]}
        return self._sampled

    @property
    def _is_users(self) -> bool:
        """Whether rows are read by code of the user's."""
        return is_dataset(self.X) and not isinstance(self.X, ImageFiles)

    def _read_twice(self, keys: Sequence[str]) -> dict[str, str]:
        """Return digests of a data set's rows; none where two readings differ."""
        with preserved_generators() as again, again:
            once, twice = ({k: self._item(self.at[k]) for k in keys} for _ in range(2))
        return {k: seen for k, seen in once.items() if seen} if once == twice else {}

    def digest(self, keys: Iterable[str]) -> str:
        """Return what tells the contents of some rows from others, whole.

        Of a user's data set, whose rows may be slow to read or drawn anew each time, it
        is that of a sample.
        """
        rows = [self.at[key] for key in keys]
        found = hashlib.sha256()
        if isinstance(self.X, ImageFiles):
            for i in rows:
                found.update((self.X.folder / self.X.names[i]).read_bytes())
        elif self._is_users:
            found.update(json.dumps(self.sample()).encode())
        else:
            for leaf in leaves(take(self.X, rows)):
                found.update(_raw(leaf))
        return found.hexdigest()

    def _content(self, i: int) -> str:
        if isinstance(self.X, ImageFiles):
            return _sha((self.X.folder / self.X.names[i]).read_bytes())[:16]
        values = [_plain(leaf) for leaf in leaves(take(self.X, [i]))]
        return _sha(json.dumps(values).encode())[:16]

    def _item(self, i: int) -> str | None:
        """Return what tells an item of a data set, without its label, or None."""
        try:
            item = self.X[i]
        except Exception:  # noqa: BLE001
            # A row that was skipped for it: whoever needs the row meets the error.
            return None
        is_pair = isinstance(item, (tuple, list)) and len(item) == 2
        return row_marks(RowList([item[0] if is_pair else item]))[0]


# Names of columns that a batch has of its own.
_OWN = {"id", "rank", "score", "suggestion", "suggestion_probability"}


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _raw(rows: Any) -> bytes:
    """Return the values of rows as bytes, for comparison within one machine."""
    if isinstance(rows, (pd.DataFrame, pd.Series)):
        return pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes()
    if isinstance(rows, torch.Tensor):
        rows = rows.detach().cpu().numpy()
    elif sparse.issparse(rows):
        parts = (rows.indptr, rows.indices, rows.data)
        return b"".join(part.tobytes() for part in parts)
    rows = np.asarray(rows)
    return repr(rows.tolist()).encode() if rows.dtype == object else rows.tobytes()


def _plain(rows: Any) -> list[str]:
    """Return a row's values as they stay when a table is read again."""
    if isinstance(rows, torch.Tensor):
        rows = rows.detach().cpu().numpy()
    elif sparse.issparse(rows):
        rows = rows.toarray()
    flat = np.asarray(rows, dtype=object).ravel().tolist()
    # Integers become floats where a row with a gap joins their column.
    return [repr(float(v)) if isinstance(v, Real) else str(v) for v in flat]


def id_key(id: Any) -> str:
    """Return an id as the journal keeps it.

    Raises
    ------
    InvalidInputError
        If it is neither text nor an int.
    """
    if isinstance(id, str) and id:
        try:
            id.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidInputError(
                f"An id must be text that UTF-8 can hold. Got {id!r} instead: rename "
                "the row or file."
            ) from error
        return str(id)
    if isinstance(id, Integral) and not isinstance(id, (bool, np.bool_)):
        return str(int(id))
    raise InvalidInputError(
        f"An id must be text of at least one letter, or an int. Got {id!r} of type "
        f"{type(id).__name__} instead: convert the ids first."
    )


def written_ids(ids: Iterable[Any], most: int = 5) -> str:
    """Return ids for a message, long ones cut."""
    ids = list(ids)
    parts = [repr(id) if len(repr(id)) < 60 else f"{repr(id)[:57]}..." for id in ids]
    more = f" and {len(ids) - most:,} more" if len(ids) > most else ""
    return ", ".join(parts[:most]) + more


def as_pool(
    pool: Any,
    ids: Any = None,
    *,
    inputs: str | list[str] | None = None,
    show: list[str] | None = None,
    image_size: Sequence[int] = (64, 64),
    gray: bool = False,
) -> Pool:
    """Read a pool from what people have.

    Parameters
    ----------
    pool : DataFrame, array, Tensor, sparse matrix, dict, Dataset, str or Path
        Rows, or a file ``.csv``, ``.tsv``, ``.parquet``, ``.npy``, ``.npz``, or a
        folder with images.
    ids : str, sequence or None, default=None
        Name of a column, or one id a row. None takes the index of a DataFrame, the
        array ``ids`` of an ``.npz``, or the names of image files.
    inputs : str, list of str or None, default=None
        Columns that the learner gets: one name gives a Series (text), a list a
        DataFrame, None all but the ids.
    show : list of str or None, default=None
        Columns that a person sees; None for all but the ids.
    image_size : tuple of two ints, default=(64, 64)
        Height and width for a folder of images.
    gray : bool, default=False
        Whether images are read with one channel.

    Returns
    -------
    Pool

    Raises
    ------
    InvalidInputError
        If it cannot be read, or the rows have no ids.
    """
    if isinstance(pool, Pool):
        return pool
    if isinstance(pool, (str, Path)):
        path = Path(pool)
        if path.is_dir():
            _check_no_columns(inputs, show, "a folder of images", ids=ids)
            return _images(path, image_size, gray)
        pool, ids = _file(path, ids)
    if isinstance(pool, pd.DataFrame):
        return _frame(pool, ids, inputs, show)
    _check_no_columns(inputs, show, "rows that are no table")
    if ids is None or isinstance(ids, str):
        raise InvalidInputError(
            "ids must hold one id for each row of a pool that is not a table. Got "
            f"{ids!r} instead: give file names, keys of a database, or range(n_pool) "
            "where the order of the rows will never change."
        )
    return Pool(ids, pool)


def _file(path: Path, ids: Any) -> tuple[Any, Any]:
    if not path.exists():
        raise InvalidInputError(
            f"The pool must be a file or a folder. Got {str(path)!r}, which is not "
            "there: give its new place, on the command line with init, which keeps all "
            "that was told."
        )
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InvalidInputError(
            f"A pool must be a {', '.join(_READERS)} file, or a folder of images. Got "
            f"{str(path)!r} instead."
        )
    try:
        return read(path, ids)
    except InvalidInputError:
        raise
    # Of the many errors of the libraries that read, most are a ValueError.
    except (ValueError, OSError, EOFError, ImportError, BadZipFile) as error:
        raise InvalidInputError(
            f"The pool {str(path)!r} must be a file of the kind its name says. It "
            f"cannot be read as one: {error}"
        ) from error


def _text_table(path: Path, ids: Any) -> tuple[pd.DataFrame, Any]:
    with path.open("rb") as file:
        how: dict[str, Any] = {"encoding": encoding_of(file.read(2))}
    if ids is None:
        raise InvalidInputError(
            f"ids must name the column of {str(path)!r} that tells its rows apart. Got "
            "None instead: the number of a line is no name, since lines move."
        )
    separators = ["\t"] if path.suffix.lower() == ".tsv" else [",", ";", "\t"]
    for separator in [*separators, separators[0]]:
        how["sep"] = separator
        columns = pd.read_csv(path, nrows=0, **how).columns
        if not isinstance(ids, str) or ids in columns:
            break
    frame = pd.read_csv(path, **how)
    if isinstance(ids, str) and ids in frame.columns:
        # Ids as they stand in the file: neither 007 nor NA is a number or a gap.
        written = pd.read_csv(path, usecols=[ids], dtype=str, na_filter=False, **how)
        frame[ids] = written[ids]
    return frame, ids


def _one_array(path: Path, ids: Any) -> tuple[np.ndarray, Any]:
    return np.load(path, mmap_mode="r"), _ids_of_file(ids)


def _arrays(path: Path, ids: Any) -> tuple[np.ndarray, Any]:
    with np.load(path) as arrays:
        if "X" not in arrays or ("ids" not in arrays and ids is None):
            raise InvalidInputError(
                f"{str(path)!r} must hold the arrays X and ids. Got {sorted(arrays)} "
                "instead."
            )
        return arrays["X"], arrays["ids"] if ids is None else _ids_of_file(ids)


_READERS: dict[str, Callable[[Path, Any], tuple[Any, Any]]] = {
    ".csv": _text_table,
    ".tsv": _text_table,
    ".parquet": lambda path, ids: (pd.read_parquet(path), ids),
    ".npy": _one_array,
    ".npz": _arrays,
}


def _ids_of_file(ids: Any) -> Any:
    """Return ids given, or the lines of the text file that holds them."""
    if not isinstance(ids, (str, Path)):
        return ids
    path = Path(ids)
    if not path.is_file():
        raise InvalidInputError(
            "ids must be a text file with one id a line, for a pool of arrays. Got "
            f"{str(ids)!r} instead."
        )
    return read_text(path, "ids").splitlines()


def _frame(
    frame: pd.DataFrame,
    ids: Any,
    inputs: str | list[str] | None,
    show: list[str] | None,
) -> Pool:
    columns = [ids] if isinstance(ids, str) else []
    wanted = [] if inputs is None else [inputs] if isinstance(inputs, str) else inputs
    missing = [c for c in [*columns, *wanted, *(show or [])] if c not in frame.columns]
    if missing:
        raise InvalidInputError(
            f"The pool must have the columns {missing}. Got a table with the columns "
            f"{[str(c) for c in frame.columns]} instead."
        )
    if isinstance(ids, str):
        names = frame[ids].tolist()
    elif ids is None:
        names = frame.index.tolist()
    else:
        names = list(ids)
    rest = frame.drop(columns=columns)
    X = rest if inputs is None else frame[inputs]
    return Pool(names, X, rest if show is None else frame[list(show)])


def _check_no_columns(inputs: Any, show: Any, what: str, ids: Any = None) -> None:
    """Refuse names of columns for a pool that has none."""
    named = {"ids": ids, "inputs": inputs, "show": show}
    given = [name for name, value in named.items() if value is not None]
    if given:
        names = " Its ids are the names of the files." if "ids" in given else ""
        raise InvalidInputError(
            f"{' and '.join(given)} must be left away for {what}, which has no "
            f"columns.{names}"
        )


def _images(folder: Path, size: Sequence[int], gray: bool) -> Pool:
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in _IMAGES and path.is_file()
    )
    if not names:
        raise InvalidInputError(
            f"A folder of images must hold files {sorted(_IMAGES)}. Got "
            f"{str(folder)!r} with none."
        )
    return Pool(names, ImageFiles(folder, names, size=size, gray=gray))
