"""
A net with two inputs: text and numbers
=======================================

Can rows be more than a table? Here a row is a short message, as token ids, and two
numbers beside it. ``X`` is a dict of arrays whose keys are the arguments of
``forward``.
"""

# %%
# Made-up support requests in three categories. Words are drawn from lists; the numbers
# are the hour and the length of an attachment.

from itertools import chain

import matplotlib.pyplot as plt
import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skbadge import BADGE, ActiveLearner, EntropySampling, RandomSampling, simulate
from skbadge.modules import lean_settings
from skbadge.plotting import LearningCurveDisplay

words = {
    "billing": "invoice refund price card payment charge receipt tax".split(),
    "login": "password account reset locked email code user access".split(),
    "crash": "error screen freeze bug restart update slow log".split(),
}
filler = "the my a is it please hello since again today cannot still when was".split()
all_words = [*chain.from_iterable(words.values()), *filler]
vocabulary = {word: i + 1 for i, word in enumerate(all_words)}
names = list(words)


def make_requests(n, seed):
    generator = np.random.default_rng(seed)
    y = generator.choice(3, size=n, p=[0.45, 0.45, 0.1])
    tokens = np.zeros((n, 10), dtype=np.int64)  # 0 is padding
    for row, label in enumerate(y):
        length = generator.integers(4, 11)
        # One word in five belongs to the topic, and now and then to a wrong one.
        topic = names[label] if generator.random() > 0.1 else generator.choice(names)
        for j in range(length):
            source = words[topic] if generator.random() < 0.2 else filler
            tokens[row, j] = vocabulary[generator.choice(source)]
    hour = generator.normal(12 + 3 * (y == 1), 4)
    size = generator.gamma(1 + 2 * (y == 2), 1.0)
    return {"tokens": tokens, "numbers": np.column_stack([hour / 12, size])}, y


X, y = make_requests(3000, seed=0)
X_test, y_test = make_requests(1000, seed=1)

# %%
# Integers reach the net as integers, so the embedding layer works; floating numbers are
# cast to the net's type.


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.EmbeddingBag(len(vocabulary) + 1, 16, padding_idx=0)
        self.head = nn.Sequential(nn.Linear(18, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, tokens, numbers):
        return self.head(torch.cat([self.words(tokens), numbers], dim=1))


net = NeuralNetClassifier(
    TwoInputs,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=1e-2,
    max_epochs=20,
    batch_size=32,
    **lean_settings(),  # skorch: all labels, from memory, nothing printed
)

# %%

rows = []
strategies = {"badge": BADGE(), "entropy": EntropySampling(), "rand": RandomSampling()}
for name, strategy in strategies.items():
    for seed in range(3):
        learner = ActiveLearner(net, strategy=strategy, random_state=seed)
        table = simulate(
            learner, X, y, n_initial=40, n=40, n_rounds=5, X_test=X_test, y_test=y_test
        )
        rows += [(name, *row) for row in table[["n_labeled", "accuracy"]].to_numpy()]

LearningCurveDisplay.from_accuracies(*zip(*rows, strict=True)).plot()
plt.show()

# %%
# A tenth of the requests hold the words of a random topic, so no curve can reach 1.
# With three seeds, differences of the size of a band mean nothing: one small net is no
# place to tell two good strategies apart.
