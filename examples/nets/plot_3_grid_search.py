"""
Grid search over the learner
============================

Which width and learning rate suit a net with few labels? The learner is a scikit-learn
classifier, so ``GridSearchCV`` reaches through it into the net: ``estimator__`` for the
net, ``estimator__module__`` for its module, ``strategy__`` for the strategy.
"""

# %%

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner
from skbadge.modules import MLP, lean_settings

X, y = load_digits(return_X_y=True)
X = X / 16
order = np.random.default_rng(0).permutation(len(X))
labeled, pool, test = order[:120], order[120:1300], order[1300:]

net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    max_epochs=30,
    batch_size=16,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)
learner = ActiveLearner(net, strategy=BADGE(), random_state=0)

# %%
# The search sees only rows that have a label. With so few of them, the folds should
# hold every class.

search = GridSearchCV(
    learner,
    {
        "estimator__module__n_hidden": [8, 32, 128],
        "estimator__lr": [3e-4, 3e-3, 3e-2],
    },
    cv=StratifiedKFold(4, shuffle=True, random_state=0),
)
search.fit(X[labeled], y[labeled])
best = search.best_estimator_
print(search.best_params_)

# %%
# ``best_estimator_`` is an active learner with the labelled rows inside, ready to ask.

indices = best.query(X[pool], n=30)
best.teach(X[pool][indices], y[pool][indices])
print(f"{best.n_labeled_} labels, test accuracy {best.score(X[test], y[test]):.3f}")

# %%

scores = search.cv_results_["mean_test_score"].reshape(3, 3)
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
picture = ax.imshow(scores, cmap="cividis")
for (i, j), score in np.ndenumerate(scores):
    middle = (scores.min() + scores.max()) / 2
    ax.text(
        j, i, f"{score:.2f}", ha="center", color="black" if score > middle else "white"
    )
ax.set(
    xticks=range(3),
    xticklabels=[8, 32, 128],
    xlabel="Hidden units",
    yticks=range(3),
    yticklabels=["3e-4", "3e-3", "3e-2"],
    ylabel="Learning rate",
)
figure.colorbar(picture, label="Accuracy in cross-validation")
plt.show()

# %%
# A warning that belongs here: rows chosen by a strategy are harder than the pool, so
# cross-validation on them understates the accuracy. It still ranks settings. Search on
# the first, random labels, as here, or keep a random validation set.
