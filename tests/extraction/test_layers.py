import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from skbadge import exceptions
from skbadge.extraction._hooks import captured_calls
from skbadge.extraction._layers import (
    check_layer_name,
    choose_layer,
    linear_layers,
    static_width,
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


def calls_of(module, X):
    with captured_calls(linear_layers(module)) as record:
        module(X)
    return record.take()


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


def test_the_last_executed_layer_of_the_width():
    module = Two()
    assert choose_layer(module, calls_of(module, ROWS), 3) == "head"
    assert choose_layer(module, calls_of(module, ROWS), 4) == "body"


def test_static_width():
    assert static_width(Two()) == 3
    assert static_width(Two(), "body") == 4
    assert static_width(Two(), "nothing") is None
    assert static_width(nn.ReLU()) is None


@pytest.mark.parametrize(
    "width, name, message",
    [
        (
            7,
            None,
            "No classification layer was found: the module's output has 7 columns, and "
            f"no executed nn.Linear layer has that width. {LISTED} Name the right one "
            "with layer='...'.",
        ),
        (
            3,
            "unused",
            "The layer 'unused' did not run in the forward pass, so it has no features "
            f"to give. {LISTED} Name another one with layer='...'.",
        ),
        (
            3,
            "body",
            "The layer 'body' has width 4, but the module's output has 3 columns. "
            f"{LISTED} Name the one that gives the class scores with layer='...'.",
        ),
        (
            3,
            "bodi",
            "layer must be the dotted name of an nn.Linear layer. Got 'bodi' instead. "
            f"{LISTED}",
        ),
    ],
)
def test_errors_list_the_candidates(width, name, message):
    module = Two()
    with pytest.raises(exceptions.LayerError) as caught:
        choose_layer(module, calls_of(module, ROWS), width, name)
    assert str(caught.value) == message


def test_a_layer_that_runs_twice():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    calls = calls_of(module, ROWS) * 2
    with pytest.raises(exceptions.LayerError) as caught:
        choose_layer(module, calls, 2)
    assert str(caught.value) == (
        "The layer '0' ran 2 times in one batch, so its gradient is no product of one "
        "residual and one feature vector. Linear layers of the module: '0' (2 -> 2). "
        "Name another one with layer='...', or call it once."
    )


def test_no_linear_layer_at_all():
    with pytest.raises(exceptions.LayerError, match="The module has no nn.Linear laye"):
        check_layer_name(nn.ReLU(), "head")


def test_tied_weights_are_named_without_the_wrappers():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[0].weight = module[1].weight
    module = torch.compile(module, backend="eager")
    with captured_calls(linear_layers(module)) as record:
        module._orig_mod(ROWS)
    calls = record.take()
    assert choose_layer(module, calls, 2) == "1"
    with pytest.raises(exceptions.LayerError) as caught:
        choose_layer(module, calls, 2, for_gradient=True)
    assert str(caught.value) == (
        "The weight of the layer '1' is shared (0.weight, 1.weight), so the gradient "
        "of the loss in it is not that of a last layer alone. Untie it, or use a "
        "strategy that needs no residual (for example MarginSampling)."
    )


@pytest.mark.parametrize(
    "parametrize", [parametrizations.weight_norm, parametrizations.spectral_norm]
)
def test_parametrized_layers_are_linear(parametrize):
    module = nn.Sequential(parametrize(nn.Linear(2, 3)))
    module.train()
    buffers = [buffer.clone() for buffer in module.buffers()]
    module.eval()
    calls = calls_of(module, ROWS)
    assert choose_layer(module, calls, 3, for_gradient=True) == "0"
    for before, after in zip(buffers, module.buffers(), strict=True):
        assert torch.equal(before, after)


def test_subclasses_are_judged_by_what_they_compute():
    class Same(nn.Linear):
        def forward(self, X):
            return X @ self.weight.T + self.bias

    class Scaled(nn.Linear):
        def forward(self, X):
            return 2 * super().forward(X)

    good, bad = nn.Sequential(Same(2, 3)), nn.Sequential(Scaled(2, 3))
    assert choose_layer(good, calls_of(good, ROWS), 3, for_gradient=True) == "0"
    assert choose_layer(bad, calls_of(bad, ROWS), 3) == "0"
    with pytest.raises(exceptions.LayerError, match=r"'0' \(Scaled\) does not answer"):
        choose_layer(bad, calls_of(bad, ROWS), 3, for_gradient=True)
