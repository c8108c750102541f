"""
A strategy of your own
======================

What if BADGE's picks were cut down to rows that are not outliers? An idea like this
takes one class: say what you read, and choose.
"""

# %%
# The strategy below leaves out the tenth of the pool that is farthest from anything
# else in the net's features, and asks k-means++ for the rest. It never sees a net:
# ``needs`` declares what the learner has to compute, and ``_select`` gets it.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner, RandomSampling, simulate
from skbadge.embeddings import GradientEmbedding
from skbadge.modules import MLP, lean_settings
from skbadge.plotting import LearningCurveDisplay
from skbadge.selection import kmeans_plusplus
from skbadge.strategies import Needs, QueryStrategy, Selection


class TypicalBADGE(QueryStrategy):
    """Ask for long and different gradients, but for no outliers.

    Parameters
    ----------
    share : float in [0, 1), default=0.1
        Share of the pool that counts as outliers.
    """

    needs = Needs(residual=True, features=True)

    def __init__(self, *, share=0.1):
        self.share = share

    def _select(self, outputs, n, generator):
        features = outputs.features
        sample = torch.from_numpy(
            generator.choice(outputs.n_pool, min(200, outputs.n_pool), replace=False)
        )
        # The second smallest distance to the sample: the smallest may be to itself.
        distance = torch.cdist(features, features[sample]).kthvalue(2, dim=1).values
        n_typical = max(n, round((1 - self.share) * outputs.n_pool))
        typical = distance.argsort(stable=True)[:n_typical].cpu().numpy()
        embedding = GradientEmbedding.from_outputs(outputs).take(typical)
        return Selection(typical[kmeans_plusplus(embedding, n, random_state=generator)])


# %%
# To see whether outliers matter, the pool gets some: a tenth of the pictures are
# replaced by noise, whose labels mean nothing.

X, y = load_digits(return_X_y=True)
X = X / 16
generator = np.random.default_rng(0)
order = generator.permutation(len(X))
pool, test = order[:1200], order[1200:]
X_pool, y_pool = X[pool].copy(), y[pool].copy()
noise = generator.random(len(pool)) < 0.1
X_pool[noise] = generator.permuted(X_pool[noise], axis=1)

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

rows, wasted = [], {}
strategies = {
    "typical": TypicalBADGE(),
    "badge": BADGE(),
    "rand": RandomSampling(),
}
for name, strategy in strategies.items():
    wasted[name] = []
    for seed in range(3):
        table = simulate(
            ActiveLearner(net, strategy=strategy, random_state=seed),
            X_pool,
            y_pool,
            n_initial=50,
            n=50,
            n_rounds=5,
            X_test=X[test],
            y_test=y[test],
        )
        rows += [(name, *row) for row in table[["n_labeled", "accuracy"]].to_numpy()]
        asked = np.concatenate(table["positions"].tolist()[1:])
        wasted[name].append(noise[asked].mean())

figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=[2, 1]
)
LearningCurveDisplay.from_accuracies(*zip(*rows, strict=True)).plot(ax=axes[0])
axes[1].bar(list(wasted), [np.mean(shares) for shares in wasted.values()])
axes[1].axhline(noise.mean(), color="black", linestyle=":")
axes[1].set(ylabel="Share of noise among the rows asked for")
plt.show()

# %%
# The dotted line is the share of noise in the pool. BADGE is drawn to rows that the net
# is unsure of, and of noise it stays unsure, however many labels it is given. Whether
# leaving outliers out helps with *your* data, where the odd rows may be the rare class
# that you look for, is not settled by this.
