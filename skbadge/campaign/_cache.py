"""Trained parameters on disk, so that opening a campaign need not train."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from skbadge.utils._files import write_atomically

__all__ = ["Cache"]


class Cache:
    """Parameters of the last training, by the digest of what it was trained on.

    Nothing hangs on it: it may be deleted at any time, and a damaged file costs one
    training.

    Parameters
    ----------
    folder : str or Path
        Made when something is stored.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def load(self, digest: str) -> dict[str, torch.Tensor] | None:
        """Return tensors by name, or None where they are not there."""
        path = self._path(digest)
        if not path.exists():
            return None
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            warnings.warn(
                f"The cached parameters in {str(path)!r} cannot be read, so the model "
                f"is trained again: {error}",
                UserWarning,
                stacklevel=2,
            )
            return None

    def store(self, digest: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write tensors in one step, and drop those of trainings before.

        A disk that is full costs a training later, and no label: a warning says so.
        """
        path = self._path(digest)
        # Copies in one piece: views, and parts that share memory, are refused.
        own = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, value in tensors.items()
        }
        try:
            self.folder.mkdir(exist_ok=True)
            write_atomically(path, lambda partial: save_file(own, partial))
            for other in self.folder.glob("*.safetensors"):
                if other != path:
                    other.unlink(missing_ok=True)
        except (SafetensorError, OSError) as error:
            warnings.warn(
                f"The model could not be kept in {str(self.folder)!r}, so it will be "
                f"trained again when the campaign is opened: {error}",
                UserWarning,
                stacklevel=2,
            )

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.safetensors"
