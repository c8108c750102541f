"""
BADGE against Margin, as the batch grows
========================================

In a small batch, margin sampling does not suffer from asking for neighbors. In a large
one it should. Does it?
"""

# %%
# The same number of labels, bought in batches of 10, 50 or 150. Both strategies start
# from the same 50 labels of each seed.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner, MarginSampling, RandomSampling, simulate
from skbadge.modules import MLP, StopAtTrainAccuracy, lean_settings

X, y = load_digits(return_X_y=True)
X = X / 16
order = np.random.default_rng(0).permutation(len(X))
pool, test = order[:1300], order[1300:]

net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    module__n_hidden=64,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=3e-3,
    max_epochs=100,
    batch_size=64,
    **lean_settings(callbacks=[("stop", StopAtTrainAccuracy(0.99))]),
)

# %%

n_seeds, n_final = 4, 200
final = {}
for n in (10, 50, 150):
    for strategy in (BADGE(), MarginSampling(), RandomSampling()):
        accuracy = []
        for seed in range(n_seeds):
            table = simulate(
                ActiveLearner(net, strategy=strategy, random_state=seed),
                X[pool],
                y[pool],
                n_initial=50,
                n=n,
                n_rounds=(n_final - 50) // n,
                X_test=X[test],
                y_test=y[test],
            )
            accuracy.append(table["accuracy"].iloc[-1])
        final[n, type(strategy).__name__] = np.array(accuracy)

# %%
# Accuracy with 200 labels. Random sampling does not depend on the batch but by chance,
# which shows how much chance there is.

styles = {
    "BADGE": ("#0072B2", "o"),
    "MarginSampling": ("#D55E00", "s"),
    "RandomSampling": ("#808080", "^"),
}
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for shift, (name, (color, marker)) in zip((-0.1, 0, 0.1), styles.items(), strict=True):
    positions = np.arange(3) + shift
    runs = np.array([final[n, name] for n in (10, 50, 150)])
    error = runs.std(axis=1, ddof=1) / np.sqrt(n_seeds)
    ax.errorbar(
        positions, runs.mean(axis=1), error, color=color, marker=marker, label=name
    )
ax.set(
    xticks=range(3),
    xticklabels=["10", "50", "150"],
    xlabel="Labels a batch",
    ylabel="Test accuracy with 200 labels",
)
ax.legend(frameon=False)
plt.show()

# %%
# Bars are one standard error over the seeds. The paired difference is the fairer look,
# since both start from the same rows and weights:

for n in (10, 50, 150):
    gain = 100 * (final[n, "BADGE"] - final[n, "MarginSampling"])
    error = gain.std(ddof=1) / np.sqrt(n_seeds)
    print(f"batches of {n}: BADGE minus Margin {gain.mean():+.1f} ± {error:.1f} points")

# %%
# Digits are easy and have few near-copies, so do not expect much; differences of one or
# two standard errors from four seeds prove nothing. What makes diversity matter is in
# :ref:`sphx_glr_auto_examples_selection_plot_2_near_duplicates.py`.
