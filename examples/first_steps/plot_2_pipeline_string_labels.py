"""
Preprocessing and string labels
===============================

Do a DataFrame with text columns and gaps, and labels that are words, need anything
special? No: put what the net cannot read into a pipeline in front of it.
"""

# %%
# A made-up table of parcels: numbers, of which some are missing, a column of words, and
# a class in words. One class is rare.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner, RandomSampling, take
from skbadge.modules import lean_settings

generator = np.random.default_rng(0)
n = 3000
weight = generator.gamma(2.0, 2.0, size=n)
distance = generator.uniform(1, 1000, size=n)
service = generator.choice(
    ["standard", "express", "freight"], p=[0.7, 0.2, 0.1], size=n
)
days = distance / 250 + weight / 6 - 1.5 * (service == "express")
days += generator.normal(0, 0.35, size=n)
y = np.select([days > 5.0, days > 2.5], ["late", "on time"], default="early")
X = pd.DataFrame(
    {"weight": weight, "distance": distance, "service": service},
    index=[f"parcel-{i:04d}" for i in range(n)],
)
X.loc[generator.random(n) < 0.1, "weight"] = np.nan
print(pd.Series(y).value_counts().to_dict())

# %%
# The pipeline imputes, scales and encodes; the net gets what comes out. How many
# columns that will be is left to ``nn.LazyLinear``, which sizes itself at the first
# batch.

columns = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), ["weight", "distance"]),
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["service"]),
)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.LazyLinear(64)
        self.output = torch.nn.Linear(64, 3)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


net = NeuralNetClassifier(
    Net,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=5e-3,
    max_epochs=60,
    batch_size=32,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)
pipeline = make_pipeline(columns, net)

# %%
# ``classes`` lists all labels, since the rare one may be missing from the first twenty
# rows. ``take`` picks rows of anything, a DataFrame too.

pool, test = np.arange(2000), np.arange(2000, n)
classes = ["early", "on time", "late"]


def run(strategy, seed):
    """Return label counts, accuracies, and the share of late parcels labelled."""
    learner = ActiveLearner(
        pipeline, strategy=strategy, classes=classes, random_state=seed
    )
    is_open = np.zeros(n, dtype=bool)
    is_open[pool] = True
    chosen = np.random.default_rng(seed).permutation(pool)[:20]
    accuracy = []
    for _ in range(7):
        is_open[chosen] = False
        learner.teach(take(X, chosen), y[chosen])
        accuracy.append(learner.score(take(X, test), y[test]))
        chosen = learner.query(X, n=20, candidates=is_open)
    print(f"{type(strategy).__name__}, seed {seed}: asks next for {X.index[chosen[0]]}")
    return accuracy, np.mean(learner.y_ == "late")


curves, shares = {}, {}
for strategy in (BADGE(), RandomSampling()):
    runs = [run(strategy, seed) for seed in range(3)]
    curves[type(strategy).__name__] = np.array([accuracy for accuracy, _ in runs])
    shares[type(strategy).__name__] = np.mean([share for _, share in runs])

# %%
# Accuracy of three paired runs, and how many of the labelled rows were of the rare
# class.

figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained", width_ratios=[3, 1]
)
for (name, accuracy), color in zip(curves.items(), ("#D55E00", "#7F7F7F"), strict=True):
    counts = 20 * (1 + np.arange(7))
    axes[0].plot(counts, accuracy.T, color=color, alpha=0.3)
    axes[0].plot(counts, accuracy.mean(axis=0), color=color, marker="o", label=name)
axes[0].set(xlabel="Labels", ylabel="Accuracy")
axes[0].legend(frameon=False)
axes[1].bar(list(shares), list(shares.values()), color=["#D55E00", "#7F7F7F"])
axes[1].axhline(np.mean(y == "late"), color="black", linestyle=":")
axes[1].set(ylabel="Share of late parcels among the labels")
axes[1].tick_params(axis="x", rotation=20)
plt.show()

# %%
# The dotted line is the share in all data. The transformers are fitted anew on the
# labelled rows of every round; to fit them once on the whole pool, transform the pool
# before, or freeze them with scikit-learn's ``FrozenEstimator``.
