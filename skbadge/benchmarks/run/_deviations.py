"""How an experiment deviates from the paper, read off the settings of its cells."""

from __future__ import annotations

from skbadge.benchmarks._methods import KDPP, SEVEN
from skbadge.benchmarks.run._nets import PAPER_HIDDEN, PAPER_RATES
from skbadge.benchmarks.run._settings import PUBLISHED_CODE
from skbadge.datasets import DATASETS

__all__ = ["deviations_of", "follows_published_code", "read_off", "without_read_off"]

_PAPER_DATA = ("letter", "pokerhand", "random_rbf", "kropt", "mnist", "svhn", "cifar10")
_PAPER_MODELS = ("mlp", "resnet")
_PAPER_BATCHES = (100, 1_000, 10_000)
_PAPER_LABELS, _PAPER_REPEATS, _PAPER_INITIAL = 50_000, 5, 100
_KINDS = {"image": "images", "tabular": "tables"}
# What no setting decides.
_ALWAYS = (
    "The training accuracy is counted as training goes, before each update, as in the "
    "public code; the text does not say how.",
    "Split, initial set and initial weights are shared by all methods of a repeat.",
    "Mini-batches and the normalization of images are those of the public code, where "
    "the text is silent.",
    "Adam's other settings are PyTorch's; neither text nor code states them.",
)
# What the public code does, and no setting of a cell can ask for.
_NOT_FOLLOWED = (
    "As published code: batch normalization starts anew each round all the same; there "
    "it carries over.",
    "As published code: the distribution of normalized errors averages all repeats; "
    "there it reads the first one alone, and weights are misaligned where a cell is "
    "missing.",
    "As published code: trainings have a cap all the same.",
    "As published code: initial sets and weights are still shared by all methods.",
)


def follows_published_code(cells):
    """Say whether all cells have the settings of the paper's public code."""
    return all(
        getattr(cell, name) == value
        for cell in cells
        for name, value in PUBLISHED_CODE.items()
    )


def deviations_of(cells):
    """Say how cells deviate from the paper's text, and from its public code.

    Parameters
    ----------
    cells : sequence of Cell
        An experiment.

    Returns
    -------
    list of str
        What holds for all cells, or for those that a sentence names.
    """
    own = [cell for cell in cells if cell.has_own_learner]
    ours = [cell for cell in cells if not cell.has_own_learner]
    found = [*_grid(cells), *_labels(cells), *_strategies(cells)]
    if own:
        found.append("Nets of your own are trained as they say themselves.")
    if ours:
        found += [*_inputs(ours), *_rates(ours), *_nets(ours), *_training(ours)]
        found += _ALWAYS
    if follows_published_code(cells):
        found += _NOT_FOLLOWED
    return found


def read_off(cells):
    """Return what the settings of cells say of the paper and of its code (dict)."""
    return {
        "as_published_code": follows_published_code(cells),
        "deviations_from_the_paper": deviations_of(cells),
    }


def without_read_off(about):
    """Return what was said of a folder, but for what is read off its cells today.

    Earlier versions wrote it there.
    """
    gone = ("as_published_code", "deviations_from_the_paper")
    return {name: value for name, value in about.items() if name not in gone}


def _several(values):
    return ", ".join(f"{v:,}" if isinstance(v, int) else f"{v}" for v in values)


def _place(cell):
    return f"{cell.model}, B = {cell.batch_size:,}"


def _with_places(values):
    """Say of each value where it holds."""
    return "; ".join(f"{value} ({'; '.join(where)})" for value, where in values.items())


def _of(cells, name):
    """Return the values of an attribute, each once."""
    return list(dict.fromkeys(getattr(cell, name) for cell in cells))


def _grid(cells):
    foreign = [name for name in _of(cells, "dataset") if name not in _PAPER_DATA]
    if foreign:
        yield f"Data that are not in the paper: {_several(foreign)}."
    made = [
        f"{name} (OpenML {DATASETS[name].openml_id})"
        for name in _of(cells, "dataset")
        if name in _PAPER_DATA and DATASETS[name].offline
    ]
    if made:
        yield (
            f"Regenerated, never downloaded: {_several(made)}. Class counts are the "
            "original's; the rows were not compared with a copy of it."
        )
    nets = [name for name in _of(cells, "model") if name not in _PAPER_MODELS]
    if nets:
        yield f"Nets that are not in the paper: {_several(nets)}."
    sizes = _of(cells, "batch_size")
    more = [size for size in sizes if size not in _PAPER_BATCHES]
    if more:
        yield f"Batches of {_several(more)}, which are not in the paper."
    absent = [size for size in _PAPER_BATCHES if size not in sizes]
    if absent:
        yield f"No batches of {_several(absent)}."
    repeats = 1 + max(_of(cells, "repeat"))
    if repeats != _PAPER_REPEATS:
        yield f"Repeats: {repeats}; the paper has {_PAPER_REPEATS}."
    if "pokerhand" in _of(cells, "dataset"):
        yield "pokerhand's rarest class can fall wholly into the test part."


def _labels(cells):
    initial = [n for n in _of(cells, "n_initial") if n != _PAPER_INITIAL]
    if initial:
        yield f"Labels at the start: {_several(initial)}; the paper has 100."
    most = {}
    for cell in cells:
        limits = [cell.max_labels or _PAPER_LABELS]
        if cell.n_rounds is not None:
            limits.append(cell.n_initial + cell.n_rounds * cell.batch_size)
        if min(limits) < _PAPER_LABELS:
            most.setdefault(f"{min(limits):,}", {})[_place(cell)] = None
    if most:
        yield (
            f"Labels at the end, at most: {_with_places(most)}. The paper has 50,000."
        )


def _strategies(cells):
    names = _of(cells, "strategy")
    kdpp = [cell for cell in cells if cell.strategy == KDPP]
    others = [cell for cell in cells if cell.strategy != KDPP]
    if not kdpp:
        yield "No k-DPP."
    elif others and len(_of(kdpp, "repeat")) < len(_of(others, "repeat")):
        yield "The k-DPP has fewer repeats than the others."
    else:
        once = [c for c in kdpp if c.repeat > 0]
        fewer = set(_of(kdpp, "batch_size")) - set(_of(once, "batch_size"))
        if fewer and len(_of(kdpp, "repeat")) > 1:
            yield f"The k-DPP runs once at B = {_several(sorted(fewer))}."
    if any(name not in (*SEVEN, KDPP) for name in names):
        yield "Strategies that are not in the paper are compared with its own."
    first = _of([cell for cell in cells if cell.strategy == "badge"], "first")
    if first not in ([], ["uniform"]):
        yield (
            "BADGE begins with the longest gradient, as in the public code; in the "
            "text the first row is drawn uniformly."
        )
    update = _of([cell for cell in cells if cell.strategy == "albl"], "albl_update")
    if "all" in update:
        yield (
            "ALBL draws one arm a batch; its reward is divided by the sum of the "
            "inverse probabilities, since Hsu and Lin's own divisor leaves the bandit "
            "a fair coin."
        )
    if "chosen" in update:
        yield (
            "ALBL draws one arm a batch, and that arm alone learns, with the reward "
            "of the public code."
        )


def _kinds(cells):
    """Return the cells of each kind of data that is known: tables, images."""
    kinds = {}
    for cell in cells:
        if cell.dataset in DATASETS:
            kinds.setdefault(DATASETS[cell.dataset].kind, []).append(cell)
    return kinds


def _inputs(cells):
    if True in _of(cells, "standardize"):
        yield (
            "Inputs are standardized on the pool; the paper leaves tables as they are."
        )
    if "bfloat16" in _of(cells, "precision"):
        yield "Products in training are computed in bfloat16."


def _rates(cells):
    given = [rate for rate in _of(cells, "learning_rate") if rate is not None]
    kinds = _kinds(cells)
    for kind, paper in PAPER_RATES.items():
        rates = [
            paper if rate is None else rate
            for rate in _of(kinds.get(kind, []), "learning_rate")
        ]
        if kind == "image" and paper in rates:
            yield (
                "The learning rate on images is the text's 1e-3; the authors' own code "
                "has 1e-4, and they have said to be unsure of it."
            )
        if any(rate != paper for rate in rates):
            yield (
                f"The learning rate on {_KINDS[kind]} is {_several(sorted(rates))}; "
                f"the text has {paper}."
            )
    if given and any(cell.path for cell in cells):
        yield f"The learning rate on files is {_several(given)}."


def _nets(cells):
    # Of a file it is not known here whether it holds pictures.
    usual = {name: PAPER_HIDDEN[info.kind] for name, info in DATASETS.items()}
    others = [
        cell
        for cell in cells
        if cell.model == "mlp" and cell.n_hidden not in (None, usual.get(cell.dataset))
    ]
    if others:
        yield (
            f"Hidden units of the MLP: {_several(_of(others, 'n_hidden'))}; the paper "
            "has 256 on images and 1,024 on tables."
        )
    resnets = [cell for cell in cells if cell.model == "resnet"]
    for width in _of(resnets, "width"):
        code = (
            "as in the public code" if width == 16 else "the public code has 16 to 128"
        )
        yield (
            f"The residual network has {width} to {8 * width} channels, {code}; the "
            "text says nothing."
        )
    if resnets and not follows_published_code(cells):
        yield (
            "Batch normalization starts anew each round, as the text says; in the "
            "public code it carries over."
        )


def _training(cells):
    caps = {}
    for cell in cells:
        cap = f"{cell.max_epochs:,} epochs"
        if cell.max_updates is not None:
            cap += f" or {cell.max_updates:,} updates"
        caps.setdefault(cap, {})[_place(cell)] = None
    listed = "; ".join(caps) if len(caps) == 1 else _with_places(caps)
    yield (
        f"A training ends after {listed} at the latest; the paper has no limit, and "
        "its public code none either."
    )
    if "reaches" in _of(cells, "stop"):
        yield (
            "A training ends once its accuracy reaches 99%, as in the public code; the "
            "paper says exceeds."
        )
    clamped = _of(cells, "clamp_gradients")
    if False in clamped:
        yield "Gradients are not clamped; in the public code they are, to [-0.1, 0.1]."
    if True in clamped:
        yield (
            "Gradients are clamped to [-0.1, 0.1], as in the public code; the text "
            "does not mention it."
        )
