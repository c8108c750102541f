"""
Near-duplicates in the pool
===========================

Real pools hold the same thing many times: frames of a video, forwarded mails. What does
a batch look like then?
"""

# %%
# A third of the digits, each ten times with a little noise.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from skbadge import (
    BADGE,
    ActiveLearner,
    CoreSet,
    EntropySampling,
    MarginSampling,
    RandomSampling,
)
from skbadge.modules import MLP, lean_settings

digits, labels = load_digits(return_X_y=True)
generator = np.random.default_rng(0)
order = generator.permutation(len(digits))
originals, test = order[:400], order[1000:]
source = np.repeat(originals, 10)
X_pool = digits[source] / 16 + generator.normal(0, 0.02, size=(len(source), 64))
y_pool = labels[source]

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
# Start from forty labels, ask once for a hundred, and count how many *different* digits
# the batch holds. Then see what the hundred were worth.

strategies = (
    BADGE(),
    CoreSet(),
    RandomSampling(),
    MarginSampling(),
    EntropySampling(),
)
different, accuracy = {}, {}
for strategy in strategies:
    name = type(strategy).__name__
    different[name], accuracy[name] = [], []
    for seed in range(4):
        first = np.random.default_rng(seed).choice(len(X_pool), 40, replace=False)
        is_open = np.ones(len(X_pool), dtype=bool)
        is_open[first] = False
        learner = ActiveLearner(net, strategy=strategy, random_state=seed)
        learner.fit(X_pool[first], y_pool[first])
        chosen = learner.query(X_pool, n=100, candidates=is_open)
        learner.teach(X_pool[chosen], y_pool[chosen])
        different[name].append(len(np.unique(source[chosen])))
        accuracy[name].append(learner.score(digits[test] / 16, labels[test]))

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for ax, values, label in (
    (axes[0], different, "Different digits among 100 rows"),
    (axes[1], accuracy, "Test accuracy afterwards"),
):
    for position, runs in enumerate(values.values()):
        ax.scatter(runs, np.full(len(runs), position), color="#0072B2", alpha=0.6)
        ax.scatter(np.mean(runs), position, marker="|", s=400, color="#D55E00")
    ax.set(xlabel=label, yticks=range(len(values)), yticklabels=list(values))
axes[0].invert_yaxis()
plt.show()

# %%
# Dots are seeds, bars their means. The uncertainty scores of ten copies are nearly the
# same, so whoever asks for one asks for most of them. k-means++ leaves a copy alone
# once one is chosen, for its distance to the chosen one is nearly nothing. Random
# sampling takes copies by chance only. Where copies are the whole difficulty, core-set,
# which wants nothing but variety, serves as well.
