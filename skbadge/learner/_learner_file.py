"""The file of a saved learner: tensors, and a header with all else.

It is one safetensors file. The tensors are rows, labels and parameters; the entry
``skbadge`` of its metadata is a JSON text, and ``sha256`` a digest of that text and of
all tensors. So it can be read without this library, and nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from skbadge._version import __version__
from skbadge.exceptions import LearnerFileError
from skbadge.utils._files import write_atomically

__all__ = ["digest_of", "read_learner_file", "write_learner_file"]

# What cannot be read as now gets another number.
FORMAT = 1
_HEADER, _DIGEST = "skbadge", "sha256"


def write_learner_file(
    path: str | Path, header: dict, tensors: dict[str, torch.Tensor]
) -> None:
    """Write a file in one step.

    Raises
    ------
    LearnerFileError
        If it cannot be written; what was there before is still there.
    """
    header = {"format": FORMAT, "written_by": __version__, **header}
    text = json.dumps(header, allow_nan=False)
    metadata = {_HEADER: text, _DIGEST: digest_of(text, tensors)}
    try:
        write_atomically(path, lambda partial: save_file(tensors, partial, metadata))
    except (SafetensorError, OSError) as error:
        raise LearnerFileError(
            f"The learner could not be written to {str(path)!r}: {error}. What was "
            "there before is still there."
        ) from error


def read_learner_file(path: str | Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """Return header and tensors of a file.

    Raises
    ------
    LearnerFileError
        If it is none of ours, not whole, or not as it was written.
    """
    if Path(path).exists() and not Path(path).is_file():
        # A named pipe would be waited for, for ever.
        raise LearnerFileError(f"{str(path)!r} is no file, but a folder or a pipe.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copies: what is written over the file must not reach the learner.
            names = list(file.keys())
            tensors = {name: file.get_tensor(name).clone() for name in names}
    except SafetensorError as error:
        raise LearnerFileError(
            f"The file {str(path)!r} is no saved learner, or is not whole: {error}."
        ) from error
    text = metadata.get(_HEADER)
    if text is None:
        raise LearnerFileError(
            f"The file {str(path)!r} holds tensors, but no learner: learner.save(path) "
            "did not write it."
        )
    try:
        header = json.loads(text)
        version, author = header["format"], header["written_by"]
    except (ValueError, KeyError, TypeError) as error:
        raise LearnerFileError(
            f"The header of {str(path)!r} cannot be read: {error}."
        ) from error
    if version != FORMAT:
        raise LearnerFileError(
            f"The file {str(path)!r} has format {version}, written by skbadge "
            f"{author}; skbadge {__version__} reads format {FORMAT}. Read it with that "
            "version."
        )
    if metadata.get(_DIGEST) != digest_of(text, tensors):
        raise LearnerFileError(
            f"The file {str(path)!r} is not as learner.save(path) has written it: what "
            "it holds does not have the digest that was noted. It was damaged, or "
            "changed by hand: take a copy of it that was not."
        )
    return header, tensors


def digest_of(text: str, tensors: dict[str, torch.Tensor]) -> str:
    """Return the digest of all that a learner is read from.

    A label that became another one leaves a file that is whole; only this tells.

    Parameters
    ----------
    text : str
        Of the header.
    tensors : dict of str to Tensor
        By any order of names.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    found = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
