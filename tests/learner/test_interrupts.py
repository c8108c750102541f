"""A real Ctrl-C loses nothing; a callback's KeyboardInterrupt only stops early."""

import copy
import os
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from torch import nn
from torch.autograd import grad_mode

from skbadge.exceptions import LearnerNotFittedError, RefitError
from skbadge.utils._interrupt import lasting_interrupts
from skbadge.utils._torch import one_at_a_time
from tests._learning import (
    Tiny,
    global_states,
    make_data,
    make_learner,
    make_net,
    same_weights,
    weights,
)

X, Y = make_data()
POOL, POOL_Y = make_data(40, seed=1)


class Plan:
    """What happens where, set by each test."""

    where = None
    sent = 0
    breaks = False


def maybe_interrupt(where):
    if Plan.where == where:
        Plan.sent += 1
        if Plan.sent == 1:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def plan(default_sigint):
    Plan.where, Plan.sent, Plan.breaks = None, 0, False
    before = signal.getsignal(signal.SIGINT)
    yield Plan
    assert signal.getsignal(signal.SIGINT) is before
    Plan.where = None


class Watched(Tiny):
    """Interrupts from inside a forward pass, or from a hook."""

    def __init__(self):
        super().__init__()
        self.body[0].register_forward_hook(lambda *_: maybe_interrupt("hook"))

    def forward(self, X):
        maybe_interrupt("batch")
        return super().forward(X)


class FromCallback(Callback):
    """Interrupts from inside a callback, or stops early as skorch has it."""

    def on_epoch_end(self, net, **kwargs):
        maybe_interrupt("callback")
        if Plan.where == "early stop" and len(net.history) == 1:
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        maybe_interrupt("end")
        if Plan.breaks:
            raise KeyError("valid_loss")


class WatchedLoss(nn.CrossEntropyLoss):
    """Interrupts from inside the loss."""

    def forward(self, *args):
        maybe_interrupt("criterion")
        return super().forward(*args)


def watched(warm_start=False):
    net = make_net(Watched, criterion=WatchedLoss, callbacks=[FromCallback])
    step = FunctionTransformer(transformed)
    return make_learner(net=make_pipeline(step, net), warm_start=warm_start)


def transformed(X):
    maybe_interrupt("transformer")
    return X


PLACES = ["batch", "hook", "callback", "criterion", "end", "transformer"]


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("where", PLACES)
def test_interrupted_teach_keeps_labels_and_model(where, warm_start, plan):
    learner = watched(warm_start).fit(X, Y)
    before, generators = weights(learner), global_states()
    proba = learner.predict_proba(POOL)
    plan.where = where
    with pytest.raises(KeyboardInterrupt) as caught:
        learner.teach(POOL[:4], POOL_Y[:4])
    assert str(caught.value) == (
        "Training was interrupted. The 4 new labels are kept (n_labeled_ = 64), the "
        "previous model still predicts, and refit() trains again."
    )
    assert plan.sent >= 1
    plan.where = None
    assert global_states() == generators
    assert same_weights(weights(learner), before)
    assert_array_equal(learner.predict_proba(POOL), proba)
    learner.refit()
    smooth = watched(warm_start).fit(X, Y).teach(POOL[:4], POOL_Y[:4])
    assert same_weights(weights(learner), weights(smooth))


@pytest.mark.parametrize("warm_start", [False, True])
def test_an_interrupted_training_is_not_blamed_for_rows_it_did_not_reach(
    warm_start, plan
):
    net = make_net(Watched, iterator_train__shuffle=False)
    learner = make_learner(net=net, warm_start=warm_start).fit(X, Y)
    plan.where = "batch"
    with (
        warnings.catch_warnings(record=True) as told,
        pytest.raises(KeyboardInterrupt),
    ):
        warnings.simplefilter("always")
        learner.teach(POOL[:3], POOL_Y[:3])
    assert told == []
    assert learner.n_labeled_ == 63


@pytest.mark.parametrize("warm_start", [False, True])
def test_an_error_that_follows_does_not_hide_the_interrupt(warm_start, plan):
    """As of a callback that reads the last epoch, which never ended."""
    learner = watched(warm_start).fit(X, Y)
    plan.where, plan.breaks = "criterion", True
    with pytest.raises(KeyboardInterrupt, match="The 4 new labels are kept") as caught:
        learner.teach(POOL[:4], POOL_Y[:4])
    assert isinstance(caught.value.__cause__.__cause__, KeyError)
    plan.where = None
    with pytest.raises(RefitError, match="KeyError: 'valid_loss'"):
        learner.refit()
    plan.breaks = False
    assert learner.refit().n_labeled_ == 64


@pytest.mark.parametrize("where", PLACES)
def test_interrupted_first_fit_keeps_labels(where, plan):
    learner = watched()
    plan.where = where
    with pytest.raises(KeyboardInterrupt):
        learner.fit(X, Y)
    plan.where = None
    assert learner.n_labeled_ == 60
    with pytest.raises(LearnerNotFittedError):
        learner.predict(POOL)
    assert same_weights(weights(learner.refit()), weights(watched().fit(X, Y)))


def test_interrupted_second_fit_leaves_the_first(plan):
    learner = watched().fit(X, Y)
    state = dict(vars(learner))
    plan.where = "batch"
    with pytest.raises(KeyboardInterrupt):
        learner.fit(POOL, POOL_Y)
    assert vars(learner) == state


@pytest.mark.parametrize("where", ["batch", "hook", "transformer"])
def test_interrupted_query_changes_nothing(where, plan):
    learner = watched().fit(X, Y)
    first = learner.query(POOL, n=3)
    state, generators = dict(vars(learner)), global_states()
    module = learner.estimator_[-1].module_
    training = [part.training for part in module.modules()]
    hooks = [len(part._forward_hooks) for part in module.modules()]
    plan.where = where
    with pytest.raises(KeyboardInterrupt):
        learner.query(POOL, n=5)
    plan.where = None
    assert vars(learner) == state
    assert global_states() == generators
    assert [part.training for part in module.modules()] == training
    assert [len(part._forward_hooks) for part in module.modules()] == hooks
    assert not any(part._forward_pre_hooks for part in module.modules())
    assert_array_equal(learner.query(POOL, n=3), first)


def test_a_signal_from_outside_counts(plan):
    class Kill(Callback):
        def on_batch_end(self, net, **kwargs):
            os.kill(os.getpid(), signal.SIGINT)

    learner = make_learner(net=make_net(callbacks=[Kill()]))
    with pytest.raises(KeyboardInterrupt):
        learner.fit(X, Y)
    assert learner.n_labeled_ == 60


def test_a_callback_may_stop_training_early(plan):
    plan.where = "early stop"
    learner = watched().fit(X, Y)
    assert len(learner.estimator_[-1].history) == 1
    assert len(learner.teach(POOL[:2], POOL_Y[:2]).query(POOL, n=2)) == 2


def test_a_handler_of_the_users_own_keeps_its_meaning(plan):
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        plan.where = "batch"
        learner = watched().fit(X, Y)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]
    assert len(learner.estimator_[-1].history) == 2


def test_an_ignored_signal_stays_ignored(plan):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        plan.where = "batch"
        watched().fit(X, Y)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_handler_comes_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="x"), lasting_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
        raise OSError("x")
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_train_without_a_handler():
    found = {}

    def work():
        before = signal.getsignal(signal.SIGINT)
        with lasting_interrupts():
            found["same"] = signal.getsignal(signal.SIGINT) is before
        found["learner"] = make_learner().fit(X, Y)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found["same"]
    assert same_weights(weights(found["learner"]), weights(make_learner().fit(X, Y)))


def test_two_learners_in_two_threads_do_not_disturb_each_other():
    def campaign(seed, answers):
        learner = make_learner(random_state=seed).fit(X, Y)
        for _ in range(4):
            chosen = learner.query(POOL, n=3)
            learner.teach(POOL[chosen], POOL_Y[chosen])
            answers.append(chosen)
        answers.append(learner.predict_proba(POOL))

    before = global_states()
    alone = {seed: [] for seed in (0, 1)}
    for seed, answers in alone.items():
        campaign(seed, answers)
    together = {seed: [] for seed in alone}
    threads = [
        threading.Thread(target=campaign, args=item) for item in together.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert global_states() == before
    for seed in alone:
        for a, b in zip(alone[seed], together[seed], strict=True):
            assert_array_equal(a, b)
    assert not np.array_equal(alone[0][0], alone[1][0])


class AtTheEntryOf:
    """Raise a Ctrl-C as the first thing in the n-th call of some functions.

    That is where Python itself raises it, of a function that was just called.
    """

    FILES = ("_hooks.py", "_torch.py", "_interrupt.py", "_batch.py", "_pass.py")

    def __init__(self, n=None, also=""):
        self.n, self.calls, self.name, self.also = n, 0, "", also

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *error):
        sys.settrace(self.before)

    def _called(self, frame, event, arg):
        code = frame.f_code
        name = code.co_filename
        ours = "skbadge" in name and name.endswith(self.FILES)
        if (ours or name == self.also) and code.co_name != "<lambda>":
            self.calls += 1
            if self.calls == self.n:
                self.name = code.co_qualname
                sys.settrace(None)
                raise KeyboardInterrupt
        return None


def what_is_there(learner):
    module = learner.estimator_.module_
    return [
        (
            part.training,
            len(part._forward_hooks),
            len(part._forward_pre_hooks),
            [id(weight) for weight in part.parameters(recurse=False)],
            [weight.requires_grad for weight in part.parameters(recurse=False)],
        )
        for part in module.modules()
    ]


def is_free(lock):
    """Say whether another thread could take it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: lock.acquire(blocking=False) and not lock.release())


@pytest.mark.parametrize("act", ["query", "teach", "predict"])
def test_an_interrupt_at_the_entry_of_any_function(act):
    """Also of ``__exit__``, of whose lines none is run then."""
    learner = make_learner(net=make_net(max_epochs=1)).fit(X, Y)

    def run():
        if act == "teach":
            copy.copy(learner).teach(POOL[:2], POOL_Y[:2])
        else:
            getattr(learner, act)(POOL[:9])

    # Of what is raised there in a training, skorch takes no note: it is no signal.
    also = "" if act == "teach" else grad_mode.__file__
    with AtTheEntryOf(also=also) as counted:
        run()
    assert counted.calls > 10
    before, generators = what_is_there(learner), global_states()
    handler = signal.getsignal(signal.SIGINT)
    for n in range(1, counted.calls + 1):
        with AtTheEntryOf(n, also) as interrupt:
            try:
                run()
            except KeyboardInterrupt:
                pass
            else:
                raise AssertionError(f"swallowed in {interrupt.name}")
        where = f"{n}: {interrupt.name}"
        assert is_free(one_at_a_time()).result(), where
        assert global_states() == generators, where
        assert what_is_there(learner) == before, where
        assert torch.is_grad_enabled(), where
        assert signal.getsignal(signal.SIGINT) is handler, where
