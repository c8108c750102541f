"""
Your own convolutional net
==========================

Does a net have to be changed to be asked? No. This one has convolutions, BatchNorm and
dropout, returns class scores and nothing else, and its last layer has a name of its
own.
"""

# %%

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

from skbadge import BADGE, ActiveLearner, RandomSampling, simulate
from skbadge.modules import lean_settings
from skbadge.plotting import LearningCurveDisplay


class SmallConvNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.whatever = nn.Linear(8 * width, 10)

    def forward(self, X):
        return self.whatever(self.body(X))


# %%
# The learner finds the classification layer by running the net once. It takes the last
# linear layer with as many outputs as the module; ``layer="whatever"`` would say the
# same.

images, y = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 1, 8, 8)
order = np.random.default_rng(0).permutation(len(images))
pool, test = order[:1300], order[1300:]

net = NeuralNetClassifier(
    SmallConvNet,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=5e-3,
    max_epochs=15,
    batch_size=32,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)

# %%
# ``simulate`` plays the loop on known labels: 40 random ones, then six batches of 20.
# With the same seed both strategies start from the same rows and weights.

tables = []
for strategy in (BADGE(), RandomSampling()):
    for seed in range(3):
        table = simulate(
            ActiveLearner(net, strategy=strategy, random_state=seed),
            images[pool],
            y[pool],
            n_initial=40,
            n=20,
            n_rounds=6,
            X_test=images[test],
            y_test=y[test],
        )
        name = "badge" if isinstance(strategy, BADGE) else "rand"
        tables += [(name, *row) for row in table[["n_labeled", "accuracy"]].to_numpy()]

names, n_labeled, accuracy = zip(*tables, strict=True)
LearningCurveDisplay.from_accuracies(names, n_labeled, accuracy).plot()
plt.show()

# %%
# Bands are one standard error of three runs, which is few. Dropout is off and BatchNorm
# uses its running statistics during a query, and both are as before afterwards.
