"""Nets as the libraries they come from build them: small, with random weights.

``REAL_NETS`` lists those that must work as they are, ``NO_PRODUCT`` those whose
gradient in the last layer is no product of a residual and a feature vector. Libraries
are imported when a net is made; where one is not installed, its nets are skipped.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

N_ROWS = 6


@cache
def library(name):
    """Import a library, or skip the test where it is not installed."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name} is not installed (it comes with skbadge[test])")
    _declare_torchvision_operators()
    return importlib.import_module(name)


@cache
def _declare_torchvision_operators():
    """Let torchvision be imported beside a build of torch that it was not made for.

    Its package index holds wheels for one kind of accelerator only, whose compiled
    operators do not load beside the CPU build of torch. The models need none of them,
    but the import describes two whose declaration is then missing.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        return
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except OSError:
        signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", signature)


class LogitsOfAnswer(NeuralNetClassifier):
    """A net whose loss picks the logits from what a model of transformers answers."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred["logits"], y_true, *args, **kwargs)


class FirstOfAnswer(NeuralNetClassifier):
    """A net whose loss takes the first of a tuple, and of a tensor all of it."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        first = y_pred[0] if isinstance(y_pred, tuple) else y_pred
        return super().get_loss(first, y_true, *args, **kwargs)


class WithAuxiliary(NeuralNetClassifier):
    """A net whose loss counts the auxiliary heads that answer in training only."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        if isinstance(y_pred, torch.Tensor):
            return super().get_loss(y_pred, y_true, *args, **kwargs)
        main, *others = (
            super(WithAuxiliary, self).get_loss(part, y_true, *args, **kwargs)
            for part in y_pred
        )
        return main + 0.3 * sum(others)


@dataclass
class RealNet:
    """A net of a library: how to make its module, its rows, the layer of its head."""

    id: str
    module: object
    rows: str
    head: str
    layer: str | None = None
    kind: type = NeuralNetClassifier

    def net(self):
        """Make a fresh net, which trains for one epoch."""
        torch.manual_seed(0)
        return self.kind(
            self.module(),
            criterion=nn.CrossEntropyLoss,
            max_epochs=1,
            lr=0.01,
            batch_size=3,
            train_split=None,
            verbose=0,
        )

    def data(self):
        """Return rows and labels, always the same ones."""
        return rows_of(self.rows), np.arange(N_ROWS) % 3


def rows_of(kind):
    """Make rows of one kind, such as padded token numbers or images of some size."""
    rng = np.random.default_rng(0)
    if kind == "tokens":
        lengths = np.array([7, 4, 6, 5, 7, 3])
        mask = (np.arange(7) < lengths[:, None]).astype(np.int64)
        return {"input_ids": rng.integers(2, 20, (N_ROWS, 7)) * mask,
                "attention_mask": mask}  # fmt: skip
    if kind == "graphs":
        edges = rng.random((N_ROWS, 5, 5)) < 0.4
        return {
            "nodes": rng.normal(size=(N_ROWS, 5, 4)).astype(np.float32),
            "edges": (edges | edges.transpose(0, 2, 1)).astype(np.float32),
        }
    size = int(kind.removeprefix("images"))
    return rng.normal(size=(N_ROWS, 3, size, size)).astype(np.float32)


# Models of transformers --------------------------------------------------------------


_TOKENS = {"vocab_size": 20, "num_labels": 3, "pad_token_id": 0, "bos_token_id": 1,
           "eos_token_id": 1}  # fmt: skip
_SMALL = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1,
          "num_attention_heads": 2}  # fmt: skip
_GROUPED = {**_SMALL, "num_key_value_heads": 1, "head_dim": 4}


def transformer(
    name,
    task="ForSequenceClassification",
    *,
    id=None,
    head="score",
    rows="tokens",
    answer="dict",
    **config,
):
    """Make a case of a model that answers as transformers do, or as a tuple."""
    if rows == "tokens":
        config = {**_TOKENS, **config}

    def module():
        models = library("transformers")
        config_of = getattr(models, name + "Config")
        settings = config_of(**config)
        settings.return_dict = answer == "dict"
        return getattr(models, name + task)(settings)

    kind = LogitsOfAnswer if answer == "dict" else FirstOfAnswer
    return RealNet(id or name, module, rows, head, kind=kind)


_IMAGES = {**_SMALL, "image_size": 16, "patch_size": 8, "num_labels": 3}

_TRANSFORMERS = [
    transformer("GPT2", n_embd=8, n_layer=1, n_head=2, n_positions=16),
    transformer("Llama", **_GROUPED),
    transformer("Qwen2", **_GROUPED),
    transformer("Mistral", **_GROUPED),
    transformer("Gemma2", **_GROUPED, query_pre_attn_scalar=4),
    transformer("OPT", hidden_size=8, ffn_dim=12, num_hidden_layers=1,
                num_attention_heads=2, word_embed_proj_dim=8,
                max_position_embeddings=16),
    transformer("GPTNeo", hidden_size=8, num_layers=1, num_heads=2,
                attention_types=[[["global"], 1]], max_position_embeddings=16),
    transformer("Perceiver", head="perceiver.decoder.decoder.final_layer",
                num_latents=4, d_latents=8, d_model=8, num_blocks=1,
                num_self_attends_per_block=1, num_self_attention_heads=2,
                num_cross_attention_heads=2, max_position_embeddings=16),
    transformer("DeiT", "ForImageClassificationWithTeacher", rows="images16",
                head="distillation_classifier", **_IMAGES),
    transformer("Levit", "ForImageClassificationWithTeacher", rows="images64",
                head="classifier_distill.linear", image_size=64,
                hidden_sizes=[16, 24, 32], num_attention_heads=[2, 2, 2],
                depths=[1, 1, 1], key_dim=[4, 4, 4], num_labels=3),
    transformer("Bert", head="classifier", max_position_embeddings=16, **_SMALL),
    transformer("Bert", id="Bert-tuple", head="classifier", answer="tuple",
                max_position_embeddings=16, **_SMALL),
    transformer("ModernBert", head="classifier", max_position_embeddings=16, **_SMALL),
    transformer("ViT", "ForImageClassification", rows="images16", head="classifier",
                **_IMAGES),
]  # fmt: skip


# Adapters of peft --------------------------------------------------------------------


def _bert(models):
    config = models.BertConfig(**_TOKENS, **_SMALL, max_position_embeddings=16)
    return models.BertForSequenceClassification(config)


def _adapted(**settings):
    def module():
        peft = library("peft")
        config = peft.LoraConfig(r=2, lora_alpha=4, lora_dropout=0.1, **settings)
        return peft.get_peft_model(_bert(library("transformers")), config)

    return module


def adapter(id, head, *, layer=None, **settings):
    return RealNet(id, _adapted(**settings), "tokens", head, layer, LogitsOfAnswer)


_CLASSIFIER = "base_model.model.classifier"
_PEFT = [
    adapter("lora-head-saved", f"{_CLASSIFIER}.modules_to_save.default",
            target_modules=["query", "value"], modules_to_save=["classifier"]),
    adapter("lora-on-classifier", f"{_CLASSIFIER}.lora_B.default",
            target_modules=["query", "classifier"]),
    adapter("lora-on-classifier-named", f"{_CLASSIFIER}.base_layer",
            layer=f"{_CLASSIFIER}.base_layer",
            target_modules=["query", "classifier"]),
]  # fmt: skip


# Models of timm ----------------------------------------------------------------------


def timm_model(name, rows, head, **settings):
    def module():
        return library("timm").create_model(name, num_classes=3, **settings)

    return RealNet(name, module, rows, head, kind=FirstOfAnswer)


def _volo():
    # The registered sizes are fixed: this is volo_d1 with smaller ones.
    return library("timm.models.volo").VOLO(
        [1, 1, 1, 1], img_size=32, num_classes=3, embed_dims=[8, 16, 16, 16],
        num_heads=[2, 2, 2, 2], stem_hidden_dim=8, use_mix_token=False,
    )  # fmt: skip


_TIMM = [
    timm_model("deit_tiny_distilled_patch16_224", "images32", "head_dist", img_size=32,
               embed_dim=24, depth=1),
    timm_model("levit_128s", "images64", "head_dist.linear", img_size=64,
               embed_dim=(16, 32, 48), depth=(1, 1, 1)),
    timm_model("efficientformer_l1", "images224", "head_dist",
               embed_dims=(8, 8, 8, 8), depths=(1, 1, 1, 2)),
    timm_model("dpn48b", "images32", "classifier", k_sec=(1, 1, 1, 1)),
    RealNet("volo_d1", _volo, "images32", "head"),
]  # fmt: skip


# Models of torchvision ---------------------------------------------------------------


def vision(name, rows, head, kind=NeuralNetClassifier, **settings):
    def module():
        make = getattr(library("torchvision.models"), name)
        return make(num_classes=3, **settings)

    return RealNet(name, module, rows, head, kind=kind)


def _convnext():
    module = library("torchvision.models.convnext")
    blocks = [module.CNBlockConfig(8, 16, 1), module.CNBlockConfig(16, None, 1)]
    return module.ConvNeXt(blocks, num_classes=3)


def _swin():
    module = library("torchvision.models.swin_transformer")
    return module.SwinTransformer([2, 2], 8, [1, 1], [2, 2], [4, 4], num_classes=3)


_TORCHVISION = [
    vision("resnet18", "images32", "fc"),
    RealNet("convnext", _convnext, "images32", "classifier.2"),
    RealNet("swin", _swin, "images32", "head"),
    vision("mobilenet_v3_small", "images32", "classifier.3"),
    vision("googlenet", "images32", "fc", WithAuxiliary, init_weights=False),
]


# Written by hand, as people do with other libraries ----------------------------------


class GraphNet(nn.Module):
    """Messages along the edges, a head on every node, and the mean over the nodes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, nodes, edges):
        edges = edges + torch.eye(edges.shape[1]).to(edges)
        edges = edges / edges.sum(dim=2, keepdim=True)
        for layer in (self.first, self.second):
            nodes = torch.relu(edges @ layer(nodes))
        return self.head(nodes).mean(dim=1)


def _lightning():
    lightning = library("lightning")

    class Classifier(lightning.LightningModule):
        """As their manual shows it, with steps of training that skorch never calls."""

        def __init__(self, width=8):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU())
            self.head = nn.Linear(width, 3)

        def forward(self, X):
            return self.head(self.net(X))

        def training_step(self, batch, batch_idx):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

    return Classifier()


REAL_NETS = [
    *_TRANSFORMERS,
    *_PEFT,
    *_TIMM,
    *_TORCHVISION,
    RealNet("graph", GraphNet, "graphs", "head"),
    RealNet("lightning", _lightning, "images8", "head"),
]
# A ReLU, then the mean over all pixels, behind the convolution that gives the classes.
NO_PRODUCT = [vision("squeezenet1_1", "images64", "classifier.1")]
