"""The house rules that a reading of the imports can keep."""

import ast
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
    "_contracts": 1,
    "embeddings": 2,
    "selection": 3,
    "strategies": 4,
    "extraction": 4,
    "_classes": 5,
    "_inputs": 5,
    "_labeled": 5,
    "_training": 5,
    "_bookkeeping": 5,
    "_learner": 5,
    "_features": 5,
    "modules": 5,
    "_simulate": 6,
    # The package itself gathers what is below the experiments.
    "__init__": 6.5,
    "datasets": 6,
    "plotting": 6,
    "benchmarks": 7,
    "_cli": 8,
    "_cli_output": 8,
    "__main__": 9,
}
SEE_ONLY_THE_GROUND = {"datasets", "plotting"}
SEE_NETS = {"extraction", "_training", "_learner", "modules"}
OPTIONAL = {"openml", "dask", "matplotlib"}


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


@pytest.fixture(params=FILES, ids=relative)
def source(request):
    return request.param, ast.parse(request.param.read_text("utf-8"))


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
    if importer.startswith("_") and target.startswith("_"):
        return LAYERS[target] <= LAYERS[importer]
    if LAYERS[importer] == LAYERS[target] == 0:
        return True
    return LAYERS[target] < LAYERS[importer]


def test_every_part_has_its_layer():
    assert {part_of(path) for path in FILES} <= LAYERS.keys()


def test_imports_point_downwards(source):
    path, tree = source
    wrong = {t for t in own_targets(tree) if not allowed(part_of(path), t)}
    assert not wrong


def test_the_rule_can_fail():
    assert not allowed("strategies", "extraction")
    assert not allowed("extraction", "strategies")
    assert not allowed("selection", "_learner")
    assert not allowed("plotting", "benchmarks")
    assert not allowed("datasets", "modules")
    assert not allowed("_learner", "_simulate")
    tree = ast.parse("def f():\n    from skbadge.benchmarks import x")
    assert list(own_targets(tree)) == ["benchmarks"]
    assert list(own_targets(ast.parse("from skbadge import simulate"))) == ["__init__"]


def test_nets_are_known_only_where_they_run(source):
    path, tree = source
    part = part_of(path)
    if part in SEE_NETS or LAYERS[part] > 5:
        return
    assert not [m for m, _, _ in imports(tree) if m.split(".")[0] == "skorch"]
    if part in {"embeddings", "selection", "strategies", "_contracts"}:
        assert not [m for m, _, _ in imports(tree) if m.startswith("torch.nn")]
        words = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        assert not words & {"net", "X_pool", "y_pool"}


def test_matplotlib_is_imported_only_inside_functions(source):
    _, tree = source
    assert not [
        node.lineno
        for module, node, inside in imports(tree)
        if module.split(".")[0] == "matplotlib" and not inside
    ]


def test_imports_are_absolute(source):
    _, tree = source
    assert not [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def test_imports_inside_functions_are_of_optional_packages(source):
    _, tree = source
    inside = {module.split(".")[0] for module, _, inner in imports(tree) if inner}
    assert inside <= OPTIONAL


def test_optional_packages_are_not_needed(source):
    _, tree = source
    outside = {module.split(".")[0] for module, _, inner in imports(tree) if not inner}
    assert not outside & OPTIONAL


def test_only_known_packages_are_imported(source):
    _, tree = source
    known = {"joblib", "numpy", "pandas", "scipy", "skbadge", "sklearn"}
    known |= {"skorch", "torch", "threadpoolctl", "tqdm"}
    found = {module.split(".")[0] for module, _, _ in imports(tree)}
    assert found <= known | OPTIONAL | set(sys.stdlib_module_names)


def test_nothing_private_of_other_packages(source):
    _, tree = source
    private = [
        (module, name.name)
        for module, node, _ in imports(tree)
        for name in node.names
        if not module.startswith(("skbadge", "__future__"))
        and any(part.startswith("_") for part in (*module.split("."), name.name))
    ]
    assert not private


def test_importing_does_nothing_else(source):
    path, tree = source
    if path.name == "__main__.py":
        return
    harmless = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AnnAssign,
    )
    for node in tree.body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        optional = isinstance(node, ast.Try) and all(
            isinstance(inner, (*harmless, ast.Try)) for inner in node.body
        )
        assert isinstance(node, harmless) or is_text or optional, node.lineno


def test_no_assert_no_bare_except(source):
    _, tree = source
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), node.lineno
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None)


def test_modules_are_short(source):
    path, _ = source
    assert len(path.read_text("utf-8").splitlines()) <= 500


def test_functions_are_short(source):
    _, tree = source
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            text = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - len(text.splitlines())
            assert lines < 70, node.name
