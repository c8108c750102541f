"""
Cold start: which rows to label first
=====================================

Without a label there is no net, and without a net nobody knows what is hard. What is
left: rows at random, typical rows, or rows that are unlike each other. Does it matter?
"""

# %%
# Three strategies can be asked before ``fit``: ``RandomSampling`` reads nothing, and
# with ``features="input"`` ``KMeansSampling`` and ``TypiClust`` read the rows
# themselves. The selection algorithms take any table: k-center finds rows that cover
# the inputs.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from skbadge import ActiveLearner, KMeansSampling, RandomSampling, TypiClust
from skbadge.modules import MLP, lean_settings
from skbadge.selection import k_center_greedy

X, y = load_digits(return_X_y=True)
X = StandardScaler().fit_transform(X)
order = np.random.default_rng(0).permutation(len(X))
pool, test = order[:1300], order[1300:]
net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    max_epochs=40,
    batch_size=16,
    lr=1e-3,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)


def learner_with(strategy, seed):
    return ActiveLearner(net, strategy=strategy, classes=range(10), random_state=seed)


def asked(strategy):
    return lambda seed: learner_with(strategy, seed).query(X[pool], n=20)


inputs = PCA(10, random_state=0).fit_transform(X[pool])
starts = {
    "random": asked(RandomSampling()),
    "k-means": asked(KMeansSampling(features="input")),
    "TypiClust": asked(TypiClust(features="input")),
    "k-center": lambda seed: k_center_greedy(np.roll(inputs, seed, axis=0), 20),
}

# %%
# ``teach`` before ``fit`` is ``fit``, so a campaign needs no special first round. Six
# seeds each; k-center leaves nothing to chance, so its first row is varied instead.

accuracy, n_classes = {}, {}
for name, choose in starts.items():
    accuracy[name], n_classes[name] = [], []
    for seed in range(6):
        first = choose(seed)
        if name.startswith("k-center"):
            first = (first - seed) % len(pool)
        learner = learner_with(RandomSampling(), seed)
        learner.teach(X[pool[first]], y[pool[first]])
        accuracy[name].append(learner.score(X[test], y[test]))
        n_classes[name].append(len(np.unique(y[pool[first]])))

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for ax, values, label in (
    (axes[0], accuracy, "Accuracy with 20 labels"),
    (axes[1], n_classes, "Classes among the 20"),
):
    for position, name in enumerate(starts):
        ax.scatter(values[name], np.full(6, position), alpha=0.6, color="#0072B2")
        ax.scatter(np.mean(values[name]), position, marker="|", s=400, color="#D55E00")
    ax.set(xlabel=label, yticks=range(len(starts)), yticklabels=list(starts))
axes[0].invert_yaxis()  # the axes share it
plt.show()

# %%
# Dots are runs, bars their means. The middle of each of twenty clusters is a far better
# start than rows at random: every digit is among them, and typical pictures teach most.
# Farthest-first takes the odd pictures first, and odd pictures teach little. Random
# rows keep an advantage that no figure shows: they are a fair sample of the pool, from
# which the shares of the classes can be estimated.
