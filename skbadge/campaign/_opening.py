"""How a campaign is begun, and met again with a pool that may have changed."""

from __future__ import annotations

import secrets
import warnings
from typing import Any

from numpy.typing import ArrayLike

from skbadge.campaign._model import own_classes, resolved_classes
from skbadge.campaign._pool import Pool, written_ids
from skbadge.campaign._record import Record
from skbadge.exceptions import CampaignError, InvalidInputError
from skbadge.learner._learner import ActiveLearner
from skbadge.utils._random import draw_entropy
from skbadge.utils._validation import check_integer, check_option, check_real

__all__ = ["begin", "check_learner", "check_same", "check_settings", "joined"]

# What a campaign is begun with where nothing is said.
_DEFAULTS = {"random_share": 0.1, "count": "last", "n_stop": 2000}


def check_settings(given: dict[str, Any]) -> None:
    """Refuse settings that cannot be used; None stands for one not given."""
    if given["random_share"] is not None:
        check_real(given["random_share"], "random_share", low=0, high=1)
    if given["count"] is not None:
        check_option(given["count"], "count", ("last", "majority"))
    if given["n_stop"] is not None:
        check_integer(given["n_stop"], "n_stop", low=1)


def check_same(
    begun: dict[str, Any], classes: ArrayLike | None, given: dict[str, Any]
) -> None:
    """Refuse settings other than those that the campaign was begun with."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if classes is not None:
        wanted["classes"] = resolved_classes(None, classes)
    for name, value in wanted.items():
        if begun[name] != value:
            raise InvalidInputError(
                f"The campaign was begun with {name}={begun[name]!r}. Got {value!r} "
                "instead: leave it away, or begin another campaign."
            )


def check_learner(classes: list[Any], learner: ActiveLearner) -> None:
    """Refuse a learner whose own classes, or its net's, are not the campaign's."""
    own = own_classes(learner)
    if own is not None and resolved_classes(None, own) != classes:
        raise InvalidInputError(
            f"The learner must have the classes of the campaign, {classes!r}, in this "
            f"order, or none of its own. Got {list(own)!r} instead: it would name the "
            "columns of its net otherwise."
        )


def begin(
    record: Record,
    learner: ActiveLearner | None,
    pool: Pool | None,
    classes: ArrayLike | None,
    given: dict[str, Any],
) -> None:
    """Write the first two events of a campaign.

    Raises
    ------
    CampaignError
        If learner or pool are missing.
    """
    if learner is None or pool is None:
        raise CampaignError(
            f"{str(record.journal.folder)!r} holds no campaign. Give a learner and a "
            "pool to begin one."
        )
    settings: dict[str, Any] = {
        name: default if given[name] is None else given[name]
        for name, default in _DEFAULTS.items()
    }
    settings["classes"] = resolved_classes(learner, classes)
    check_learner(settings["classes"], learner)
    settings["entropy"] = draw_entropy(learner.random_state)
    # Stands in its tasks, so that answers to another's with the same ids are noticed.
    settings["mark"] = secrets.token_hex(8)
    first = {"added": pool.keys, "removed": [], "changed": [], "sample": pool.sample()}
    with record.writing(begins=True) as append:
        # Another process may have begun it in the meantime.
        if not record.state.settings:
            append("created", settings)
            append("pool", first)


def joined(record: Record, pool: Pool) -> Pool:
    """Compare a pool with the one known, write down what differs, and tell.

    Returns
    -------
    Pool
        In the order of the journal's ids.
    """
    state, sample = record.state, pool.sample()
    if state.present and not any(id in state.present for id in pool.keys):
        raise InvalidInputError(
            "The pool must be that of the campaign, sorted anew, grown or shrunk. Got "
            f"{len(pool):,} rows of which none has an id known here: theirs are "
            f"{written_ids(pool.keys)}; known are {written_ids(state.present)}. Give "
            "the right pool or the right ids, or begin another campaign."
        )
    with record.writing() as append:
        added = [id for id in pool.keys if id not in state.present]
        removed = [id for id in state.present if id not in pool.at]
        known = state.sample
        changed = [id for id, seen in sample.items() if known.get(id, seen) != seen]
        changed.sort()
        if added or removed or changed:
            differing = {"added": added, "removed": removed, "changed": changed}
            append("pool", {**differing, "sample": sample})
    if removed:
        warnings.warn(
            f"{len(removed):,} rows are no longer in the pool: {written_ids(removed)}. "
            "Their labels are kept, and not trained on.",
            UserWarning,
            stacklevel=3,
        )
    if changed:
        warnings.warn(
            f"Rows of the pool have other contents than before: of {len(sample)} "
            f"compared, {len(changed)}: {written_ids(changed)}. Their labels may be "
            "wrong now.",
            UserWarning,
            stacklevel=3,
        )
    return pool.aligned(list(state.present))
