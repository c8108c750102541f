"""Nets of well-known libraries, unmodified, against autograd."""

import numpy as np
import pytest
import torch

from skbadge import ActiveLearner, CoreSet, MarginSampling, exceptions
from skbadge.extraction._pass import collect_outputs
from skbadge.nets._estimators import find_net
from skbadge.strategies import Needs
from skbadge.utils._rows import n_rows, take
from skbadge.utils._tree import mapped
from tests._oracles import last_layer_gradients
from tests._real_nets import NO_PRODUCT, REAL_NETS

# transformers' own, when peft wraps a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)
ALL = Needs(proba=True, residual=True, features=True)


def single_rows(X):
    """Return the rows one by one, as tensors in batches of one."""
    return [
        mapped(lambda leaf: torch.as_tensor(leaf[i : i + 1]), X)  # noqa: B023
        for i in range(n_rows(X))
    ]


def scores_of(net, row):
    """Return what the module answers for one row, picked by hand."""
    net.module_.eval()
    with torch.no_grad():
        answer = net.infer(row)
    if isinstance(answer, tuple):
        return answer[0]
    return answer["logits"] if hasattr(answer, "keys") else answer


@pytest.mark.parametrize("case", REAL_NETS, ids=lambda case: case.id)
def test_works_as_it_is_and_equals_autograd(case):
    X, y = case.data()
    learner = ActiveLearner(case.net(), layer=case.layer, random_state=0).fit(X, y)
    pool = take(X, np.arange(3))
    assert len(set(learner.query(pool, n=2).tolist())) == 2

    net = find_net(learner.estimator_)
    outputs = collect_outputs(net, pool, ALL, layer=case.layer)
    rows = single_rows(pool)
    proba = torch.cat([scores_of(net, row) for row in rows]).softmax(dim=1)
    torch.testing.assert_close(outputs.proba, proba, rtol=1e-4, atol=0)
    labels = proba.argmax(dim=1)
    layer = net.module_.get_submodule(case.head)
    expected = last_layer_gradients(net, layer, rows, labels=labels)
    residual, features = outputs.residual.double(), outputs.features.double()
    found = torch.einsum("nk,nd->nkd", residual, features).flatten(1)
    size = expected.norm(dim=1)
    assert (size > 1e-5).all()
    assert ((found - expected).norm(dim=1) / size < 1e-4).all()


@pytest.mark.parametrize("case", NO_PRODUCT, ids=lambda case: case.id)
def test_no_product_is_said_in_the_first_query(case):
    X, y = case.data()
    learner = ActiveLearner(case.net(), random_state=0).fit(X, y)
    with pytest.raises(exceptions.LayerError, match="sum of several products") as error:
        learner.query(X, n=2)
    # No other layer would do.
    assert "layer='...'" not in str(error.value)
    assert "MarginSampling" in str(error.value)
    for strategy in (CoreSet(), MarginSampling()):
        learner = ActiveLearner(case.net(), strategy=strategy, random_state=0)
        assert len(learner.fit(X, y).query(X, n=2)) == 2
