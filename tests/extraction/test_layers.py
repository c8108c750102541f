import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from skbadge import exceptions
from skbadge.extraction._hooks import captured_calls
from skbadge.extraction._layers import (
    candidates,
    check_layer_name,
    choose_layer,
    head_of,
    is_linear,
    linear_layers,
    static_width,
    width_of,
)


class Two(nn.Module):
    """Layers registered in another order than they run."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)
        self.body = nn.Linear(2, 4)
        self.unused = nn.Linear(9, 3)

    def forward(self, X):
        return self.head(self.body(X))


def chosen(module, X, name=None, widths=(3,)):
    with captured_calls(
        candidates(module, name, widths, for_gradient=True), cut=True
    ) as record:
        with torch.no_grad():
            scores = module(X)
        return choose_layer(module, record.take(), scores)


ROWS = torch.ones(5, 2)
LISTED = (
    "Linear layers of the module: 'head' (4 -> 3), 'body' (2 -> 4), 'unused' (9 -> 3)."
)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda module: module,
        lambda module: torch.compile(module, backend="eager"),
        nn.DataParallel,
        lambda module: nn.DataParallel(torch.compile(module, backend="eager")),
    ],
    ids=["plain", "compiled", "data-parallel", "both"],
)
def test_names_are_those_a_user_knows(wrap):
    assert list(linear_layers(wrap(Two()))) == ["head", "body", "unused"]


def test_names_inside_a_compiled_part():
    module = nn.Sequential(torch.compile(Two(), backend="eager"), nn.Linear(3, 3))
    assert list(linear_layers(module)) == ["0.head", "0.body", "0.unused", "1"]


def test_a_module_that_is_a_layer():
    assert list(linear_layers(nn.Linear(2, 3))) == ["(module)"]


@pytest.mark.parametrize("widths", [{3}, {None}, {7}])
def test_the_layer_that_leads_to_the_scores(widths):
    assert chosen(Two(), ROWS, widths=widths) == "head"


def test_a_layer_that_runs_last_and_leads_nowhere():
    class Projected(Two):
        def forward(self, X):
            hidden = self.body(X)
            scores = self.head(hidden)
            self.projected = self.other(hidden)
            return scores

        def __init__(self):
            super().__init__()
            self.other = nn.Linear(4, 3)

    assert chosen(Projected(), ROWS) == "head"


def test_the_last_of_several_that_are_as_wide_as_the_scores():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(2, 3), nn.Linear(2, 3)
            self.shift = nn.Linear(2, 1)

        def forward(self, X):
            return self.first(X) + self.last(X) + self.shift(X)

    assert chosen(Sum(), ROWS, widths={None}) == "last"


def test_without_gradients_the_answer_itself_tells():
    class Frozen(Two):
        @torch.inference_mode()
        def forward(self, X):
            return super().forward(X)

    assert chosen(Frozen(), ROWS) == "head"
    behind = nn.Sequential(Frozen(), nn.Softmax(1))
    behind.forward = torch.inference_mode()(behind.forward)
    with pytest.raises(
        exceptions.LayerError, match="by steps that torch can different"
    ):
        chosen(behind, ROWS)


def test_static_width():
    assert static_width(Two()) == 3
    assert static_width(Two(), "body") == 4
    assert static_width(Two(), "nothing") is None
    assert static_width(nn.ReLU()) is None


def test_a_name_that_is_none_lists_the_candidates():
    with pytest.raises(exceptions.LayerError) as caught:
        check_layer_name(Two(), "bodi")
    assert str(caught.value) == (
        f"layer must be the dotted name of a layer. Got 'bodi' instead. {LISTED}"
    )


def test_a_layer_of_another_kind_has_features_and_no_gradient():
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert candidates(module, "1", {3}, for_gradient=False) == {"1": module[1]}
    with pytest.raises(exceptions.LayerError) as caught:
        candidates(module, "1", {3}, for_gradient=True)
    assert str(caught.value) == (
        "The gradient is read of an nn.Linear layer or a 1x1 convolution. Got '1', a "
        "ReLU, instead. Linear layers of the module: '0' (2 -> 3). Name one of these, "
        "or use a strategy that needs no gradient (for example MarginSampling)."
    )


def test_only_layers_of_a_likely_width_are_watched():
    names = {
        width: list(candidates(Two(), None, {width}, for_gradient=True))
        for width in (3, 4, 9)
    }
    assert names == {3: ["head", "unused"], 4: ["body"], 9: ["head", "body", "unused"]}


def test_no_layer_that_runs():
    class Idle(Two):
        def forward(self, X):
            return X @ self.body.weight.T

    with pytest.raises(exceptions.LayerError, match="no nn.Linear layer.* ran in the"):
        chosen(Idle(), ROWS)


@pytest.mark.parametrize("kernel, linear", [(1, True), (2, False), ((1, 2), False)])
def test_convolutions_of_one_pixel_are_linear(kernel, linear):
    layer = nn.Conv2d(2, 3, kernel)
    assert is_linear(layer) == linear
    assert not is_linear(nn.Conv2d(2, 2, 1, groups=2))
    if linear:
        assert width_of(layer) == 3
        weight, bias = head_of(layer)
        assert weight.shape == (3, 2) and bias.shape == (3,)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Conv1d(2, 3, 3)])
def test_no_linear_layer_at_all(module):
    with pytest.raises(exceptions.LayerError) as caught:
        candidates(module, None, {3}, for_gradient=True)
    assert str(caught.value) == (
        f"The module ({type(module).__name__}) has no nn.Linear layer at all, and no "
        "1x1 convolution, whose calls could be observed. Let forward call such a "
        "layer, or use a strategy that needs no gradient (for example MarginSampling)."
    )


@pytest.mark.parametrize(
    "parametrize", [parametrizations.weight_norm, parametrizations.spectral_norm]
)
def test_computed_weights_are_not_computed_anew(parametrize):
    module = nn.Sequential(parametrize(nn.Linear(2, 3)))
    module.train()
    buffers = [buffer.clone() for buffer in module.buffers()]
    module.eval()
    assert chosen(module, ROWS) == "0"
    for before, after in zip(buffers, module.buffers(), strict=True):
        assert torch.equal(before, after)
