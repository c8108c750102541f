"""The documentation is complete, agrees with the library, and its examples run."""

import ast
import doctest
import importlib
import inspect
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import skbadge
from tests._forked import forked_workers
from tests._strategies import all_strategies

ROOT = Path(__file__).resolve().parents[2]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.rst")
    if not {"_build", "generated", "auto_examples", "_templates"} & set(path.parts)
    and path.name != "sg_execution_times.rst"
)
SCRIPTS = sorted(EXAMPLES.rglob("*.py"))
MODULES = (
    "skbadge",
    "skbadge.benchmarks",
    "skbadge.campaign",
    "skbadge.datasets",
    "skbadge.embeddings",
    "skbadge.exceptions",
    "skbadge.modules",
    "skbadge.plotting",
    "skbadge.selection",
    "skbadge.stopping",
    "skbadge.strategies",
    "skbadge.strategies.checks",
)


def page_name(path):
    return path.relative_to(DOCS).as_posix()


def script_name(path):
    return path.relative_to(EXAMPLES).as_posix()


def listed_names(text):
    """Return the qualified names that an API page lists."""
    module, names = None, []
    in_summary = False
    for line in text.splitlines():
        current = re.match(r"\.\. currentmodule:: (\S+)", line)
        data = re.match(r"\.\. py:data:: (\w+)", line)
        if current:
            module = current.group(1)
        if data:
            names.append(f"{module}.{data.group(1)}")
        if line.startswith(".. autosummary::"):
            in_summary = True
        elif in_summary and line and not line.startswith(" "):
            in_summary = False
        elif in_summary and re.fullmatch(r"   \w+", line):
            names.append(f"{module}.{line.strip()}")
    return names


def resolve(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def public_names(module):
    return importlib.import_module(module).__all__


def missing_names(listed, modules=MODULES):
    """Return public names of which no listed name is the same object."""
    ids = {id(resolve(name)) for name in listed}
    return [
        f"{module}.{name}"
        for module in modules
        for name in public_names(module)
        if id(resolve(f"{module}.{name}")) not in ids
    ]


def test_api_reference_lists_every_public_name():
    listed = listed_names((DOCS / "api.rst").read_text(encoding="utf-8"))
    assert missing_names(listed) == []
    assert len(set(listed)) == len(listed)


def test_api_reference_lists_public_names_only():
    for name in listed_names((DOCS / "api.rst").read_text(encoding="utf-8")):
        module, _, attribute = name.rpartition(".")
        assert attribute in public_names(module), name


def test_a_name_left_out_is_noticed():
    listed = listed_names((DOCS / "api.rst").read_text(encoding="utf-8"))
    listed.remove("skbadge.selection.top_k")
    assert missing_names(listed) == ["skbadge.selection.top_k"]


def functions_in(owner):
    """Yield (name, function, bound arguments) for a function, or a class and its bases.

    Private methods are left out, and so is all that was not written in this library:
    inherited from another one, or made by a decorator such as ``dataclass``.
    """
    here = str(Path(skbadge.__file__).parent)
    members = [("", owner)]
    if isinstance(owner, type):
        members = [item for base in owner.__mro__ for item in vars(base).items()]
    for name, member in members:
        if name.startswith("_") and not name.endswith("__"):
            continue
        # A property's way to set a value says no more than the one to get it.
        found = getattr(member, "fget", getattr(member, "__func__", member))
        # What scikit-learn offers under a condition.
        found = inspect.unwrap(getattr(found, "fn", found))
        if inspect.isfunction(found) and found.__code__.co_filename.startswith(here):
            is_bound = bool(name) and not isinstance(member, staticmethod)
            yield f"{found.__module__}.{found.__qualname__}", found, int(is_bound)


def bare_names(function, n_bound=0):
    """Return the parameters without an annotation, and "return" where it has none."""
    signature = inspect.signature(function)
    asked = list(signature.parameters.values())[n_bound:]
    bare = [p.name for p in asked if p.annotation is p.empty]
    return bare + ["return"] * (signature.return_annotation is signature.empty)


def test_every_public_signature_is_annotated():
    owners = [resolve(f"{m}.{n}") for m in MODULES for n in public_names(m)]
    found = {key: rest for owner in owners for key, *rest in functions_in(owner)}
    assert len(found) > 300
    bare = {name: bare_names(*rest) for name, rest in found.items()}
    assert {name: names for name, names in bare.items() if names} == {}


def test_a_missing_annotation_is_noticed():
    def function(a, b: int, *args, c=1, **kwargs: int):
        return a

    assert bare_names(function) == ["a", "args", "c", "return"]
    assert bare_names(function, 1) == ["args", "c", "return"]
    found = {key.rpartition(".")[2] for key, *_ in functions_in(skbadge.FeatureCache)}
    # A method, a property, one under a condition, and what Python calls by itself.
    assert found > {"fit", "n_kept_", "get_feature_names_out", "__setattr__"}
    assert [rest for _, *rest in functions_in(skbadge.simulate)] == [
        [skbadge.simulate, 0]
    ]


def test_whats_new_begins_with_the_version():
    text = (DOCS / "whats_new.rst").read_text(encoding="utf-8")
    assert re.findall(r"^Version (\S+)$", text, re.M)[0] == skbadge.__version__


def test_whats_new_has_the_four_kinds_of_change():
    text = (DOCS / "whats_new.rst").read_text(encoding="utf-8")
    newest = re.split(r"^Version \S+$", text, flags=re.M)[1]
    headings = re.findall(r"^(\w+)\n-+$", newest, re.M)
    assert headings == ["New", "Changed", "Fixed", "Efficiency"]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_examples_on_a_page_run(path):
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    starts_workers = ">>> from dask.distributed" in path.read_text(encoding="utf-8")
    with forked_workers() if starts_workers else nullcontext():
        found = doctest.testfile(str(path), module_relative=False, optionflags=options)
    assert found.failed == 0


def test_some_pages_have_examples_that_run():
    having = [page_name(p) for p in PAGES if ">>> " in p.read_text(encoding="utf-8")]
    assert {"user_guide/loop.rst", "user_guide/writing_a_strategy.rst"} <= set(having)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_to_documents_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text):
        target = target.strip()
        base = DOCS if target.startswith("/") else path.parent
        page = (base / target.lstrip("/")).resolve()
        gallery = DOCS / "auto_examples"
        if gallery in page.parents:
            source = EXAMPLES / page.relative_to(gallery)
            assert source.name == "index" or source.with_suffix(".py").exists(), target
        else:
            assert page.with_suffix(".rst").exists(), target


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_pages_are_in_a_table_of_contents(path):
    if path.name == "index.rst" and path.parent == DOCS:
        return
    entry = path.stem if path.stem != "index" else f"{path.parent.name}/index"
    folder = path.parent if path.stem != "index" else path.parent.parent
    index = (folder / "index.rst").read_text(encoding="utf-8")
    assert re.search(rf"^   {re.escape(entry)}$", index, re.M)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_what_is_measured_on_a_page_is_known(path):
    text = path.read_text(encoding="utf-8")
    names = re.findall(r"^\.\. measured:: (\S+)", text, re.M)
    source = (DOCS / "_ext" / "measured.py").read_text(encoding="utf-8")
    known = re.findall(r'^    "([\w-]+)": Item\(', source, re.M)
    assert set(names) <= set(known)


class TestMethodsOfAPage:
    @pytest.fixture
    def shown(self, monkeypatch):
        monkeypatch.syspath_prepend(str(DOCS / "_ext"))
        yield importlib.import_module("members").shown_methods
        sys.modules.pop("members")

    def test_those_of_a_base_without_a_page_are_there(self, shown):
        learner = shown("skbadge", "ActiveLearner")
        assert {"fit", "query", "predict", "save", "load"} < set(learner)
        # scikit-learn's own, and what is private, are not.
        assert not {"score", "get_params", "_change"} & set(learner)
        campaign = shown("skbadge.campaign", "Campaign")
        assert {"ask", "tell", "skip", "undo", "accuracy"} < set(campaign)

    def test_those_of_a_base_with_a_page_are_not(self, shown):
        assert "state" in shown("skbadge.stopping", "StoppingCriterion")
        assert "state" not in shown("skbadge.stopping", "LabelBudget")
        assert "select" in shown("skbadge", "RandomSampling")


def test_there_are_at_least_ten_examples():
    assert len(SCRIPTS) >= 10
    assert all(path.name.startswith("plot_") for path in SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=script_name)
def test_an_example_has_a_title_prose_and_one_question(path):
    text = path.read_text(encoding="utf-8")
    compile(text, str(path), "exec")
    lines = ast.get_docstring(ast.parse(text)).splitlines()
    assert set(lines[1]) == {"="} and len(lines[1]) >= len(lines[0])
    assert "?" in "".join(lines[2:])
    assert text.count("# %%") >= 3
    assert "plt.show()" in text


@pytest.mark.parametrize("path", SCRIPTS, ids=script_name)
def test_an_example_imports_public_names_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "skbadge":
            assert node.module in MODULES
            for alias in node.names:
                assert alias.name in public_names(node.module)


@pytest.mark.parametrize(
    "folder",
    [EXAMPLES, *sorted({path.parent for path in SCRIPTS})],
    ids=lambda p: p.name,
)
def test_a_folder_of_examples_has_a_header(folder):
    header = (folder / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
    assert re.search(r"^.+\n=+$", header, re.M)


def test_the_gallery_lists_every_folder_of_examples():
    text = (DOCS / "conf.py").read_text(encoding="utf-8")
    listed = re.findall(r'"\.\./examples/(\w+)"', text)
    assert set(listed) == {path.parent.name for path in SCRIPTS}


def cluster_sections():
    """Return what the guide says of strategies on a cluster: who runs, who does not."""
    page = (DOCS / "user_guide" / "cluster_pools.rst").read_text("utf-8")
    section = page.split("\nWhich strategies\n")[1].split("\nSettings\n")[0]
    return section.split("refuse a pool on a cluster")


def named_strategies(text):
    return set(re.findall(r":class:`~skbadge\.(\w+)`", text))


def disagreements(runs, refused):
    """Return strategies of which the two texts say something else than their traits."""
    options = dict(re.findall(r"``BADGE\((\w+)=\"([\w-]+)\"\)``", refused))
    wrong = []
    for strategy in all_strategies():
        name, params = type(strategy).__name__, strategy.get_params(deep=False)
        is_refused = name in named_strategies(refused) or (
            name == "BADGE" and any(params[k] == v for k, v in options.items())
        )
        is_named = name in named_strategies(runs) or is_refused
        if not is_named or is_refused == strategy.traits.on_cluster:
            wrong.append(repr(strategy))
    return wrong


def test_strategies_that_the_guide_lets_run_on_a_cluster_are_those_that_do():
    runs, refused = cluster_sections()
    assert disagreements(runs, refused) == []
    assert not named_strategies(runs) & named_strategies(refused)
    # What is left out, or stands on the wrong side, is noticed.
    found = disagreements(runs, refused.replace("ClassQuota", "Quota"))
    assert len(found) == 2 and all(name.startswith("ClassQuota") for name in found)
    found = disagreements(runs, refused.replace('embedding="', 'first="'))
    assert found == ["BADGE(embedding='uncertainty')"]
    assert "BALD()" in disagreements(runs, f"{refused} :class:`~skbadge.BALD`")
