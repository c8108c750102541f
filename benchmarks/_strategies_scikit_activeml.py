"""scikit-activeml's strategies on given net outputs; needs it installed."""

import numpy as np
from skactiveml import pool as peer
from skactiveml.base import SkactivemlClassifier


class FixedOutputs(SkactivemlClassifier):
    """A fitted classifier that answers what a net has answered before."""

    def __init__(self, data, classes):
        super().__init__(classes=classes)
        self.data = data

    def fit(self, X, y, sample_weight=None):
        return self

    def predict_proba(self, X, embed=False):
        for known in (self.data.pool, self.data.labeled):
            if len(X) == len(known.y):
                proba = known.proba.numpy().copy()
                return (proba, known.features.numpy()) if embed else proba
        raise ValueError(f"No answer for {len(X)} rows.")

    def predict(self, X, embed=False):
        # Of rows with features left out too, so from the last layer.
        logits = X @ self.data.weight.numpy().T + self.data.bias.numpy()
        found = logits.argmax(axis=1)
        return (found, X) if embed else found

    def sample_proba(self, X):
        return np.ascontiguousarray(self.data.samples.numpy().transpose(1, 0, 2))


EMBED = {"clf_embedding_flag_name": "embed"}
DRAWN = {"sample_predictions_method_name": "sample_proba"}
# The peer of each of ours: class, options, and under which name it takes the net.
PEERS = {
    "BADGE": (peer.Badge, EMBED, "clf"),
    "CoreSet": (peer.CoreSet, {}, None),
    "TypiClust": (peer.TypiClust, {}, None),
    "ProbCover": (peer.ProbCover, {"n_classes": 10}, None),
    "MaxHerding": (peer.MaxHerding, {}, None),
    "BALD": (peer.GreedyBALD, DRAWN, "ensemble"),
    # As many configurations as ours draws, instead of one a sample.
    "BatchBALD": (peer.BatchBALD, {"n_MC_samples": 2_000, **DRAWN}, "ensemble"),
    "DropQuery": (peer.DropQuery, {"n_dropout_samples": 3, **EMBED}, "clf"),
    "ContrastiveAL": (
        peer.ContrastiveAL,
        {"nearest_neighbors_dict": {"n_neighbors": 10}, **EMBED},
        "clf",
    ),
    "FALCUN": (peer.Falcun, {}, "clf"),
    "CLUE": (peer.Clue, {"predict_dict": {"embed": True}}, "estimator"),
    "LeastConfidence": (
        peer.UncertaintySampling,
        {"method": "least_confident"},
        "clf",
    ),
    "MarginSampling": (peer.UncertaintySampling, {"method": "margin_sampling"}, "clf"),
    "EntropySampling": (peer.UncertaintySampling, {"method": "entropy"}, "clf"),
    "RandomSampling": (peer.RandomSampling, {}, None),
}


def peer_query(name, data, batch):
    """Return a call that asks a peer for a batch; no net is run, nothing is fitted."""
    kind, options, takes_net = PEERS[name]
    n_labeled, n_pool = len(data.labeled.y), len(data.pool.y)
    X = np.concatenate([data.labeled.features.numpy(), data.pool.features.numpy()])
    y = np.concatenate([data.labeled.y.numpy().astype(float), np.full(n_pool, np.nan)])
    more = {}
    if takes_net is not None:
        net = FixedOutputs(data, list(range(len(data.weight)))).fit(X, y)
        net.classes_ = np.arange(len(data.weight))
        more = {takes_net: net, f"fit_{takes_net}": False}
    candidates = np.arange(n_labeled, n_labeled + n_pool)

    def query():
        strategy = kind(random_state=0, **options)
        found = strategy.query(
            X=X, y=y, candidates=candidates, batch_size=batch, **more
        )
        if len(np.unique(found)) != batch:
            raise ValueError(f"{name} has chosen {len(np.unique(found))} rows.")

    return query
