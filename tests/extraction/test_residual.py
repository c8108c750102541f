import pytest
import torch
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from skbadge import exceptions
from skbadge.extraction._residual import (
    closed_form,
    has_closed_form,
    hypothetical_labels,
    residuals,
)
from skbadge.nets._estimators import is_binary

SCALES = [0.0, 1e-3, 1.0, 10.0, 60.0]


def make_logits(width, scale, n=40, dtype=torch.float64):
    generator = torch.Generator().manual_seed(width)
    return scale * torch.randn(n, width, generator=generator, dtype=dtype)


def make_net(criterion, kind=NeuralNetClassifier, **settings):
    net = kind(nn.Linear(2, 2), criterion=criterion, verbose=0, **settings)
    return net.initialize()


LINKS = {
    "identity": lambda logits: logits,
    "softmax": lambda logits: torch.softmax(logits, dim=1),
    "log-softmax": lambda logits: torch.log_softmax(logits, dim=1),
    "sigmoid": torch.sigmoid,
}


def by_autograd(net, logits, link="identity"):
    labels = hypothetical_labels(logits)
    exact = torch.promote_types(logits.dtype, torch.float32)
    leaf = logits.detach().to(exact).requires_grad_()
    with torch.enable_grad():
        output = LINKS[link](leaf)
        if isinstance(net, NeuralNetBinaryClassifier):
            output = output.reshape(-1)
    (found,) = residuals(net, output, labels, [leaf], None)
    return found


def closed(net, logits, link="identity"):
    return has_closed_form(net, logits, LINKS[link](logits))


def residual(net, logits, link="identity"):
    if closed(net, logits, link):
        return closed_form(logits)
    return by_autograd(net, logits, link)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "net, link, width",
    [
        (make_net(nn.CrossEntropyLoss), "identity", 4),
        (make_net(nn.CrossEntropyLoss), "log-softmax", 4),
        (make_net(nn.CrossEntropyLoss, criterion__reduction="sum"), "identity", 2),
        (make_net(nn.BCEWithLogitsLoss, NeuralNetBinaryClassifier), "identity", 1),
    ],
    ids=["logits", "log-softmax", "sum", "one-logit"],
)
def test_closed_form_agrees_with_autograd(net, link, width, scale):
    logits = make_logits(width, scale)
    expected = by_autograd(net, logits, link)
    assert closed(net, logits, link)
    torch.testing.assert_close(
        residual(net, logits, link), expected, rtol=1e-9, atol=1e-15
    )


def test_closed_form_on_softmax_leaves_out_the_epsilon_of_skorch():
    net = make_net(nn.NLLLoss)
    logits = make_logits(3, 2.0)
    expected = by_autograd(net, logits, "softmax")
    torch.testing.assert_close(residual(net, logits, "softmax"), expected, rtol=1e-6,
                               atol=1e-12)  # fmt: skip


def test_autograd_on_a_sigmoid():
    net = make_net(nn.BCELoss, NeuralNetBinaryClassifier)
    logits = make_logits(1, 3.0)
    assert not closed(net, logits, "sigmoid")
    torch.testing.assert_close(by_autograd(net, logits, "sigmoid"), closed_form(logits))


@pytest.mark.parametrize("width", [1, 2, 5])
def test_confident_rows_are_exact_in_float32(width):
    """p - 1 is 0 in float32 from a margin of 17 on; the gradient is not."""
    kind = NeuralNetBinaryClassifier if width == 1 else NeuralNetClassifier
    net = make_net(nn.BCEWithLogitsLoss if width == 1 else nn.CrossEntropyLoss, kind)
    logits = torch.zeros(4, width, dtype=torch.float64)
    logits[:, 0] = torch.tensor([17.0, 25.0, 40.0, 80.0])
    if width == 1:
        expected = -torch.sigmoid(-logits)
    else:
        rest = torch.exp(-logits[:, :1])
        p = rest / (1 + (width - 1) * rest)
        expected = torch.cat([-(width - 1) * p, p.expand(-1, width - 1)], dim=1)
    found = residual(net, logits.float())
    assert found.dtype == torch.float32
    assert (found[:, 0] < 0).all()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0)
    # The formula of the paper, as it is often written, loses all of it.
    naive = torch.softmax(logits.float(), dim=1)[:, 0] - 1
    assert width == 1 or (naive == 0).any()


def test_entries_of_a_row_sum_to_zero_and_norms_rank_with_uncertainty():
    logits = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0], [30.0, 0.0]])
    found = residual(make_net(nn.CrossEntropyLoss), logits)
    assert torch.equal(found.sum(dim=1), torch.zeros(4))
    norms = found.norm(dim=1)
    assert torch.equal(norms.argsort(descending=True), torch.arange(4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits = make_logits(3, 5.0).to(dtype)
    net = make_net(nn.CrossEntropyLoss)
    expected = residual(net, logits.float())
    assert torch.equal(residual(net, logits), expected)


@pytest.mark.parametrize(
    "net, link, expected",
    [
        (make_net(nn.CrossEntropyLoss), "softmax", False),
        (make_net(nn.CrossEntropyLoss, criterion__label_smoothing=0.1), "identity", 0),
        (make_net(nn.CrossEntropyLoss, criterion__ignore_index=1), "identity", False),
        (
            make_net(nn.CrossEntropyLoss, criterion__weight=torch.ones(2)),
            "identity",
            False,
        ),
        (make_net(nn.NLLLoss), "softmax", True),
        (make_net(nn.NLLLoss), "identity", False),
        (make_net(nn.NLLLoss, criterion__weight=torch.ones(2)), "softmax", False),
        (make_net(type("Mine", (nn.CrossEntropyLoss,), {})), "identity", False),
        (make_net(nn.MultiMarginLoss), "identity", False),
        (
            make_net(
                nn.BCEWithLogitsLoss,
                NeuralNetBinaryClassifier,
                criterion__pos_weight=torch.tensor(2.0),
            ),
            "identity",
            False,
        ),
    ],
)
def test_when_there_is_a_closed_form(net, link, expected):
    assert closed(net, make_logits(3 - 2 * is_binary(net), 1.0), link) == expected


def test_one_class_against_the_rest_is_no_softmax():
    net = make_net(nn.BCEWithLogitsLoss, NeuralNetBinaryClassifier)
    assert closed(net, make_logits(1, 1.0))
    assert not closed(net, make_logits(3, 1.0))


def test_no_closed_form_for_a_loss_of_ones_own():
    class Own(NeuralNetClassifier):
        def get_loss(self, *args, **kwargs):
            return 3 * super().get_loss(*args, **kwargs)

    logits = make_logits(2, 1.0)
    plain = residual(make_net(nn.CrossEntropyLoss), logits)
    own = residual(make_net(nn.CrossEntropyLoss, Own), logits)
    torch.testing.assert_close(own, 3 * plain)


def test_the_hypothetical_label():
    assert hypothetical_labels(torch.tensor([[1.0, 2.0], [2.0, 1.0]])).tolist() == [
        1,
        0,
    ]
    assert hypothetical_labels(torch.tensor([[-1.0], [0.0], [1.0]])).tolist() == [
        0,
        0,
        1,
    ]


def test_reduction_comes_back_whatever_happens():
    class Broken(nn.CrossEntropyLoss):
        def forward(self, *args):
            assert self.reduction == "none"
            raise RuntimeError("broken")

    net = make_net(Broken)
    with pytest.raises(RuntimeError, match="broken"):
        residual(net, make_logits(2, 1.0))
    assert net.criterion_.reduction == "mean"


class OnlyTheMean(nn.Module):
    """A cross-entropy that gives one number whatever it is told."""

    n_calls = 0

    def forward(self, logits, y):
        self.n_calls += 1
        return nn.functional.cross_entropy(logits, y)


class OnlyTheSum(OnlyTheMean):
    def forward(self, logits, y):
        return len(y) * super().forward(logits, y)


class ReadsANumber(OnlyTheMean):
    """Does what vmap cannot."""

    def forward(self, logits, y):
        loss = super().forward(logits, y)
        return loss if loss.item() > 0 else 0 * loss


@pytest.mark.parametrize(
    "criterion, n_calls",
    [(OnlyTheMean, 3), (OnlyTheSum, 3), (ReadsANumber, 3 + 40)],
)
def test_a_loss_of_a_batch_is_asked_for_single_rows(criterion, n_calls):
    """Once to see what it gives, once as it is, once for all rows or for each."""
    logits = make_logits(3, 2.0)
    net = make_net(criterion)
    found = residual(net, logits)
    torch.testing.assert_close(found, closed_form(logits))
    assert net.criterion_.n_calls == n_calls


def test_a_loss_of_a_batch_that_is_no_mean_of_its_rows():
    class Entropy(nn.Module):
        def forward(self, logits, y):
            mean = logits.softmax(dim=1).mean(dim=0)
            return nn.functional.cross_entropy(logits, y) - mean.log().sum()

    with pytest.raises(exceptions.ModuleOutputError, match="depend on other rows of"):
        residual(make_net(Entropy), make_logits(3, 2.0))


def test_losses_that_are_neither_of_rows_nor_of_a_batch():
    class Pairs(nn.Module):
        def forward(self, logits, y):
            return logits

    with pytest.raises(exceptions.ModuleOutputError) as caught:
        residual(make_net(Pairs), make_logits(2, 1.0))
    assert str(caught.value) == (
        "The loss must be one number a row, or one for a batch. Got the shape (40, 2) "
        "for 40 rows from NeuralNetClassifier with Pairs instead. Let get_loss reduce "
        "its losses as the criterion's attribute reduction says, or use a strategy "
        "that needs no residual (for example MarginSampling)."
    )


def test_a_loss_that_wants_other_labels():
    net = make_net(nn.BCEWithLogitsLoss)
    with pytest.raises(exceptions.ModuleOutputError) as caught:
        residual(net, make_logits(2, 1.0))
    text = str(caught.value)
    assert text.startswith(
        "The loss must take what the module answers in evaluation mode, and one class "
        "number a row. NeuralNetClassifier with BCEWithLogitsLoss failed instead "
        "(ValueError: Target size"
    )
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_loss_that_does_not_follow_from_the_logits():
    class Constant(NeuralNetClassifier):
        def get_loss(self, y_pred, y_true, *args, **kwargs):
            return torch.ones(len(y_true))

    with pytest.raises(exceptions.ModuleOutputError, match="must follow from what the"):
        residual(make_net(nn.CrossEntropyLoss, Constant), make_logits(2, 1.0))


def test_parameters_of_the_criterion_get_no_gradient():
    class Learned(nn.Module):
        reduction = "mean"

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, logits, y):
            return nn.functional.cross_entropy(
                self.scale * logits, y, reduction=self.reduction
            )

    net = make_net(Learned)
    with torch.no_grad():
        found = residual(net, make_logits(2, 1.0))
    assert net.criterion_.scale.grad is None
    assert not found.requires_grad
    assert found.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_softmax_is_known_to_the_last_bit(dtype):
    logits = make_logits(4, 3.0).to(dtype)
    net = make_net(nn.NLLLoss)
    assert has_closed_form(net, logits, torch.softmax(logits, dim=1))
    for other in (logits / 1.001, logits.roll(1, dims=0)):
        assert not has_closed_form(net, logits, torch.softmax(other, dim=1))
    assert not has_closed_form(net, logits, torch.softmax(logits, dim=1)[:, :3])
