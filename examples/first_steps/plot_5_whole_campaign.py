"""
A whole labelling campaign
==========================

How good is the model by now, and when is it time to stop, if there is no test set?
"""

# %%
# A campaign lives in a folder. Rows have ids, so nothing hangs on positions. A fifth of
# each batch is drawn at random, for the accuracy; the rest is BADGE's choice. The
# stopping criterion watches how far predictions change from training to training.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from skbadge import BADGE, ActiveLearner, Campaign
from skbadge.modules import MLP, lean_settings
from skbadge.stopping import StablePredictions

X, y_true = load_digits(return_X_y=True)
ids = [f"digit-{i:04}" for i in range(len(X))]
truth = dict(zip(ids, y_true.tolist(), strict=True))
net = NeuralNetClassifier(
    MLP,
    module__n_features=64,
    module__n_classes=10,
    module__n_hidden=64,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    max_epochs=30,
    batch_size=32,
    lr=2e-3,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)
place = tempfile.TemporaryDirectory()
folder = Path(place.name) / "digits"


def opened():
    """Begin the campaign, or open it again as on another day."""
    return Campaign(
        folder,
        ActiveLearner(net, strategy=BADGE(), random_state=0),
        X,
        ids=ids,
        classes=range(10),
        random_share=0.2,
        stop=StablePredictions(window=2),
        n_stop=500,
    )


# %%
# A function plays two people. They skip what they cannot read, and one of them mistakes
# an eight for a one now and then. Each round is a process of its own: the campaign is
# opened anew, and asks for what it would have asked for.

person = np.random.default_rng(1)


def label(rows):
    """Return labels by id; rows that are left out are skipped."""
    answers = {}
    for row in rows:
        if person.random() < 1 / 40:
            continue
        slip = truth[row] == 8 and person.random() < 1 / 10
        answers[row] = 1 if slip else truth[row]
    return answers


for day in range(9):
    campaign = opened()
    batch = campaign.ask(50)["id"].tolist()
    answers = label(batch)
    campaign.tell(answers, annotator=("anna", "mk")[day % 2])
    campaign.skip([row for row in batch if row not in answers], reason="illegible")

# %%
# How does it stand?

campaign.train()
print(campaign.status())

# %%
# The estimate needs no test set: each model is scored on rows drawn at random *before*
# it learns from them. Here the truth is known, so both can be shown. The line is the
# accuracy of a net trained on the same labels, on all rows that had no label at that
# time: what the estimate speaks of.

estimate = campaign.accuracy()
pooled = campaign.accuracy(window=3)
labels = campaign.labels()
true_accuracy = []
for row in estimate.to_dict("records"):
    # The labels that came before that round.
    known = labels[labels["round"] < row["round"]]
    left = np.array([i for i, id in enumerate(ids) if id not in set(known["id"])])
    rows = [ids.index(id) for id in known["id"]]
    learner = ActiveLearner(net, classes=range(10), random_state=0)
    learner.fit(X[rows], known["label"].to_numpy())
    true_accuracy.append(learner.score(X[left], y_true[left]))

figure, (left_ax, right_ax) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
x = estimate["n_labeled"].to_numpy(dtype=float)
left_ax.vlines(x, pooled["low"], pooled["high"], color="#0072B2", alpha=0.5)
left_ax.plot(x, pooled["accuracy"], "o", color="#0072B2", label="estimate, 3 rounds")
left_ax.plot(x, true_accuracy, color="#D55E00", label="truth")
left_ax.set(xlabel="Labels", ylabel="Accuracy", ylim=(0, 1.02))
left_ax.legend(loc="lower right", frameon=False)

(sign,) = campaign.status().signs
right_ax.plot(range(2, len(sign["values"]) + 2), sign["values"], color="#0072B2")
right_ax.axhline(sign["threshold"], color="gray", linestyle="--")
right_ax.annotate("stops here", (2, sign["threshold"]), va="bottom", color="gray")
right_ax.set(xlabel="Training", ylabel="Agreement with the last model (kappa)")
plt.show()

# %%
# The labels leave as a table, and the report as one HTML page. Had the process been
# killed anywhere above, the next ``opened()`` would have gone on from the same place.

print(campaign.labels().head())
print(campaign.report().name)
place.cleanup()
