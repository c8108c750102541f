"""What setup.py asks for, requirements.txt pins; README's commands use both."""

import re
import runpy
from importlib import metadata
from pathlib import Path
from unittest import mock

import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def claims():
    """Return all requirements of setup.py, those of the extras included."""
    with mock.patch.object(setuptools, "setup") as called:
        runpy.run_path(str(ROOT / "setup.py"))
    settings = called.call_args.kwargs
    lists = [settings["install_requires"], *settings["extras_require"].values()]
    return [Requirement(line) for one in lists for line in one]


def pins(text):
    """Return {name: version} of the lines of a requirements file."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = dict(line.split("==") for line in lines)
    return {canonicalize_name(name): version for name, version in found.items()}


CLAIMS = claims()
PINS = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def wanted(name, extras):
    """Yield what an installed distribution requires here, for some of its extras."""
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if not marker or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield requirement


def unpinned(first, pinned):
    """Return what ``first`` needs, itself or by others, and no line pins."""
    found, seen, waiting = set(), set(), list(first)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        if name not in pinned:
            found.add(name)
        try:
            waiting += wanted(name, requirement.extras)
        except metadata.PackageNotFoundError:
            # An extra that is not installed here: its own line is all one can read.
            continue
    return found


def test_all_that_the_extras_need_is_pinned():
    # Part of Python's own tools, and not pinned by anybody.
    pinned = PINS.keys() | {"setuptools"}
    assert unpinned(CLAIMS, pinned) == set()


def test_a_missing_pin_is_noticed():
    some = PINS.keys() - {"scipy", "markupsafe"} | {"setuptools"}
    assert unpinned(CLAIMS, some) == {"scipy", "markupsafe"}


def test_pins_are_within_the_claims():
    for requirement in CLAIMS:
        pin = PINS[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), requirement


def test_commands_install_with_the_pins_as_constraints():
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    commands = re.findall(r"^    (python -m pip install .*)$", text, re.M)
    assert len(commands) == 2
    assert all("-c requirements.txt -e" in command for command in commands)


def test_type_checkers_may_read_the_annotations():
    with mock.patch.object(setuptools, "setup") as called:
        runpy.run_path(str(ROOT / "setup.py"))
    assert "py.typed" in called.call_args.kwargs["package_data"]["skbadge"]
    assert (ROOT / "skbadge" / "py.typed").exists()
