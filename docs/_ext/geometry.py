"""The pictures of the page that explains BADGE: a small 2-D problem, really trained."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner, CoreSet, MarginSampling, RandomSampling
from skbadge.embeddings import GradientEmbedding
from skbadge.modules import lean_settings
from skbadge.selection import kmeans_plusplus

COLORS = ("#0072B2", "#E69F00", "#009E73")
PICK = "#D55E00"
N_LABELED, N_PICKS = 18, 12


class TinyNet(torch.nn.Module):
    """Two inputs, sixteen hidden units, three classes."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Sequential(
            torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 16)
        )
        self.output = torch.nn.Linear(16, 3)

    def forward(self, X):
        return self.output(torch.tanh(self.hidden(X)))


@cache
def problem():
    """Return three arms of points, of which a few are labelled."""
    generator = np.random.default_rng(3)
    radius = np.sqrt(generator.uniform(0.02, 1.0, size=900))
    y = generator.integers(0, 3, size=900)
    angle = 2 * np.pi * y / 3 + 1.6 * radius + generator.normal(0, 0.30, size=900)
    X = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    labeled = np.concatenate(
        [np.flatnonzero(y == k)[: N_LABELED // 3] for k in range(3)]
    )
    is_open = np.ones(len(X), dtype=bool)
    is_open[labeled] = False
    return X.astype(np.float32), y, is_open


def fitted_learner(strategy=None):
    """Return a learner; the seed makes the net the same for every strategy."""
    X, y, is_open = problem()
    net = NeuralNetClassifier(
        TinyNet,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.02,
        max_epochs=60,
        **lean_settings(),
    )
    learner = ActiveLearner(net, strategy=strategy, random_state=0)
    return learner.fit(X[~is_open], y[~is_open])


def embedding():
    """Return positions of the pool and the gradient embedding of its rows."""
    X, _, is_open = problem()
    module = fitted_learner().estimator_.module_.eval()
    with torch.no_grad():
        features = torch.tanh(module.hidden(torch.from_numpy(X[is_open])))
        proba = torch.softmax(module.output(features), dim=1)
    residual = proba - torch.eye(3)[proba.argmax(dim=1)]
    return np.flatnonzero(is_open), GradientEmbedding(residual, features)


def new_panels(n, width=3.1, height=3.1):
    figure, axes = plt.subplots(1, n, figsize=(width * n, height), layout="constrained")
    for ax in np.atleast_1d(axes):
        ax.set(xticks=[], yticks=[])
    return figure, np.atleast_1d(axes)


def draw_boundaries(ax):
    """Color the plane by the predicted class, paler where the net is unsure."""
    grid = np.linspace(-1.45, 1.45, 160, dtype=np.float32)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    proba = fitted_learner().predict_proba(points)
    colors = np.array([plt.matplotlib.colors.to_rgb(color) for color in COLORS])
    sure = (proba.max(axis=1, keepdims=True) - 1 / 3) * 1.5
    shade = 1 - 0.45 * sure * (1 - colors[proba.argmax(axis=1)])
    ax.imshow(
        shade.reshape(160, 160, 3),
        extent=(-1.45, 1.45, -1.45, 1.45),
        origin="lower",
        interpolation="bilinear",
    )


def draw_pool(ax, size=6):
    X, y, is_open = problem()
    ax.scatter(*X[is_open].T, s=size, c="#404040", alpha=0.45, linewidths=0)
    for k, color in enumerate(COLORS):
        rows = ~is_open & (y == k)
        ax.scatter(*X[rows].T, s=42, c=color, edgecolors="black", linewidths=0.8)


def draw_embedding():
    """Draw the plane, the length of each gradient, and the gradients in a plane."""
    figure, axes = new_panels(3)
    X, _, _ = problem()
    rows, gradients = embedding()
    draw_boundaries(axes[0])
    draw_pool(axes[0])
    axes[0].set_title("What the net knows")

    length = gradients.squared_norms().sqrt().numpy()
    dots = axes[1].scatter(*X[rows].T, s=4 + 40 * length / length.max(), c=length)
    axes[1].set(title="Length of the gradient", aspect="equal")
    figure.colorbar(dots, ax=axes[1], shrink=0.8)

    dense = gradients.to_dense().numpy()
    centered = dense - dense.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    plane = dense @ directions[:2].T
    guess = fitted_learner().predict(X[rows])
    axes[2].scatter(*plane.T, s=9, c=np.array(COLORS)[guess], alpha=0.7, linewidths=0)
    origin = np.zeros(2)
    axes[2].scatter(*origin, marker="+", s=120, c="black")
    axes[2].set_title("The gradients")
    plt.close(figure)
    return figure


def draw_picks():
    """Draw the first, third and last pick of k-means++ on squared distances."""
    counts = (1, 4, N_PICKS)
    figure, axes = new_panels(len(counts))
    X, _, _ = problem()
    rows, gradients = embedding()
    picks = kmeans_plusplus(gradients, N_PICKS, first="norm", random_state=5)
    distances = gradients.distances_sq(np.arange(len(rows)), picks).numpy()
    for ax, count in zip(axes, counts, strict=True):
        nearest = distances[:, :count].min(axis=1)
        chance = nearest / nearest.sum()
        ax.scatter(
            *X[rows].T, s=2 + 5000 * chance, c="#56B4E9", alpha=0.6, linewidths=0
        )
        ax.scatter(
            *X[rows][picks[:count]].T, s=70, marker="X", c=PICK, edgecolors="white"
        )
        ax.set(title=f"After pick {count}", aspect="equal")
    plt.close(figure)
    return figure


def draw_strategies():
    """Draw the batch of four strategies, asked of the same net."""
    figure, axes = plt.subplots(2, 2, figsize=(7.0, 7.2), layout="constrained")
    X, _, is_open = problem()
    for ax, strategy in zip(
        axes.flat, (RandomSampling(), MarginSampling(), CoreSet(), BADGE()), strict=True
    ):
        picks = fitted_learner(strategy).query(X, n=N_PICKS, candidates=is_open)
        draw_boundaries(ax)
        draw_pool(ax, size=4)
        ax.scatter(*X[picks].T, s=90, marker="X", c=PICK, edgecolors="white")
        ax.set(title=type(strategy).__name__, xticks=[], yticks=[])
    plt.close(figure)
    return figure
