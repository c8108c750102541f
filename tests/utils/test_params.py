import pickle

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from skorch.callbacks import EarlyStopping

from skbadge import ALBL, CoreSet
from skbadge.utils._params import changed_names, flat_params
from tests._learning import make_net


def test_names():
    net = make_net(callbacks=[("stop", EarlyStopping(patience=3)), EarlyStopping])
    pipeline = make_pipeline(SimpleImputer(), net)
    found = flat_params(pipeline, "estimator")
    assert found["estimator"] is type(pipeline)
    prefix = "estimator__neuralnetclassifier__"
    assert found[prefix + "lr"] == 0.1
    assert found[prefix + "callbacks"] == 2
    assert found[prefix + "callbacks__stop__patience"] == 3
    assert found[prefix + "callbacks__1"] is EarlyStopping
    assert found["estimator__simpleimputer__strategy"] == "mean"
    assert flat_params(None, "strategy") == {"strategy": None}
    arms = flat_params(ALBL(arms=[CoreSet()]), "strategy")
    assert arms["strategy__arms__0"] is CoreSet


def test_a_callback_that_holds_its_net_is_entered_once():
    callback = EarlyStopping()
    net = make_net(callbacks=[("knows", callback)])
    callback.monitor = net
    found = flat_params(net, "net")
    assert found["net__callbacks__knows__monitor"] is type(net)
    assert not [name for name in found if name.count("knows") > 1]


def test_a_module_is_a_value_whatever_its_methods():
    class Module(torch.nn.Module):
        def get_params(self):
            return {}

    module = Module()
    assert flat_params(module, "module") == {"module": module}


VALUES = [
    1,
    2.5,
    "text",
    None,
    np.nan,
    np.ones(3),
    np.ones(2),
    np.zeros(3),
    np.array([1.0, np.nan]),
    torch.ones(3),
    torch.tensor([1.0, np.inf]),
    len,
    {"a": 1},
]


@pytest.mark.parametrize("i", range(len(VALUES)))
def test_changes(i):
    value = VALUES[i]
    twin = pickle.loads(pickle.dumps(value))
    assert changed_names({"a": value}, {"a": twin}) == []
    assert changed_names({"a": value}, {}) == ["a"]
    for j, other in enumerate(VALUES):
        if i != j:
            assert changed_names({"a": value}, {"a": other}) == ["a"], (value, other)
