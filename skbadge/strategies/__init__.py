"""Query strategies, and what is needed to write one."""

from skbadge._contracts import Feedback, Head, Needs, Outputs, Selection, Traits
from skbadge.strategies._albl import ALBL
from skbadge.strategies._alpha_mix import AlphaMix
from skbadge.strategies._badge import BADGE
from skbadge.strategies._bait import BAIT
from skbadge.strategies._bald import BALD
from skbadge.strategies._base import QueryStrategy
from skbadge.strategies._batch_bald import BatchBALD
from skbadge.strategies._class_quota import ClassQuota
from skbadge.strategies._clue import CLUE
from skbadge.strategies._cluster_margin import ClusterMargin
from skbadge.strategies._contrastive import ContrastiveAL
from skbadge.strategies._core_set import CoreSet
from skbadge.strategies._direct import DIRECT
from skbadge.strategies._drop_query import DropQuery
from skbadge.strategies._entropy import EntropySampling
from skbadge.strategies._falcun import FALCUN
from skbadge.strategies._kmeans_sampling import KMeansSampling
from skbadge.strategies._least_confidence import LeastConfidence
from skbadge.strategies._margin import MarginSampling
from skbadge.strategies._prob_cover import ProbCover
from skbadge.strategies._random import RandomSampling
from skbadge.strategies._refine import Refine
from skbadge.strategies._scores import ScoreSampling
from skbadge.strategies._stochastic_top_k import StochasticTopK
from skbadge.strategies._typiclust import TypiClust
from skbadge.strategies._uherding import MaxHerding, UHerding

__all__ = [
    "ALBL",
    "BADGE",
    "BAIT",
    "BALD",
    "CLUE",
    "DIRECT",
    "FALCUN",
    "AlphaMix",
    "BatchBALD",
    "ClassQuota",
    "ClusterMargin",
    "ContrastiveAL",
    "CoreSet",
    "DropQuery",
    "EntropySampling",
    "Feedback",
    "Head",
    "KMeansSampling",
    "LeastConfidence",
    "MarginSampling",
    "MaxHerding",
    "Needs",
    "Outputs",
    "ProbCover",
    "QueryStrategy",
    "RandomSampling",
    "Refine",
    "ScoreSampling",
    "Selection",
    "StochasticTopK",
    "Traits",
    "TypiClust",
    "UHerding",
]
