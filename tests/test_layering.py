"""The house rules that a reading of the imports can keep, and ruff keeps by itself."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skbadge

ROOT = Path(skbadge.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# A module imports only from lower layers or from its own package; those of one layer
# are siblings. Single modules of one layer may import each other.
LAYERS = {
    "exceptions": 0,
    "utils": 0,
    "_version": 0,
    "_contracts": 1,
    "embeddings": 2,
    "selection": 3,
    "strategies": 4,
    "nets": 4,
    "extraction": 5,
    # The seed floor looks at what a net says of its classes.
    "stopping": 5,
    # Below the learner: it is asked for pools that lie on a cluster.
    "cluster": 5.5,
    "modules": 5,
    "learner": 6,
    "_feature_cache": 7,
    "_features": 7,
    "_simulate": 7,
    "campaign": 8,
    # The package itself gathers what is below the experiments.
    "__init__": 8.5,
    "datasets": 7,
    "plotting": 7,
    "benchmarks": 9,
    "_cli": 10,
    "__main__": 11,
}
SEE_ONLY_THE_GROUND = {"datasets", "plotting"}
SEE_NETS = {"nets", "extraction", "learner", "modules"}
OPTIONAL = {
    *(
        "PIL",
        "dask",
        "distributed",
        "httpx",
        "jinja2",
        "label_studio_sdk",
        "matplotlib",
        "openml",
    ),
    "pytest",
}


def part_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(tree):
    """Yield (module, node, inside a function) for each import of a file."""
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node, id(node) in inner
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node, id(node) in inner


def relative(path):
    return str(path.relative_to(ROOT))


TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}


def broken_by(rule):
    """Return {file: answer} where ``rule(path, tree)`` has something to say."""
    found = {relative(path): rule(path, tree) for path, tree in TREES.items()}
    return {name: answer for name, answer in found.items() if answer}


def own_targets(tree):
    """Yield the parts of the package that a file imports."""
    for module, node, _ in imports(tree):
        if module == "skbadge":
            names = [name.name for name in getattr(node, "names", [])]
            yield from (n if n in LAYERS else "__init__" for n in names)
        elif module.startswith("skbadge."):
            yield module.split(".")[1]


def allowed(importer, target):
    if importer == target:
        return True
    if importer in SEE_ONLY_THE_GROUND:
        return LAYERS[target] == 0
    if LAYERS[importer] == LAYERS[target] == 0:
        return True
    return LAYERS[target] < LAYERS[importer]


def test_every_part_has_its_layer():
    assert {part_of(path) for path in FILES} <= LAYERS.keys()


def packages(tree, inside=None):
    """Return the top-level packages a file imports, inside functions or outside."""
    return {
        module.split(".")[0]
        for module, _, inner in imports(tree)
        if inside is None or inner == inside
    }


def test_imports_point_downwards():
    def rule(path, tree):
        return {t for t in own_targets(tree) if not allowed(part_of(path), t)}

    assert broken_by(rule) == {}


# Within the benchmarks: what a room may import of the others.
ROOMS = {
    "_methods": set(),
    "run": {"_methods"},
    "analysis": {"_methods"},
    "report": {"_methods", "run", "analysis"},
    "_cli": {"_methods", "run", "analysis", "report"},
}


def rooms_broken(room, tree):
    """Return the rooms that a file of a room of the benchmarks must not import."""
    found = {
        module.split(".")[2]
        for module, _, _ in imports(tree)
        if module.startswith("skbadge.benchmarks.")
    }
    return found - ROOMS[room] - {room}


def test_the_rooms_of_the_benchmarks():
    def rule(path, tree):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] != "benchmarks" or parts[1] == "__init__":
            return set()
        return rooms_broken(parts[1], tree)

    assert broken_by(rule) == {}
    wrong = ast.parse("from skbadge.benchmarks.run._grid import run_grid")
    assert rooms_broken("analysis", wrong) == {"run"}


def test_the_rule_can_fail():
    assert not allowed("strategies", "extraction")
    assert not allowed("nets", "strategies")
    assert not allowed("selection", "learner")
    assert not allowed("plotting", "benchmarks")
    assert not allowed("datasets", "modules")
    assert not allowed("learner", "_simulate")
    tree = ast.parse("def f():\n    from skbadge.benchmarks import x")
    assert list(own_targets(tree)) == ["benchmarks"]
    assert list(own_targets(ast.parse("from skbadge import simulate"))) == ["__init__"]


def test_nets_are_known_only_where_they_run():
    def rule(path, tree):
        part = part_of(path)
        if part in SEE_NETS or LAYERS[part] > 5:
            return set()
        found = packages(tree) & {"skorch"}
        if part in {"embeddings", "selection", "strategies", "_contracts"}:
            words = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            found |= words & {"net", "X_pool", "y_pool"}
            found |= {m for m, _, _ in imports(tree) if m.startswith("torch.nn")}
        return found

    assert broken_by(rule) == {}


def test_only_known_packages_are_imported():
    known = {"joblib", "numpy", "pandas", "scipy", "skbadge", "sklearn"}
    known |= {"safetensors", "skorch", "torch", "threadpoolctl", "tqdm"}
    known |= OPTIONAL | set(sys.stdlib_module_names)
    assert broken_by(lambda _, tree: packages(tree) - known) == {}


def test_nothing_private_of_other_packages():
    def rule(_, tree):
        return [
            (module, name.name)
            for module, node, _ in imports(tree)
            for name in node.names
            if not module.startswith(("skbadge", "__future__"))
            and any(part.startswith("_") for part in (*module.split("."), name.name))
        ]

    assert broken_by(rule) == {}


def test_importing_does_nothing_else():
    harmless = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AnnAssign,
    )

    def is_harmless(node):
        if isinstance(node, ast.Try):
            return all(is_harmless(inner) for inner in node.body)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            # Only a type checker goes there.
            imported = all(map(is_harmless, node.body))
            return imported and not node.orelse
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        return isinstance(node, harmless) or is_text

    def rule(path, tree):
        if path.name == "__main__.py":
            return []
        lines = [node for node in tree.body if not is_harmless(node)]
        return [ast.unparse(node) for node in lines]

    # Before all else: the command's answer to Ctrl-C while libraries are loading.
    assert broken_by(rule) == {"__init__.py": ["answer_interrupts()"]}


# Loaders that unpickle unless they are told not to, or only if they are told to. The
# modules that do nothing else are banned in pyproject.toml.
SAFE_KEYWORDS = {
    "torch.load": ("weights_only", lambda value: value is True),
    "numpy.load": ("allow_pickle", lambda value: value in (None, False)),
}


def calls(tree):
    """Yield (dotted name of what is called, node), by the names of the imports."""
    full = {}
    for module, node, _ in imports(tree):
        for name in node.names:
            if isinstance(node, ast.ImportFrom):
                full[name.asname or name.name] = f"{module}.{name.name}"
            elif name.asname:
                full[name.asname] = name.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, *rest = ast.unparse(node.func).split(".")
            yield ".".join([full.get(first, first), *rest]), node


def keyword_of(node, name):
    """Return the literal given for a keyword, None without it, else its node."""
    for keyword in node.keywords:
        if keyword.arg == name:
            value = keyword.value
            return value.value if isinstance(value, ast.Constant) else value
    return None


def unpicklers(tree):
    return {
        name
        for name, node in calls(tree)
        if name in SAFE_KEYWORDS
        and not SAFE_KEYWORDS[name][1](keyword_of(node, SAFE_KEYWORDS[name][0]))
    }


def does_nothing(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def swallowed(tree):
    """Return the lines where an error vanishes in a way that ruff lets pass."""
    found = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and all(map(does_nothing, node.body))
    }
    anything = {"Exception", "BaseException"}
    return found | {
        node.lineno
        for name, node in calls(tree)
        if name == "contextlib.suppress" and anything & set(map(ast.unparse, node.args))
    }


def test_nothing_is_unpickled():
    assert broken_by(lambda _, tree: unpicklers(tree)) == {}


def test_no_error_is_swallowed():
    assert broken_by(lambda _, tree: swallowed(tree)) == {}


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        (unpicklers, "import torch\ntorch.load(path)"),
        (unpicklers, "from torch import load\nload(path, weights_only=False)"),
        (unpicklers, "import torch\ntorch.load(path, weights_only=safe)"),
        (unpicklers, "import numpy as np\nnp.load(path, allow_pickle=True)"),
        (unpicklers, "import numpy\nnumpy.load(path, allow_pickle=safe)"),
        (swallowed, "try:\n    f()\nexcept (A, B) as error:\n    'why'\n    ..."),
        (swallowed, "import contextlib\nwith contextlib.suppress(A, Exception): f()"),
        (swallowed, "from contextlib import suppress as s\nwith s(BaseException): f()"),
    ],
)
def test_each_rule_can_fail(rule, wrong):
    assert rule(ast.parse(wrong))


@pytest.mark.parametrize(
    ("rule", "right"),
    [
        (unpicklers, "import copy, json\njson.load(file)"),
        (unpicklers, "import torch\ntorch.load(path, weights_only=True)"),
        (unpicklers, "import numpy as np\nnp.load(path, allow_pickle=False)"),
        (unpicklers, "import numpy as np\nnp.load(path)"),
        (swallowed, "try:\n    f()\nexcept OSError:\n    return None"),
        (swallowed, "import contextlib\nwith contextlib.suppress(OSError): f()"),
    ],
)
def test_no_rule_fails_what_is_right(rule, right):
    assert not rule(ast.parse(right))


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("BLE001", "try:\n    f()\nexcept Exception:\n    y = 1"),
        ("E722", "try:\n    f()\nexcept:\n    y = 1"),
        ("PLC0415", "def f():\n    import pandas"),
        ("S101", "assert x"),
        ("S110", "try:\n    f()\nexcept OSError:\n    pass"),
        ("S112", "for x in y:\n  try:\n    f()\n  except E:\n    continue"),
        ("T201", "def f():\n    print(1)"),
        ("TID251", "import dill.source"),
        ("TID251", "from pickle import loads"),
        ("TID251", "from joblib import load as read\nread(path)"),
        ("TID251", "import pandas as pd\npd.read_pickle(path)"),
        ("TID252", "from . import x"),
        ("TID253", "from dask.array import x"),
        ("TID253", "import matplotlib.pyplot"),
    ],
)
def test_ruff_is_told_to_keep_the_other_rules(rule, wrong):
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json"]
    command += ["--stdin-filename", str(ROOT / "learner" / "_new.py"), "-"]
    answer = subprocess.run(command, input=wrong, capture_output=True, text=True)
    assert rule in {found["code"] for found in json.loads(answer.stdout)}


def test_what_is_slow_to_import_waits_until_it_is_used():
    code = (
        "import sys, skbadge.datasets, skbadge.plotting as p;"
        "p.LearningCurveDisplay.from_accuracies(['a'], [1], [0.5]);"
        "print(*{'matplotlib', 'openml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "\n")


def test_modules_and_functions_are_short():
    def rule(path, tree):
        found = []
        if len(path.read_text("utf-8").splitlines()) > 500:
            found.append("module")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                text = ast.get_docstring(node, clean=False) or ""
                lines = node.end_lineno - node.lineno + 1 - len(text.splitlines())
                if lines >= 70:
                    found.append(node.name)
        return found

    assert broken_by(rule) == {}


def test_no_test_module_is_imported():
    """What several of them need has a module of its own, whose name begins with _."""
    line = re.compile(r"^ *(?:from|import) +tests\.(?:\w+\.)*test_.*$", re.M)
    assert line.findall("x\n    from tests.nets.test_pools import X\n")
    files = list(Path(__file__).parent.rglob("*.py"))
    found = [line.findall(path.read_text("utf-8")) for path in files]
    assert len(files) > 100 and not any(found)
