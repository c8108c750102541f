"""
BADGE against Margin, as the batch grows
========================================

In a small batch, margin sampling does not suffer from asking for neighbors. In a large
one it should. Does it?
"""

# %%
# The same number of labels, bought in batches of 25, 75 or 150. Both strategies start
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
    max_epochs=40,
    batch_size=64,
    **lean_settings(callbacks=[("stop", StopAtTrainAccuracy(0.99))]),
)

# %%

n_seeds, n_final, sizes = 4, 200, (25, 75, 150)


def final_accuracy(strategy, n):
    """Return the accuracy with 200 labels, for each seed."""
    runs = [
        simulate(
            ActiveLearner(net, strategy=strategy, random_state=seed),
            X[pool],
            y[pool],
            n_initial=50,
            n=n,
            n_rounds=(n_final - 50) // n,
            X_test=X[test],
            y_test=y[test],
        )
        for seed in range(n_seeds)
    ]
    return np.array([table["accuracy"].iloc[-1] for table in runs])


badge = {n: final_accuracy(BADGE(), n) for n in sizes}
margin = {n: final_accuracy(MarginSampling(), n) for n in sizes}
at_random = final_accuracy(RandomSampling(), 150)

# %%
# Random sampling does not depend on the batch, so one size is enough.

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, runs, color, marker in (
    ("BADGE", badge, "#D55E00", "o"),
    ("MarginSampling", margin, "#0072B2", "^"),
):
    shift = 0.04 if name == "BADGE" else -0.04
    mean = [runs[n].mean() for n in sizes]
    error = [runs[n].std(ddof=1) / np.sqrt(n_seeds) for n in sizes]
    ax.errorbar(
        np.arange(3) + shift, mean, error, color=color, marker=marker, label=name
    )
ax.axhline(at_random.mean(), color="#7F7F7F", linestyle=":", label="RandomSampling")
ax.set(
    xticks=range(3),
    xticklabels=sizes,
    xlabel="Labels a batch",
    ylabel="Test accuracy with 200 labels",
)
ax.legend(frameon=False)
plt.show()

# %%
# Bars are one standard error over the seeds. The paired difference is the fairer look,
# since both start from the same rows and weights:

for n in sizes:
    gain = 100 * (badge[n] - margin[n])
    error = gain.std(ddof=1) / np.sqrt(n_seeds)
    print(f"batches of {n}: BADGE minus Margin {gain.mean():+.1f} ± {error:.1f} points")

# %%
# The larger the batch, the more it matters that it is diverse; with small batches there
# may be nothing to gain. Differences of one or two standard errors, from four seeds,
# prove little. Where the pool holds near-copies the effect is larger:
# :ref:`sphx_glr_auto_examples_selection_plot_2_near_duplicates.py`.
