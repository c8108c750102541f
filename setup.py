"""Packaging of skbadge; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "skbadge" / "_version.py").read_text(), re.M
).group(1)
CLUSTER = ["dask>=2025.1", "distributed>=2025.1"]
BENCHMARK = ["openml>=0.14", *CLUSTER]
# Libraries whose nets, tables and steps people bring; the tests take them as they are.
BROUGHT = [
    "datasets",
    "h5py",
    "imbalanced-learn",
    "lightning",
    "peft",
    "polars",
    "pyarrow",
    "timm",
    "torchvision",
    "transformers",
]
TEST = [
    "hypothesis>=6.90",
    "mypy>=1.8",
    "pytest>=8.0",
    "pytest-cov>=5.0",
    "pytest-xdist>=3.5",
    "ruff>=0.5",
]
DOCS = [
    "numpydoc>=1.6",
    "pydata-sphinx-theme>=0.15",
    "sphinx>=7.2",
    "sphinx-gallery>=0.15",
]

setup(
    name="skbadge",
    version=VERSION,
    description="Deep active learning with scikit-learn manners, for any skorch net",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    packages=find_packages(include=["skbadge", "skbadge.*"]),
    # py.typed: type checkers may read the annotations.
    package_data={"skbadge": ["py.typed"], "skbadge.benchmarks.report": ["*.jinja"]},
    entry_points={"console_scripts": ["skbadge = skbadge._cli:main"]},
    python_requires=">=3.11",
    # `.ci/run` tests with exactly these oldest versions, but for torch, of which an old
    # one comes with gigabytes for GPUs, and with the newest ones that requirements.txt
    # lists.
    install_requires=[
        "jinja2>=3.1",
        "joblib>=1.3",
        "matplotlib>=3.9",
        "numpy>=2.0",
        "pandas>=2.2.2",
        "pillow>=10.1",
        "safetensors>=0.4.3",
        "scikit-learn>=1.6",
        "scipy>=1.15",
        "skorch>=1.4",
        "threadpoolctl>=3.1",
        "torch>=2.6",
        "tqdm>=4.64",
    ],
    extras_require={
        "benchmark": BENCHMARK,
        "cluster": CLUSTER,
        "label-studio": ["label-studio-sdk>=2.0"],
        "test": [*TEST, *BROUGHT, *BENCHMARK],
        "docs": [*DOCS, *BENCHMARK],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
