"""Parameters that are set between two rounds."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EarlyStopping
from torch import nn

from skbadge import (
    ALBL,
    BADGE,
    CoreSet,
    LeastConfidence,
    MarginSampling,
    RandomSampling,
)
from skbadge.exceptions import InvalidInputError
from tests._learning import (
    assert_unchanged,
    make_data,
    make_learner,
    make_net,
    same_weights,
    snapshot,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)


@pytest.mark.parametrize(
    ("first", "change"),
    [
        (RandomSampling(), {"strategy": LeastConfidence()}),
        (None, {"strategy": LeastConfidence()}),
        (BADGE(first="norm"), {"strategy__first": "max-norm"}),
        (LeastConfidence(), {"strategy": None}),
        (ALBL(arms=[CoreSet()]), {"strategy__arms": [LeastConfidence()]}),
    ],
)
@pytest.mark.parametrize("call", ["query", "teach", "refit"])
def test_another_strategy_answers_the_next_query(call, first, change):
    learner = make_learner(first).fit(X, Y).set_params(**change)
    expected = make_learner(learner.strategy).fit(X, Y)
    for each in (learner, expected):
        if call == "teach":
            each.teach(POOL[:2], POOL_Y[:2])
        if call == "refit":
            each.refit()
    if call != "query":
        assert repr(learner.strategy_) == repr(expected.strategy_)
    assert_array_equal(learner.query(POOL, n=4), expected.query(POOL, n=4))
    assert repr(learner.strategy_) == repr(expected.strategy_)
    assert learner.strategy_ is not learner.strategy


def taught(learner):
    chosen = learner.query(POOL, n=4)
    return learner.teach(POOL[chosen], POOL_Y[chosen])


def test_an_equal_strategy_keeps_what_it_learned():
    arms = [MarginSampling(), CoreSet()]
    learner = taught(make_learner(ALBL(arms=arms, n_rounds=9)).fit(X, Y))
    learned = learner.strategy_.log_weights_
    learner = pickle.loads(pickle.dumps(learner))
    learner.set_params(strategy=ALBL(arms=[MarginSampling(), CoreSet()], n_rounds=9))
    learner.query(POOL, n=2)
    assert_array_equal(learner.strategy_.log_weights_, learned)
    learner.set_params(strategy__n_rounds=10).query(POOL, n=2)
    assert not hasattr(learner.strategy_, "log_weights_")
    learner.strategy.arms.append(BADGE())
    learner.query(POOL, n=2)
    assert len(learner.strategy_.arms) == 3


def test_a_strategy_is_not_told_what_another_one_asked():
    learner = make_learner(RandomSampling()).fit(X, Y)
    chosen = learner.query(POOL, n=4)
    learner.set_params(strategy=ALBL())
    learner.teach(POOL[chosen[:2]], POOL_Y[chosen[:2]], indices=chosen[:2])
    learner.teach(POOL[chosen[2:]], POOL_Y[chosen[2:]], indices=chosen[2:])
    assert not hasattr(learner.strategy_, "log_weights_")
    assert hasattr(taught(learner).strategy_, "log_weights_")


def test_a_wrong_strategy_is_refused_before_anything_is_stored():
    learner = make_learner(BADGE()).fit(X, Y).set_params(strategy__first="longest")
    before = snapshot(learner)
    for call in (
        lambda: learner.query(POOL, n=2),
        lambda: learner.teach(POOL[:2], POOL_Y[:2]),
        learner.refit,
    ):
        with pytest.raises(InvalidInputError, match="first must be one of"):
            call()
    assert_unchanged(learner, before)


class InDouble(nn.Module):
    """Takes its type from a parameter."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.head = nn.Linear(3, 3, dtype=dtype)

    def forward(self, X):
        return self.head(X)


def test_training_from_scratch_takes_the_parameters_there_are():
    learner = make_learner().fit(X, Y)
    learner.set_params(estimator__max_epochs=5, estimator__module__n_hidden=4)
    learner.teach(POOL[:2], POOL_Y[:2])
    assert len(learner.estimator_.history) == 5
    assert learner.estimator_.module_.head.in_features == 4
    learner = make_learner(net=make_net(InDouble)).fit(X, Y)
    learner.set_params(estimator__module__dtype=torch.float64)
    learner.teach(POOL[:2], POOL_Y[:2])
    assert learner.estimator_.module_.head.weight.dtype == torch.float64
    assert len(learner.query(POOL, n=2)) == 2
    learner.set_params(estimator=make_pipeline(StandardScaler(), make_net()))
    assert len(learner.refit().query(POOL, n=2)) == 2


def test_an_estimator_of_another_kind_is_refused_before_anything_is_stored():
    learner = make_learner().fit(X, Y).set_params(estimator=LogisticRegression())
    before = snapshot(learner)
    with pytest.raises(InvalidInputError, match="Got LogisticRegression instead"):
        learner.teach(POOL[:2], POOL_Y[:2])
    assert_unchanged(learner, before)


def imputing(**settings):
    callbacks = [("stop", EarlyStopping(monitor="train_loss", patience=9))]
    net = make_net(callbacks=callbacks, **settings)
    return make_pipeline(SimpleImputer(missing_values=np.nan), net)


WARM_CHANGES = {
    "two": ({"lr": 0.5, "max_epochs": 1}, "'estimator__lr', 'estimator__max_epochs'"),
    "module": ({"module__n_hidden": 4}, "'estimator__module__n_hidden'"),
    "kind": (imputing(), "'estimator'"),
}


@pytest.mark.parametrize("case", WARM_CHANGES.values(), ids=WARM_CHANGES)
def test_a_warm_start_cannot_heed_other_parameters(case):
    change, names = case
    learner = make_learner(warm_start=True).fit(X, Y)
    if isinstance(change, dict):
        learner.set_params(**{f"estimator__{k}": v for k, v in change.items()})
    else:
        learner.set_params(estimator=change)
    before = snapshot(learner)
    for call in (lambda: learner.teach(POOL[:2], POOL_Y[:2]), learner.refit):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert str(caught.value) == (
            "With warm_start=True training goes on with estimator_ as it is, but "
            f"parameters of estimator were changed since: {names}. Set them on the "
            "trained one too (learner.estimator_.set_params(...)), start again with "
            "fit, or set warm_start=False."
        )
    assert_unchanged(learner, before)
    assert len(learner.query(POOL, n=2)) == 2
    learner.set_params(warm_start=False).refit()
    assert learner.set_params(warm_start=True).refit().n_labeled_ == 60


def test_parameters_of_steps_and_callbacks_count():
    learner = make_learner(net=imputing(), warm_start=True).fit(X, Y)
    learner = pickle.loads(pickle.dumps(learner)).refit()
    net = learner.estimator[-1]
    for change, back, name in [
        (lambda: learner.estimator[0].set_params(strategy="median"),
         lambda: learner.estimator[0].set_params(strategy="mean"),
         "'estimator__simpleimputer__strategy'"),
        (lambda: net.callbacks[0][1].set_params(patience=2),
         lambda: net.callbacks[0][1].set_params(patience=9),
         "'estimator__neuralnetclassifier__callbacks__stop__patience'"),
        (lambda: net.set_params(criterion__weight=torch.ones(3)),
         lambda: net.set_params(criterion__weight=None),
         "'estimator__neuralnetclassifier__criterion__weight'"),
    ]:  # fmt: skip
        change()
        with pytest.raises(InvalidInputError, match=f"changed since: {name}"):
            learner.refit()
        back()
        if "weight" not in name:
            learner.refit()


def test_a_warm_start_heeds_what_is_set_on_the_trained_net():
    learner = make_learner(warm_start=True).fit(X, Y)
    before = weights(learner)
    learner.estimator_.set_params(lr=0.0, max_epochs=3)
    learner.teach(POOL[:2], POOL_Y[:2])
    assert same_weights(weights(learner), before)
    assert len(learner.estimator_.history) == 2 + 3
    # On both, in any order.
    learner.set_params(estimator__lr=0.5)
    learner.estimator_.set_params(lr=0.5)
    learner.refit()
    assert learner.estimator_.optimizer_.param_groups[0]["lr"] == 0.5
    assert not same_weights(weights(learner), before)


def test_a_new_fit_and_a_frozen_net_take_any_parameters():
    learner = make_learner(warm_start=True).fit(X, Y)
    learner.set_params(estimator__max_epochs=4).fit(X, Y)
    assert len(learner.estimator_.history) == 4
    frozen = FrozenEstimator(learner.estimator_)
    learner.set_params(estimator=frozen).teach(POOL[:2], POOL_Y[:2])
    assert same_weights(weights(learner), weights(learner.refit()))


def test_the_seed_holds_until_the_next_fit():
    learner = make_learner().fit(X, Y)
    same = make_learner().fit(X, Y).set_params(random_state=7)
    assert_array_equal(learner.query(POOL, n=4), same.query(POOL, n=4))
    assert same_weights(weights(learner.refit()), weights(same.refit()))
    other = make_learner(random_state=7).fit(X, Y)
    assert same_weights(weights(same.fit(X, Y)), weights(other))


def test_rows_are_checked_for_the_estimator_that_reads_them():
    rows = X.copy()
    rows[::7, 0] = np.nan
    learner = make_learner(net=make_pipeline(SimpleImputer(), make_net())).fit(rows, Y)
    before, asked = learner.predict(rows), learner.query(rows, 3)
    learner.set_params(estimator=make_net())
    assert_array_equal(learner.predict(rows), before)
    assert_array_equal(learner.query(rows, 3), asked)
    # The next training is with the new one, which cannot take such rows.
    with pytest.raises(ValueError, match="Input X contains NaN"):
        learner.teach(rows[:7], Y[:7])
    assert learner.n_labeled_ == len(Y)
