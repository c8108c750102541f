"""
Labelling in a notebook, with a person in the loop
==================================================

How do you keep track when a person skips rows, stops early, or changes their mind?
"""

# %%
# Everything hangs on one mask of open rows: the pool stays as it is, so that a position
# means the same row all the way.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner
from skbadge.modules import MLP, lean_settings

X, y_true = load_digits(return_X_y=True)
net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    module__n_hidden=64,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    max_epochs=40,
    batch_size=32,
    lr=2e-3,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)
learner = ActiveLearner(
    make_pipeline(StandardScaler(), net), strategy=BADGE(), random_state=0
)

# %%
# In a notebook, this cell shows the pictures, and a person types. Here a function plays
# the person: it finds one digit in fifteen illegible (answer None), and goes home after
# a number of answers.


def show(rows):
    """Show the pictures to be labelled (in a notebook, call this before ``ask``)."""
    figure, axes = plt.subplots(1, len(rows), figsize=(len(rows), 1.4))
    for ax, row in zip(axes, rows, strict=True):
        ax.imshow(X[row].reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[], title=f"{row}")
    return figure


person = np.random.default_rng(1)


def ask(rows, patience):
    """Return answers, one a row; in a notebook: ``[input() for row in rows]``."""
    answers = []
    for row in rows[:patience]:
        illegible = person.random() < 1 / 15
        answers.append(None if illegible else int(y_true[row]))
    return answers


# %%
# The campaign. Three kinds of rows come back from a batch: labelled ones, which are
# closed and taught; skipped ones, which are closed; and rows the person did not get to,
# which stay open and may be asked again. A batch that was skipped whole has nothing to
# teach.

is_open = np.ones(len(X), dtype=bool)
is_skipped = np.zeros(len(X), dtype=bool)
first = np.random.default_rng(0).choice(len(X), size=30, replace=False)
learner.fit(X[first], y_true[first])
is_open[first] = False
labeled = list(first)  # pool positions, in the order of learner.X_

history = []
for patience in (20, 20, 7, 20, 12, 20):
    asked = learner.query(X, n=20, candidates=is_open)
    answers = ask(asked, patience)
    seen = asked[: len(answers)]
    known = np.array([answer is not None for answer in answers])
    is_open[seen] = False
    is_skipped[seen[~known]] = True
    answered = seen[known]
    y_new = np.array([answer for answer in answers if answer is not None])
    if len(answered):
        learner.teach(X[answered], y_new, indices=answered)
    labeled.extend(answered)
    history.append((len(answered), int((~known).sum()), 20 - len(answers)))

show(asked[:10])
plt.show()

# %%
# The person remembers a wrong answer. ``relabel`` takes positions in ``learner.X_``,
# which our list translates; one training corrects everything.

row = labeled[-1]
learner.relabel(labeled.index(row), y_true[row]).refit()

# %%
# What became of each batch of twenty:

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
bottom = np.zeros(len(history))
parts = zip(
    np.array(history).T,
    ("labelled", "skipped", "not reached, still open"),
    ("#009E73", "#D55E00", "#BBBBBB"),
    strict=True,
)
for counts, name, color in parts:
    ax.bar(range(1, len(history) + 1), counts, bottom=bottom, label=name, color=color)
    bottom += counts
ax.set(xlabel="Batch", ylabel="Rows", yticks=range(0, 21, 5))
figure.legend(loc="outside upper center", ncols=3, frameon=False)
plt.show()

# %%
# Nothing is lost and nothing counted twice:

closed = learner.n_labeled_ + int(is_skipped.sum())
print(f"{closed} closed rows + {int(is_open.sum())} open rows = {len(X)}")
