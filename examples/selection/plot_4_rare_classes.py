"""
Rare classes: quotas around a strategy
======================================

Three of ten digits are rare in this pool. Does a strategy find enough of them by
itself, or must it be told to look?
"""

# %%
# Of the digits 7, 8 and 9 only one picture in fifteen is left in the pool; the test
# pictures have all ten digits alike, as where the rare ones are what one looks for.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner, ClassQuota, RandomSampling, simulate
from skbadge.modules import MLP, lean_settings
from skbadge.plotting import LearningCurveDisplay

X, y = load_digits(return_X_y=True)
X = X / 16
order = np.random.default_rng(0).permutation(len(X))
pool, test = order[:1300], order[1300:]
is_rare = y >= 7
pool = np.concatenate([pool[~is_rare[pool]], pool[is_rare[pool]][::15]])

net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    module__n_hidden=64,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=3e-3,
    max_epochs=40,
    batch_size=32,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)

# %%
# :class:`~skbadge.ClassQuota` wraps any strategy: each class that the net predicts has
# the same share of a batch, as far as the pool has rows that the net takes for it.

strategies = {
    "rand": RandomSampling(),
    "badge": BADGE(),
    "BADGE, balanced": ClassQuota(BADGE()),
}
rows, found = [], {}
for name, strategy in strategies.items():
    found[name] = []
    for seed in range(3):
        table = simulate(
            ActiveLearner(net, strategy=strategy, classes=range(10), random_state=seed),
            X[pool],
            y[pool],
            n_initial=40,
            n=20,
            n_rounds=6,
            X_test=X[test],
            y_test=y[test],
        )
        rows += [(name, *row) for row in table[["n_labeled", "accuracy"]].to_numpy()]
        asked = np.concatenate(table["positions"].tolist())
        found[name].append(is_rare[pool][asked].sum())

figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=[2, 1]
)
LearningCurveDisplay.from_accuracies(*zip(*rows, strict=True)).plot(ax=axes[0])
axes[1].bar(list(found), [np.mean(counts) for counts in found.values()])
axes[1].axhline(is_rare[pool].sum(), color="black", linestyle=":")
axes[1].set(ylabel="Rare digits among the labelled rows")
axes[1].tick_params(axis="x", rotation=20)
plt.show()

# %%
# The dotted line is the number of rare digits in the pool. Random rows miss most of
# them. BADGE finds many by itself, since the net is unsure of a digit it has hardly
# seen; quotas around it change little here. They matter where a strategy does not look
# for what is rare, and where a class must not be left to chance;
# ``learner.last_selection_.notes`` says when the pool had too few rows of one.
