"""The features alone, as a scikit-learn transformer."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch import NeuralNetClassifier
from torch import nn

from skbadge import PenultimateFeatures, exceptions
from tests._any_modules import Net
from tests._any_nets import CASES, build
from tests._learning import Double, global_states, make_data, make_net
from tests._net_states import user_module
from tests._steps import Sizer, lean_settings_of_batches

X, Y = make_data()


def transformer(net=None, **settings):
    return PenultimateFeatures(net or make_net(), random_state=0, **settings)


def checked_transformer():
    # The checks compare to 1e-9; float32 rounds by the place of a row in its batch.
    settings = {"callbacks": [Sizer], "module__dropout": 0.0}
    net = make_net(Double, **settings, **lean_settings_of_batches())
    return PenultimateFeatures(net, random_state=0)


CHECKS = [
    pytest.param(estimator, check, id=f"{check.func.__name__}-{i}")
    for i, (estimator, check) in enumerate(
        estimator_checks_generator(checked_transformer())
    )
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.id in {"one-logit", "tuple", "lazy", "deep-named",
                                           "convolutional", "lstm", "transformer",
                                           "two-inputs", "sequential"}],
    ids=lambda case: case.id,
)  # fmt: skip
def test_features_are_the_input_of_the_layer(case):
    features = PenultimateFeatures(build(case), layer=case.layer, random_state=0)
    found = features.fit(case.X, case.y).transform(case.X)
    net = features.estimator_
    layer = user_module(net).get_submodule(case.head)
    bias = layer.bias.detach()
    logits = torch.as_tensor(found) @ layer.weight.detach().T + bias
    output = next(iter(net.forward_iter(case.X)))
    output = output[0] if isinstance(output, tuple) else output
    torch.testing.assert_close(logits.reshape(-1)[: output.numel()],
                               output.reshape(-1), atol=1e-5, rtol=1e-5)  # fmt: skip
    assert len(found) == len(case.y)
    assert found.dtype == np.float32


def test_before_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        transformer().transform(X)


def test_seeds_and_global_generators():
    before = global_states()
    first = transformer().fit_transform(X, Y)
    np.testing.assert_array_equal(first, transformer().fit(X, Y).transform(X))
    other = PenultimateFeatures(make_net(), random_state=1).fit_transform(X, Y)
    assert not np.allclose(first, other)
    assert PenultimateFeatures(make_net()).fit(X, Y).transform(X).shape == first.shape
    assert global_states() == before


def test_names_and_output_containers():
    features = transformer().fit(X, Y)
    names = [f"penultimatefeatures{i}" for i in range(6)]
    assert features.get_feature_names_out().tolist() == names
    frame = pd.DataFrame(X, columns=list("abc"), index=np.arange(len(X)) + 7)
    features = transformer().set_output(transform="pandas").fit(frame, Y)
    found = features.transform(frame)
    assert found.columns.tolist() == names
    assert found.index.tolist() == frame.index.tolist()
    assert features.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        features.transform(frame.rename(columns={"a": "z"}))


def test_pipelines_inside_and_outside():
    inner = make_pipeline(StandardScaler(), make_net())
    whole = make_pipeline(transformer(inner), LogisticRegression())
    assert whole.fit(X, Y).score(X, Y) > 0.5
    outer = make_pipeline(StandardScaler(), transformer(), LogisticRegression())
    np.testing.assert_allclose(
        whole.predict_proba(X), outer.fit(X, Y).predict_proba(X), atol=1e-5
    )


def test_a_frozen_net_needs_no_labels():
    net = make_net().fit(X.astype(np.float32), Y)
    state = {name: value.clone() for name, value in net.module_.state_dict().items()}
    features = transformer(FrozenEstimator(net))
    assert not get_tags(features).target_tags.required
    assert get_tags(transformer()).target_tags.required
    found = features.fit(X).transform(X)
    with torch.no_grad():
        expected = net.module_.body.eval()(torch.as_tensor(X, dtype=torch.float32))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, state[name])
    assert features.estimator_ is not net


def test_frozen_pipelines():
    pipeline = make_pipeline(StandardScaler(), make_net())
    pipeline.fit(X.astype(np.float32), Y)
    found = transformer(FrozenEstimator(pipeline)).fit_transform(X)
    scaled = pipeline[:-1].transform(X)
    again = transformer(FrozenEstimator(pipeline[-1])).fit_transform(scaled)
    np.testing.assert_allclose(found, again, atol=1e-6)


def test_clone_parameters_search_and_pickle():
    features = transformer()
    assert features.get_params()["estimator__lr"] == 0.1
    features.fit(X, Y)
    twin = clone(features)
    assert not hasattr(twin, "estimator_")
    search = GridSearchCV(
        make_pipeline(transformer(), LogisticRegression()),
        {"penultimatefeatures__estimator__module__n_hidden": [2, 8]},
        cv=2,
    ).fit(X, Y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    copied = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copied.transform(X), features.transform(X))


def test_one_row_equals_many():
    features = transformer().fit(X, Y)
    np.testing.assert_allclose(
        features.transform(X[3:4]), features.transform(X)[3:4], atol=1e-6
    )


def test_a_failed_fit_leaves_the_net_alone():
    class Broken(Net):
        def forward(self, X):
            if self.training:
                raise RuntimeError("broken")
            return super().forward(X)

    net = NeuralNetClassifier(Broken, criterion=nn.CrossEntropyLoss, verbose=0)
    with pytest.raises(RuntimeError, match="broken"):
        PenultimateFeatures(net).fit(np.ones((20, 5), dtype=np.float32), [0, 1] * 10)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"layer": "haed"}, "Got 'haed' instead. Linear layers of the module"),
        ({"estimator": LogisticRegression()}, "Got LogisticRegression instead"),
        ({"estimator": FrozenEstimator(make_net())}, "must hold a fitted net"),
    ],
)
def test_wrong_parameters(change, message):
    with pytest.raises(exceptions.SkbadgeError, match=message):
        transformer().set_params(**change).fit(X, Y)


@pytest.mark.parametrize("layer, width", [("body.0", 3), ("body.1", 6), ("head", 6)])
def test_the_input_of_any_layer(layer, width):
    features = transformer().set_params(layer=layer).fit(X, Y)
    assert features.transform(X).shape == (len(X), width)


def test_wrong_rows():
    features = transformer().fit(X, Y)
    with pytest.raises(ValueError, match="has 2 features, but PenultimateFeatures is"):
        features.transform(X[:, :2])
    with pytest.raises(ValueError, match="NaN"):
        features.transform(np.where(X > 1, np.nan, X))
    with pytest.raises(ValueError, match="0 sample"):
        features.transform(X[:0])
    with pytest.raises(
        exceptions.InvalidInputError, match="at least one row. Got none"
    ):
        features.transform(torch.as_tensor(X[:0]))
    with pytest.raises(exceptions.InvalidInputError, match="y must hold one label"):
        transformer().fit(X)


def test_names_of_classes_come_from_the_net():
    names = np.array(["ant", "bee"])[Y % 2]
    with pytest.raises(exceptions.InvalidInputError) as caught:
        transformer().fit(X, names)
    assert "classes=[...] of the ActiveLearner or of the net" in str(caught.value)
    net = make_net(classes=["ant", "bee", "crow"])
    assert transformer(net).fit(X, names).transform(X).shape == (60, 6)
