"""Data sets of the paper: loaded, made or fetched, with one registry of facts."""

from skbadge.datasets._fashion import load_fashion_mnist
from skbadge.datasets._home import get_data_home
from skbadge.datasets._krk import make_krk_endgame
from skbadge.datasets._load import datasets_table, load_dataset, load_digits
from skbadge.datasets._openml import fetch_openml_task
from skbadge.datasets._poker import make_poker_hands
from skbadge.datasets._rbf import make_random_rbf
from skbadge.datasets._registry import DATASETS, DatasetInfo, get_dataset_info

__all__ = [
    "DATASETS",
    "DatasetInfo",
    "datasets_table",
    "fetch_openml_task",
    "get_data_home",
    "get_dataset_info",
    "load_dataset",
    "load_digits",
    "load_fashion_mnist",
    "make_krk_endgame",
    "make_poker_hands",
    "make_random_rbf",
]
