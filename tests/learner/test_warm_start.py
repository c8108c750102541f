"""Trainings that begin from weights there are: shrunk, perturbed, and trained on."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring, LRScheduler
from torch import nn

from skbadge.exceptions import InvalidInputError
from skbadge.learner._warm_start import shrink_perturb
from skbadge.utils._random import Purpose, seed_for
from tests._learning import (
    Normed,
    Tiny,
    global_states,
    make_data,
    make_learner,
    make_net,
    same_weights,
    weights,
)

X, Y = make_data(30)
POOL, POOL_Y = make_data(60, seed=1)
STILL = {"lr": 0.0, "optimizer__weight_decay": 0.0}


def taught(net, rounds=1, **settings):
    settings = {"warm_start": "shrink-perturb", **settings}
    learner = make_learner(net=net, **settings).fit(X, Y)
    for i in range(rounds):
        learner.teach(POOL[i : i + 4], POOL_Y[i : i + 4])
    return learner


def test_weights_are_those_computed_by_hand():
    # With a learning rate of zero, all that moves the weights is the new beginning.
    learner = make_learner(net=make_net(**STILL), warm_start="shrink-perturb")
    before = weights(learner.fit(X, Y))
    entropy = learner.state()["entropy"]
    learner.teach(POOL[:4], POOL_Y[:4])
    generator = torch.Generator().manual_seed(
        seed_for(entropy, Purpose.PERTURBATION, 1)
    )
    for name, value in weights(learner).items():
        noise = torch.randn(before[name].shape, generator=generator)
        assert_allclose(value, 0.6 * before[name] + 0.01 * noise, rtol=1e-6, atol=1e-9)


def test_noise_is_normal_and_the_wrong_law_is_seen():
    net = make_net(Tiny, module__n_features=300, module__n_hidden=100).initialize()
    before = net.module_.body[0].weight.detach().clone()
    shrink_perturb(net, 0)
    noise = (net.module_.body[0].weight.detach() - 0.6 * before).numpy().ravel()
    assert stats.kstest(noise[:20_000] / 0.01, "norm").pvalue > 1e-3
    assert stats.kstest(noise[:20_000] / 0.011, "norm").pvalue < 1e-3


def test_each_training_has_noise_of_its_own_and_a_seed_fixes_it():
    first, second = (taught(make_net(), rounds=3) for _ in range(2))
    assert same_weights(weights(first), weights(second))
    learner = make_learner(net=make_net(**STILL), warm_start="shrink-perturb")
    noises = []
    for _ in range(2):
        before = weights(learner.fit(X, Y) if not noises else learner)
        learner.refit()
        after = weights(learner)
        noises.append({name: after[name] - 0.6 * before[name] for name in after})
    assert not torch.allclose(noises[0]["head.weight"], noises[1]["head.weight"])


def test_global_generators_and_the_previous_model_are_untouched():
    states = global_states()
    learner = make_learner(net=make_net(), warm_start="shrink-perturb").fit(X, Y)
    previous, before = learner.estimator_, weights(learner)
    learner.teach(POOL[:4], POOL_Y[:4])
    kept = previous.module_.state_dict()
    assert all(torch.equal(before[name], kept[name]) for name in before)
    assert global_states() == states


def test_the_first_training_is_from_scratch():
    cold = make_learner(net=make_net()).fit(X, Y)
    warm = make_learner(net=make_net(), warm_start="shrink-perturb").fit(X, Y)
    assert same_weights(weights(cold), weights(warm))


def test_buffers_stay_and_optimizer_callbacks_and_history_are_new():
    net = make_net(Normed, optimizer=torch.optim.Adam, lr=0.01)
    learner = taught(net)
    # Batches counted by BatchNorm: those of both trainings, of 30 and of 34 rows.
    assert weights(learner)["norm.num_batches_tracked"] == 2 * 2 + 2 * 3
    steps = learner.estimator_.optimizer_.state_dict()["state"][0]["step"]
    assert steps == 2 * 3
    assert len(learner.estimator_.history) == 2
    trained = {id(p) for p in learner.estimator_.module_.parameters()}
    (group,) = learner.estimator_.optimizer_.param_groups
    assert {id(p) for p in group["params"]} == trained


def test_weights_that_are_not_trained_stay():
    class HalfFrozen(Tiny):
        def __init__(self):
            super().__init__()
            self.body.requires_grad_(False)

    learner = make_learner(net=make_net(HalfFrozen), warm_start="shrink-perturb")
    before = weights(learner.fit(X, Y))
    after = weights(learner.teach(POOL[:4], POOL_Y[:4]))
    assert torch.equal(before["body.0.weight"], after["body.0.weight"])
    assert not torch.equal(before["head.weight"], after["head.weight"])


class WeighedLoss(nn.CrossEntropyLoss):
    """A loss with a trainable weight, and the module's own head beside it."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits, y):
        return super().forward(self.scale * logits, y)


def test_weights_of_the_criterion_are_shrunk_too():
    learner = taught(make_net(criterion=WeighedLoss, **STILL))
    scale = learner.estimator_.criterion_.scale.item()
    assert scale == pytest.approx(0.6, abs=0.05)


def test_pipelines_and_disabled_callbacks():
    piped = make_pipeline(StandardScaler(), make_net(callbacks="disable"))
    learner = make_learner(net=piped, warm_start="shrink-perturb").fit(X, Y)
    mean = learner.estimator_[0].mean_.copy()
    learner.teach(POOL[:10] + 100, POOL_Y[:10])
    assert_array_equal(learner.estimator_[0].mean_, mean)


def test_scorers_go_on_to_see_classes():
    names = np.array(["a", "b", "c"])
    seen = []

    def scorer(net, X, y):
        seen.append(set(y))
        return 0.0

    score = EpochScoring(scorer, on_train=True, name="seen")
    net = make_net(callbacks=[("score", score)])
    learner = make_learner(net=net, warm_start="shrink-perturb")
    learner.fit(X, names[Y]).teach(POOL[:6], names[POOL_Y[:6]])
    assert len(seen) == 4
    assert all(labels <= set(names) for labels in seen)


def test_a_schedule_runs_anew():
    schedule = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    learner = taught(make_net(callbacks=[("lr", schedule)], lr=0.1), rounds=2)
    rates = learner.estimator_.history[:, "event_lr"]
    assert rates == pytest.approx([0.1, 0.01])


@pytest.mark.parametrize("value", ["shrink", "True", None, 1, 0.6])
def test_other_values_are_refused_before_anything_is_stored(value):
    learner = make_learner(warm_start=value)
    with pytest.raises(InvalidInputError, match="must be False, True or"):
        learner.fit(X, Y)
    learner = make_learner().fit(X, Y).set_params(warm_start=value)
    with pytest.raises(InvalidInputError, match="must be False, True or"):
        learner.teach(POOL[:4], POOL_Y[:4])
    assert learner.n_labeled_ == 30


def test_changed_parameters_are_refused_as_for_a_plain_warm_start():
    learner = make_learner(warm_start="shrink-perturb").fit(X, Y)
    learner.set_params(estimator__lr=0.5)
    with pytest.raises(InvalidInputError, match="warm_start='shrink-perturb' training"):
        learner.teach(POOL[:4], POOL_Y[:4])


def test_its_last_training_cannot_be_repeated_alone():
    learner = taught(make_net())
    with pytest.raises(InvalidInputError, match="'shrink-perturb' the weights hang"):
        taught(make_net()).restore(learner.X_, learner.y_, learner.state())


def scheduled(step_size):
    schedule = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=step_size)
    return make_net(callbacks=[("lr", schedule)], lr=0.1, max_epochs=3)


@pytest.mark.parametrize("warm_start", [True, "shrink-perturb", False])
def test_a_rate_that_is_spent_is_told(warm_start):
    learner = make_learner(net=scheduled(1), warm_start=warm_start).fit(X, Y)
    if warm_start is True:
        with pytest.warns(UserWarning, match=r"was at most 1e-05, where the net's"):
            learner.teach(POOL[:4], POOL_Y[:4])
        with pytest.warns(UserWarning, match="begins anew; or set the rate"):
            learner.refit()
        learner.estimator_.set_params(lr=0.1)
    learner.refit()
    names = [name for name, _ in learner.estimator_.callbacks_]
    assert "highest_rate" not in names


def test_a_rate_that_goes_up_again_is_no_reason_to_warn():
    cycle = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=0.1,
        total_steps=40,
        step_every="batch",
    )
    net = make_net(callbacks=[("lr", cycle)], max_epochs=3)
    make_learner(net=net, warm_start=True).fit(X, Y).teach(POOL[:4], POOL_Y[:4])
    make_learner(net=scheduled(3), warm_start=True).fit(X, Y).refit()
