"""
k-means++ against k-DPP
=======================

Two ways to draw long and different gradients. Do they choose batches of the same
quality, and what do they cost?
"""

# %%
# Gradient embeddings of a net that was trained on two hundred digits. The pure
# algorithms take the embedding, no learner needed.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from skbadge.embeddings import GradientEmbedding
from skbadge.modules import MLP, lean_settings
from skbadge.selection import k_dpp_sample, kmeans_plusplus

X, y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    module__n_hidden=64,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=3e-3,
    max_epochs=20,
    batch_size=32,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)
torch.manual_seed(0)
net.fit(X[:200], y[:200])

pool = torch.from_numpy(X[200:])
with torch.no_grad():
    features = torch.relu(net.module_.hidden(pool))
    proba = torch.softmax(net.module_.output(features), dim=1)
residual = proba - torch.eye(10)[proba.argmax(dim=1)]
embedding = GradientEmbedding(residual, features)

# %%
# Quality, in the k-DPP's own terms: the volume that the chosen gradients span, as the
# logarithm of the determinant of their Gram matrix, for each row of the batch. Rows
# drawn uniformly are the comparison.


def log_volume(rows):
    chosen = embedding.take(rows).to_dense().double()
    return float(torch.linalg.slogdet(chosen @ chosen.T).logabsdet) / len(rows)


def uniform(embedding, n, *, random_state):
    return np.random.default_rng(random_state).choice(len(embedding), n, replace=False)


samplers = {
    "k-DPP": (k_dpp_sample, "#A05A2C", "X"),
    "k-means++": (kmeans_plusplus, "#D55E00", "o"),
    "uniform": (uniform, "#7F7F7F", "^"),
}
counts = (5, 10, 20, 40, 80, 160)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for name, (draw, color, marker) in samplers.items():
    volumes, seconds = [], []
    for n in counts:
        started = perf_counter()
        batches = [draw(embedding, n, random_state=seed) for seed in range(5)]
        seconds.append((perf_counter() - started) / 5)
        volumes.append(np.mean([log_volume(batch) for batch in batches]))
    axes[0].plot(counts, volumes, color=color, marker=marker, label=name)
    axes[1].plot(counts, seconds, color=color, marker=marker, label=name)
axes[0].set(xscale="log", xlabel="Rows drawn", ylabel="Log volume a row")
axes[1].set(xscale="log", yscale="log", xlabel="Rows drawn", ylabel="Seconds")
axes[0].legend(frameon=False)
plt.show()

# %%
# Higher is more diverse on the left. The default number of steps of the chain is a rule
# of thumb: after it, the k-DPP is on its way to its law, and k-means++ was never meant
# to follow that law. On the right, the chain's cost grows faster than the batch.
# Whether the difference in volume is worth anything in accuracy is another question,
# which :doc:`/user_guide/quick_study` looks at.
