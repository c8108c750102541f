import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skbadge.extraction._hooks import captured_calls, checked_inputs, kept_state


def hooks(module):
    return sum(
        len(part._forward_hooks) + len(part._forward_pre_hooks)
        for part in module.modules()
    )


class Named(nn.Module):
    """Calls its layer by keyword."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 2)

    def forward(self, X):
        return self.head(input=X)


def test_calls_come_in_order_and_as_clones():
    first, second = nn.Linear(2, 2), nn.Linear(2, 1)
    X = torch.ones(3, 2)
    with captured_calls({"first": first, "second": second}) as record:
        second(first(X))
        calls = record.take()
        assert record.take() == []
    assert [call.name for call in calls] == ["first", "second"]
    X.zero_()
    assert torch.equal(calls[0].features, torch.ones(3, 2))
    assert torch.equal(calls[0].logits, calls[1].features)
    assert not calls[0].logits.requires_grad


def test_input_given_by_keyword():
    module = Named()
    with captured_calls({"head": module.head}) as record:
        module(torch.ones(1, 2))
    assert torch.equal(record.take()[0].features, torch.ones(1, 2))


def test_a_cut_hands_on_a_leaf_and_records_what_follows():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True))
    with captured_calls({"0": module[0]}, cut=True) as record, torch.no_grad():
        output = module(torch.ones(3, 2))
    (call,) = record.take()
    assert call.logits.is_leaf and call.logits.requires_grad
    (gradient,) = torch.autograd.grad(output.sum(), call.logits)
    assert torch.equal(gradient, (call.logits > 0).float())
    assert torch.equal(output, call.logits.relu())
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_cut_of_half_precision_has_more_digits(dtype):
    layer = nn.Linear(2, 2).to(dtype)
    with captured_calls({"layer": layer}, cut=True) as record:
        output = layer(torch.ones(1, 2, dtype=dtype))
    (call,) = record.take()
    assert output.dtype == dtype
    assert call.logits.dtype == torch.float32


def test_keep_only_stops_watching_the_others():
    layers = {name: nn.Linear(2, 2) for name in "abc"}
    with captured_calls(layers) as record:
        record.keep_only("b")
        assert [hooks(layer) for layer in layers.values()] == [0, 1, 0]
        for layer in layers.values():
            layer(torch.ones(1, 2))
    assert [call.name for call in record.take()] == ["b"]
    assert [hooks(layer) for layer in layers.values()] == [0, 0, 0]


def test_no_hook_is_left_after_an_error():
    module = Named()
    with (
        pytest.raises(KeyError),
        captured_calls({"head": module.head}),
        checked_inputs(module, bool),
    ):
        assert hooks(module) == 2
        raise KeyError
    assert hooks(module) == 0


def test_a_layer_that_cannot_be_hooked_leaves_no_hook_on_the_others():
    good = nn.Linear(2, 2)
    with pytest.raises(AttributeError), captured_calls({"a": good, "b": None}):
        pass
    assert hooks(good) == 0


def test_every_floating_tensor_is_checked():
    class Many(nn.Module):
        def forward(self, a, b, c=None):
            return a

    seen = []
    module = Many()
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    integers = torch.ones(4, dtype=torch.int64)
    with checked_inputs(module, lambda tensor: seen.append(len(tensor))):
        module(one, {"x": [two, integers], "y": "text"}, c=(three,))
    assert seen == [1, 2, 3]


def test_modes_come_back_one_by_one():
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(2, 2), nn.Dropout()),
        criterion=nn.CrossEntropyLoss,
        verbose=0,
    ).initialize()
    net.module_.train()
    net.module_[1].eval()
    net.criterion_.eval()
    with kept_state(net):
        net.module_.eval()
        net.criterion_.train()
    modes = [part.training for part in net.module_.modules()]
    assert modes == [True, True, False]
    assert not net.criterion_.training


def test_buffers_come_back_whatever_a_module_does_to_them():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("in_place", torch.zeros(2))
            self.register_buffer("replaced", torch.zeros(2))

        def forward(self, X):
            self.in_place += 1
            self.replaced = self.replaced + 1
            return X

    net = NeuralNetClassifier(Counting, criterion=nn.CrossEntropyLoss).initialize()
    buffers = dict(net.module_.named_buffers())
    with pytest.raises(RuntimeError), kept_state(net):
        net.module_(torch.zeros(1))
        assert net.module_.replaced.sum() == net.module_.in_place.sum() == 2
        raise RuntimeError
    for name, buffer in net.module_.named_buffers():
        assert buffer is buffers[name]
        assert not buffer.any()


def test_paused_calls_pass_unseen():
    layer = nn.Linear(2, 2)
    with captured_calls({"layer": layer}) as calls:
        with calls.paused():
            layer(torch.zeros(1, 2))
        assert calls.take() == []
        layer(torch.zeros(1, 2))
        assert [call.name for call in calls.take()] == ["layer"]
