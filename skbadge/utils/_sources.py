"""A checksum of code of one's own: the modules that are named, and all they import."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
import warnings
from collections.abc import Iterable
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from pkgutil import get_importer

__all__ = ["sources_checksum"]

# Packages have versions, and nobody edits them between two runs.
_INSTALLED = tuple(
    {
        str(Path(sysconfig.get_path(name)).resolve())
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
)


def sources_checksum(modules: Iterable[str]) -> str:
    """Return a checksum of modules and of what they import, in hexadecimal.

    Followed are ``import`` statements wherever they stand, as far as they lead to
    files that are neither Python's own nor in an installed package. Nothing is
    imported for it.

    Parameters
    ----------
    modules : iterable of str
        Dotted names.

    Returns
    -------
    str
    """
    sources: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        spec = None if name in sources else _own_spec(name)
        if spec is None or spec.origin is None:
            continue
        content = sources[name] = Path(spec.origin).read_bytes()
        is_package = spec.submodule_search_locations is not None
        waiting += _imported(content, name if is_package else name.rpartition(".")[0])
        # What makes a module importable runs before it.
        waiting += _with_parents(name.rpartition(".")[0])
    digest = hashlib.sha256()
    for name, content in sorted(sources.items()):
        digest.update(f"{name}:{len(content)}:".encode() + content)
    return digest.hexdigest()


def _own_spec(name: str) -> ModuleSpec | None:
    """Find the file of a module of one's own; None for others, and for what is none."""
    if name.partition(".")[0] == "skbadge":
        return None
    top, *inner = _with_parents(name)
    try:
        spec = find_spec(top)
        for part in inner:
            spec = spec and _within(spec, part)
    except (ImportError, ValueError):
        # The file being run, or a module made without a file.
        return None
    if spec is None:
        return None
    origin = spec.origin and str(Path(spec.origin).resolve())
    if not origin or not Path(origin).is_file() or origin.startswith(_INSTALLED):
        return None
    return spec


def _within(package: ModuleSpec, name: str) -> ModuleSpec | None:
    """Find a module of a package by the file system alone."""
    for place in package.submodule_search_locations or ():
        finder = get_importer(place)
        spec = None if finder is None else finder.find_spec(name)
        if spec is not None:
            return spec
    return None


def _with_parents(name: str) -> list[str]:
    """Return ``["a", "a.b", "a.b.c"]`` for ``"a.b.c"``."""
    parts = name.split(".") if name else []
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


@lru_cache(maxsize=1024)
def _imported(content: bytes, package: str) -> tuple[str, ...]:
    """Return names that may be modules, of a source in a package ("" outside)."""
    try:
        with warnings.catch_warnings():
            # Of how it is written; importing it has told them.
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return ()  # compiled code
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            # What is imported from a package may be a module in it.
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(dict.fromkeys(found))
