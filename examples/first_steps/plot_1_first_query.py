"""
A first query on handwritten digits
===================================

Which rows does BADGE ask for, and how do they differ from random ones?
"""

# %%
# The pool is scikit-learn's digits, real pictures of 8 x 8 pixels. We pretend to have
# labels for fifty of them.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner
from skbadge.modules import MLP

X, y = load_digits(return_X_y=True)
generator = np.random.default_rng(0)
order = generator.permutation(len(X))
labeled, pool, test = order[:50], order[50:1400], order[1400:]

# %%
# Any skorch classifier will do. Two settings matter where labels are few: skorch would
# hold back a fifth of them for validation, and would not shuffle.

net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=1e-3,
    max_epochs=30,
    batch_size=32,
    train_split=None,
    iterator_train__shuffle=True,
    verbose=0,
)
learner = ActiveLearner(
    make_pipeline(StandardScaler(), net), strategy=BADGE(), random_state=0
)
learner.fit(X[labeled], y[labeled])
print(f"Accuracy with 50 labels: {learner.score(X[test], y[test]):.3f}")

# %%
# ``query`` answers positions in the pool. Above are ten digits that BADGE asks for,
# below ten random ones, each with the net's guess and its probability.

asked = pool[learner.query(X[pool], n=10)]
at_random = generator.choice(pool, size=10, replace=False)

figure, axes = plt.subplots(2, 10, figsize=(10, 2.9), layout="constrained")
for row, rows in zip(axes, (asked, at_random), strict=True):
    proba = learner.predict_proba(X[rows])
    for ax, pixels, p in zip(row, X[rows], proba, strict=True):
        ax.imshow(pixels.reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{learner.classes_[p.argmax()]}? {p.max():.0%}", fontsize="small")
axes[0, 0].set_ylabel("BADGE")
axes[1, 0].set_ylabel("random")
plt.show()

# %%
# Most of what BADGE asks for, the net is unsure of, and the batch holds different kinds
# of doubt. (Its first row is drawn uniformly, so that one may well be easy.) Of the
# random rows, the net is sure of more.
#
# A person would now give the labels. We have them, and teach:

learner.teach(X[asked], y[asked])
print(
    f"Accuracy with {learner.n_labeled_} labels: {learner.score(X[test], y[test]):.3f}"
)

# %%
# Ten labels move the accuracy little, and a single run by chance as much. Whether
# active learning pays shows over many rounds and seeds:
# :ref:`sphx_glr_auto_examples_selection_plot_1_batch_size.py`.
