"""The command ``campaign``: a labelling campaign without Python beyond the net."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skbadge import stopping, strategies
from skbadge.campaign._answers import Told
from skbadge.campaign._auto import auto_cold_start, auto_learner
from skbadge.campaign._campaign import Campaign
from skbadge.campaign._ledger import Ledger
from skbadge.campaign._named import imported, named
from skbadge.campaign._pool import Pool, as_pool, written_ids
from skbadge.campaign._server import LabelStudio
from skbadge.campaign._spreadsheet import write_csv
from skbadge.campaign._texts import read_text
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.learner._learner import ActiveLearner

__all__ = ["add_parser"]

_DESCRIPTION = """\
A labelling campaign on disk: rows are asked for, people label them in Label Studio or a
spreadsheet, and the answers come back. Every command is safe to repeat.
"""
_EPILOG = """\
examples:
  python -m skbadge campaign init tickets --pool pool.csv --ids ticket_id \\
      --learner auto --classes refund,spam,other
  python -m skbadge campaign ask tickets -n 100 --label-studio tasks.json
  python -m skbadge campaign tell tickets export.json
  python -m skbadge campaign status tickets
  python -m skbadge campaign report tickets
  python -m skbadge campaign export tickets labels.csv

--learner names a function without parameters that returns an ActiveLearner
(mynet:make_learner), or auto: a perceptron for tables and texts, a small ResNet for
images. auto is a start, not a recommendation.

--stop takes criteria of skbadge.stopping, --cold-start a strategy of skbadge.strategies
that needs no trained net, by their names, with arguments in brackets if need be; or
module:function, as --learner does.

The exit status is 1 where answers were refused, 2 where nothing could be done.
"""
_TOKEN = "LABEL_STUDIO_TOKEN"  # noqa: S105, the name of a variable


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "campaign",
        help="label a pool over weeks, with people",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(on_interrupt="All that was told is kept.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_init(actions)
    ask = _action(actions, "ask", _ask, "ask for the rows to label next")
    ask.add_argument("-n", type=int, metavar="N", help="rows of a new batch")
    ask.add_argument("--more", type=int, metavar="N", help="make the batch longer")
    ask.add_argument("--label-studio", metavar="FILE", help="write tasks (.json)")
    ask.add_argument("--csv", metavar="FILE", help="write a table to fill in")
    _add_showing(ask)
    tell = _action(actions, "tell", _tell, "store labels from a file")
    tell.add_argument("file", help="Label Studio's JSON, JSON_MIN or CSV; or id,label")
    tell.add_argument("--annotator", help="who gave labels of a CSV")
    tell.add_argument(
        "--correct",
        action="store_true",
        help="take the place of labels of a CSV by the same annotator",
    )
    relabel = _action(actions, "relabel", _relabel, "correct one label")
    relabel.add_argument("id", metavar="ID")
    relabel.add_argument("label", metavar="LABEL")
    relabel.add_argument("--annotator", help="whose label it is")
    skip = _action(actions, "skip", _skip, "rows that cannot be labelled")
    skip.add_argument("ids", nargs="+", metavar="ID")
    skip.add_argument("--reason", default="")
    skip.add_argument("--annotator", help="who could not say")
    _action(actions, "train", _train, "train now (ask does so by itself)")
    _action(actions, "refit", _refit, "train once more, by another seed")
    _action(actions, "close", _close, "give the open rows of the batch up")
    undo = _action(actions, "undo", _undo, "take the last answers back")
    undo.add_argument("--annotator", help="the last ones of theirs")
    _action(actions, "status", _status, "counts, accuracy, signs, what to do next")
    report = _action(actions, "report", _report, "write an HTML page")
    report.add_argument("--out", metavar="FILE", help="default: report.html inside")
    export = _action(actions, "export", _export, "write all labels to a CSV")
    export.add_argument("file")
    push = _action(actions, "push", _push, "send the open rows to Label Studio")
    pull = _action(actions, "pull", _pull, "fetch answers from Label Studio")
    for server in (push, pull):
        server.add_argument("--url", required=True)
        which = server.add_mutually_exclusive_group()
        which.add_argument("--project", metavar="TITLE", help="default: the last one")
        which.add_argument("--project-number", type=int, metavar="N")
        server.epilog = f"The access token is read from the variable {_TOKEN}."
    _add_showing(push)


def _action(
    actions: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=f"{text.capitalize()}."
    )
    parser.add_argument("folder", help="of the campaign")
    parser.set_defaults(run=run)
    return parser


def _add_showing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", choices=("text", "image", "table"))
    parser.add_argument(
        "--images", metavar="PREFIX", help="what makes an image's name an address"
    )
    parser.add_argument(
        "--suggestions", action="store_true", help="show what the model predicts"
    )


def _add_init(actions: Any) -> None:
    init = _action(actions, "init", _init, "begin a campaign, or move its pool")
    init.add_argument("--pool", required=True, help="a file, or a folder of images")
    init.add_argument("--ids", help="column, or for .npy and .npz a text file")
    init.add_argument("--inputs", help="columns for the learner: a or a,b")
    init.add_argument("--show", help="columns for people: a,b")
    init.add_argument("--learner", required=True, help="auto or module:function")
    init.add_argument("--classes", help="a,b,c; or @FILE with one a line")
    init.add_argument("--random-share", type=float, metavar="SHARE")
    init.add_argument("--count", choices=("last", "majority"))
    init.add_argument(
        "--stop", help="criteria: 'StablePredictions | LabelBudget(2000)'"
    )
    init.add_argument(
        "--cold-start", metavar="STRATEGY", help="chooses while there is no label"
    )
    init.add_argument("--seed", type=int, default=0, help="of the learner auto")
    init.add_argument("--image-size", type=int, default=64, metavar="PIXELS")
    init.add_argument("--gray", action="store_true", help="images with one channel")


def _say(text: object) -> int:
    print(text)  # noqa: T201
    return 0


def _init(options: argparse.Namespace) -> int:
    opening = {
        "pool": str(Path(options.pool).resolve()),
        "ids": options.ids,
        "inputs": _columns(options.inputs, alone=True),
        "show": _columns(options.show),
        "learner": options.learner,
        "seed": options.seed,
        "image_size": [options.image_size] * 2,
        "gray": options.gray,
        "stop": options.stop,
        "cold_start": options.cold_start,
    }
    if options.ids and Path(options.pool).suffix.lower() in (
        ".npy",
        ".npz",
    ):
        opening["ids"] = str(Path(options.ids).resolve())
    campaign = _opened(
        options.folder,
        opening,
        classes=_classes(options.classes),
        random_share=options.random_share,
        count=options.count,
    )
    campaign.note_opening(opening)
    if options.learner == "auto":
        _say("The learner auto is a start, not a recommendation.")
    return _say(campaign.status())


def _columns(text: str | None, *, alone: bool = False) -> Any:
    names = text.split(",") if text else None
    return names[0] if alone and names and len(names) == 1 else names


def _classes(text: str | None) -> list[str] | None:
    if text is None:
        return None
    if text.startswith("@"):
        names = read_text(text[1:], "--classes").splitlines()
        return [name for name in map(str.strip, names) if name]
    return [name.strip() for name in text.split(",")]


def _opened(
    folder: str,
    opening: dict[str, Any] | None = None,
    *,
    classes: list[str] | None = None,
    model: bool = True,
    **settings: Any,
) -> Campaign:
    """Open a campaign with the pool and learner that it was begun with."""
    if opening is None:
        opening = Ledger(folder).opening
        if opening is None:
            raise CampaignError(
                f"The campaign in {folder!r} was begun in Python, not on the command "
                "line: open it there, or run init with its pool and learner."
            )
    pool = as_pool(
        opening["pool"],
        opening["ids"],
        inputs=opening["inputs"],
        show=opening["show"],
        image_size=opening["image_size"],
        gray=opening["gray"],
    )
    learner: Any = None
    if model:
        learner, classes = _learner(folder, opening, pool, classes)
        # Those of a campaign begun before there were such options are not there.
        settings["stop"] = named(
            opening.get("stop"), "--stop", stopping, stopping.StoppingCriterion
        )
        settings["cold_start"] = named(
            opening.get("cold_start"),
            "--cold-start",
            strategies,
            strategies.QueryStrategy,
        )
        if settings["cold_start"] is None and opening["learner"] == "auto":
            settings["cold_start"] = auto_cold_start(pool)
    return Campaign(folder, learner, pool, classes=classes, **settings)


def _learner(
    folder: str, opening: dict[str, Any], pool: Pool, classes: list[str] | None
) -> tuple[Any, list[str] | None]:
    """Return the learner, and the classes as it spells them."""
    name = opening["learner"]
    if name == "auto":
        known = Ledger(folder).classes
        named = classes if known is None else known
        if named is None:
            raise InvalidInputError("The learner auto needs --classes a,b,c.")
        return auto_learner(pool, named, random_state=opening["seed"]), classes
    if ":" not in name:
        raise InvalidInputError(
            f"--learner must be auto or module:function. Got {name!r} instead."
        )
    return imported(name, "--learner"), classes


def _ask(options: argparse.Namespace) -> int:
    campaign = _opened(options.folder)
    batch = campaign.ask(options.n, more=options.more, suggestions=options.suggestions)
    if options.label_studio:
        showing = {"kind": options.kind, "images": options.images}
        n = campaign.to_label_studio(
            options.label_studio, suggestions=options.suggestions, **showing
        )
        config = Path(options.label_studio).with_suffix(".xml")
        _say(f"{n} tasks in {options.label_studio}, configuration in {config}")
    if options.csv:
        _say(f"{campaign.to_csv(options.csv)} rows in {options.csv}")
    if options.label_studio or options.csv:
        return 0
    ids = [str(id) for id in batch["id"]]
    broken = [id for id in ids if not id.isprintable()]
    if broken:
        raise InvalidInputError(
            f"Ids are printed one a line. Got {written_ids(broken)}, which hold line "
            "ends or what cannot be printed: repeat with --csv FILE or --label-studio "
            "FILE. The batch is the same then."
        )
    return _say("\n".join(ids))


def _tell(options: argparse.Namespace) -> int:
    return _told(
        Ledger(options.folder).from_file(
            options.file, annotator=options.annotator, correct=options.correct
        )
    )


def _relabel(options: argparse.Namespace) -> int:
    label = {options.id: options.label}
    return _told(Ledger(options.folder).relabel(label, annotator=options.annotator))


def _skip(options: argparse.Namespace) -> int:
    ledger = Ledger(options.folder)
    return _told(
        ledger.skip(options.ids, reason=options.reason, annotator=options.annotator)
    )


def _told(told: Told) -> int:
    """Say what became of answers; the warning has named the first refusals."""
    _say(told)
    for id, why in list(told.refused.items())[Told.NAMED :]:
        _say(f"{written_ids([id])}: {why}")
    return 1 if told.refused else 0


def _train(options: argparse.Namespace) -> int:
    return _say_trained(_opened(options.folder).train())


def _refit(options: argparse.Namespace) -> int:
    return _say_trained(_opened(options.folder).refit())


def _say_trained(learner: ActiveLearner) -> int:
    return _say(f"trained on {learner.n_labeled_} labels")


def _close(options: argparse.Namespace) -> int:
    Campaign(options.folder).close()
    return _say("The open rows may be asked for again.")


def _undo(options: argparse.Namespace) -> int:
    ids = Ledger(options.folder).undo(annotator=options.annotator)
    return _say(f"The answers to {len(ids)} rows were taken back.")


def _status(options: argparse.Namespace) -> int:
    return _say(Ledger(options.folder).status())


def _report(options: argparse.Namespace) -> int:
    return _say(_opened(options.folder, model=False).report(options.out))


def _export(options: argparse.Namespace) -> int:
    labels = Ledger(options.folder).labels()
    write_csv(options.file, labels)
    return _say(f"{len(labels)} labels in {options.file}")


def _server(options: argparse.Namespace) -> LabelStudio:
    token = os.environ.get(_TOKEN)
    if not token:
        raise InvalidInputError(
            f"The access token of Label Studio must stand in the variable {_TOKEN}. It "
            "is empty: copy it from Account & Settings there."
        )
    project = options.project_number or options.project
    return LabelStudio(options.url, token, project=project)


def _push(options: argparse.Namespace) -> int:
    server = _server(options)
    n = server.push(
        _opened(options.folder, model=False),
        kind=options.kind,
        images=options.images,
        suggestions=options.suggestions,
    )
    return _say(f"{n} new tasks on {options.url}")


def _pull(options: argparse.Namespace) -> int:
    return _told(_server(options).pull(Ledger(options.folder)))
