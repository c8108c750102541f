"""What is known of each data set, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from skbadge.exceptions import InvalidInputError

__all__ = ["DATASETS", "DatasetInfo", "get_dataset_info"]


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """Facts about one data set: its size, its split, how the paper prepares it.

    Attributes
    ----------
    name : str
        What `load_dataset` calls it.
    title : str
        What it is, in a few words.
    openml_id : int or None
        Its number on OpenML; None where it has none.
    n_rows : int
        Rows in all.
    shape : tuple of int
        Shape of one row; (channels, height, width) for an image.
    n_classes : int
        Classes of the task, whether or not a sample holds all of them.
    kind : {"image", "tabular"}
        Decides the hidden width and the learning rate of the paper.
    split : {"standard", "random"}
        "standard": the last ``n_test`` rows are the test part, the others the pool.
        "random": ``n_test`` random rows are, and the pool is a random subset of the
        others.
    n_test : int
        Rows in the test part.
    scale : float
        What the values are divided by before anything else.
    mean, sd : tuple of float
        Subtracted from, and divided out of, each channel after that. Empty where raw
        values are used.
    pixel_order : {"planar", "unknown"}
        Order of the values of a color picture in its published rows: channel after
        channel, as the makers document, or not documented. Data that contradict it
        are refused.
    test_counts : tuple of int
        Rows of each class in a standard test part; empty where there is none.
    batch_size : int
        Mini-batch of the authors' public code.
    offline : bool
        Whether it can be had without a network on any machine.
    license : str
        Terms of use, as its publishers state them.
    source : str
        Where it comes from.
    file : str
        Name of the file in ``data_dir`` that holds it, where that is the only way to
        have it; empty otherwise.
    """

    name: str
    title: str
    openml_id: int | None
    n_rows: int
    shape: tuple[int, ...]
    n_classes: int
    kind: Literal["image", "tabular"]
    split: Literal["standard", "random"]
    n_test: int
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    pixel_order: Literal["planar", "unknown"] = "planar"
    test_counts: tuple[int, ...] = ()
    batch_size: int
    offline: bool
    license: str
    source: str
    file: str = ""

    @property
    def n_features(self) -> int:
        """Numbers in one row after flattening."""
        return math.prod(self.shape)

    def describe(self) -> str:
        """Return the facts as a short text, used as ``DESCR``."""
        number = "none" if self.openml_id is None else self.openml_id
        return (
            f"{self.name}: {self.title}\n\n"
            f"Rows: {self.n_rows:,}\n"
            f"Values in a row: {self.n_features:,} "
            f"(shape {' x '.join(map(str, self.shape))})\n"
            f"Classes: {self.n_classes}\n"
            f"OpenML number: {number}\n"
            f"License: {self.license}\n"
            f"Source: {self.source}\n"
        )


_UCI = "CC BY 4.0 (UCI Machine Learning Repository)"
_TABLE: dict[str, Any] = {"kind": "tabular", "split": "random", "batch_size": 128}
_PICTURES: dict[str, Any] = {"kind": "image", "split": "standard", "scale": 255.0}

_INFOS = (
    DatasetInfo(
        name="digits",
        title="handwritten digits of 8 x 8 pixels",
        openml_id=None,
        n_rows=1_797,
        shape=(1, 8, 8),
        n_classes=10,
        kind="image",
        split="random",
        n_test=359,
        scale=16.0,
        mean=(0.3053,),
        sd=(0.3760,),
        batch_size=64,
        offline=True,
        license=_UCI,
        source="scikit-learn; test part of Alpaydin and Kaynak's optical digits, 1998",
    ),
    DatasetInfo(
        name="letter",
        title="capital letters in 20 fonts, 16 measurements of each picture",
        openml_id=6,
        n_rows=20_000,
        shape=(16,),
        n_classes=26,
        n_test=2_000,
        offline=False,
        license=_UCI,
        source="OpenML 6; Frey and Slate, 1991",
        **_TABLE,
    ),
    DatasetInfo(
        name="pokerhand",
        title="five playing cards and the poker hand that they are",
        openml_id=155,
        n_rows=829_201,
        shape=(10,),
        n_classes=10,
        n_test=82_920,
        offline=False,
        license=_UCI,
        source="OpenML 155; Cattral and Oppacher, 2002, normalized",
        **_TABLE,
    ),
    DatasetInfo(
        name="poker_hands",
        title="stand-in for pokerhand: a random subset of all five-card hands",
        openml_id=None,
        n_rows=829_201,
        shape=(10,),
        n_classes=10,
        n_test=82_920,
        offline=True,
        license="none needed: generated by skbadge",
        source="make_poker_hands(random_state=1); not the rows of OpenML 155",
        **_TABLE,
    ),
    DatasetInfo(
        name="random_rbf",
        title="points around 50 random centers (RandomRBF_0_0)",
        openml_id=156,
        n_rows=1_000_000,
        shape=(10,),
        n_classes=5,
        n_test=100_000,
        offline=True,
        license="none needed: generated by skbadge",
        source="skbadge.datasets.make_random_rbf; class counts and first labels of "
        "OpenML 156, with whose values it was not compared",
        **_TABLE,
    ),
    DatasetInfo(
        name="kropt",
        title="king and rook against king: moves until mate, black to move",
        openml_id=184,
        n_rows=28_056,
        shape=(6,),
        n_classes=18,
        n_test=2_806,
        offline=True,
        license=f"none needed: generated by skbadge; original {_UCI}",
        source="skbadge.datasets.make_krk_endgame; Bain, 1994, is OpenML 184",
        **_TABLE,
    ),
    DatasetInfo(
        name="mnist",
        title="handwritten digits of 28 x 28 pixels",
        openml_id=554,
        n_rows=70_000,
        shape=(1, 28, 28),
        n_classes=10,
        n_test=10_000,
        mean=(0.1307,),
        sd=(0.3081,),
        test_counts=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        batch_size=64,
        offline=False,
        license="CC BY-SA 3.0",
        source="OpenML 554; LeCun, Cortes and Burges",
        **_PICTURES,
    ),
    DatasetInfo(
        name="fashion_mnist",
        title="articles of clothing of 28 x 28 pixels",
        openml_id=40996,
        n_rows=70_000,
        shape=(1, 28, 28),
        n_classes=10,
        n_test=10_000,
        mean=(0.2860,),
        sd=(0.3530,),
        test_counts=(1000,) * 10,
        batch_size=64,
        offline=False,
        license="MIT",
        source="Debian's dataset-fashion-mnist or OpenML 40996; Xiao et al., 2017",
        **_PICTURES,
    ),
    DatasetInfo(
        name="fashion_mnist_features",
        title="articles of clothing, as features of a frozen encoder",
        openml_id=None,
        n_rows=70_000,
        shape=(128,),
        n_classes=10,
        kind="tabular",
        split="standard",
        n_test=10_000,
        test_counts=(1000,) * 10,
        batch_size=64,
        offline=False,
        license="MIT; features by EfficientNet-Lite0, Apache-2.0",
        source="benchmarks/encode_fashion_mnist.py: the 128 leading principal "
        "components of 1,280 features",
        file="fashion_mnist_features.npz",
    ),
    DatasetInfo(
        name="svhn",
        title="house numbers in street pictures, 32 x 32 pixels in color",
        openml_id=41081,
        n_rows=99_289,
        shape=(3, 32, 32),
        n_classes=10,
        n_test=26_032,
        mean=(0.4377, 0.4438, 0.4728),
        sd=(0.1980, 0.2010, 0.1970),
        test_counts=(1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595),
        pixel_order="unknown",
        batch_size=64,
        offline=False,
        license="non-commercial use only",
        source="OpenML 41081; Netzer et al., 2011",
        **_PICTURES,
    ),
    DatasetInfo(
        name="cifar10",
        title="animals and vehicles, 32 x 32 pixels in color",
        openml_id=40927,
        n_rows=60_000,
        shape=(3, 32, 32),
        n_classes=10,
        n_test=10_000,
        mean=(0.4914, 0.4822, 0.4465),
        sd=(0.2470, 0.2435, 0.2616),
        test_counts=(1000,) * 10,
        batch_size=128,
        offline=False,
        license="not stated by its authors",
        source="OpenML 40927; Krizhevsky, 2009",
        **_PICTURES,
    ),
)

#: Every data set of `load_dataset` by name, read-only.
DATASETS = MappingProxyType({info.name: info for info in _INFOS})


def get_dataset_info(name: str) -> DatasetInfo:
    """Return the facts about a data set.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.

    Returns
    -------
    DatasetInfo

    Raises
    ------
    InvalidInputError
        For a name that is not in the registry.

    Examples
    --------
    >>> from skbadge.datasets import get_dataset_info
    >>> get_dataset_info("letter").n_classes
    26
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise InvalidInputError(
            f"name must be one of {', '.join(map(repr, DATASETS))}. Got {name!r} "
            "instead."
        )
    return DATASETS[name]


def offline_names() -> str:
    """Return the names of the sets that need no network, as one string."""
    return ", ".join(repr(info.name) for info in _INFOS if info.offline)
