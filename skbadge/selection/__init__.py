"""Pure selection algorithms on embeddings, features and scores.

Each public function validates and answers positions; the private kernel beside it does
the work and is what the strategies call.
"""

from skbadge.selection._bait import bait_greedy
from skbadge.selection._facility_location import facility_location_greedy
from skbadge.selection._k_center import k_center_greedy
from skbadge.selection._k_dpp import k_dpp_sample
from skbadge.selection._kmeans import Clusters, weighted_kmeans
from skbadge.selection._kmeans_plusplus import kmeans_plusplus
from skbadge.selection._log_det import log_det_greedy
from skbadge.selection._top_k import top_k

__all__ = [
    "Clusters",
    "bait_greedy",
    "facility_location_greedy",
    "k_center_greedy",
    "k_dpp_sample",
    "kmeans_plusplus",
    "log_det_greedy",
    "top_k",
    "weighted_kmeans",
]
