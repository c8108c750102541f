"""What several commands or folders have in common, and whether they may be compared."""

from __future__ import annotations

from skbadge.exceptions import InvalidInputError

__all__ = ["check_paired", "merged"]

# What may differ between two cells of one data set, net and batch size that are
# compared: the strategy with its own settings, what is measured, how far it goes.
_FREE = (
    *("strategy", "repeat", "first", "albl_update"),
    *("metrics", "n_rounds", "max_labels"),
)


def check_paired(cells, where):
    """Refuse cells that would be compared and share less than they must.

    All strategies of a data set, net and batch size have the same split, initial set
    and training, repeat by repeat: tests of their differences are paired.

    Parameters
    ----------
    cells : sequence of Cell
        All that is to be compared.
    where : str
        Where they are, for the message.
    """
    first = {}
    for cell in cells:
        setting = (cell.dataset, cell.model, cell.batch_size)
        other = first.setdefault(setting, cell)
        ours, theirs = cell.settings(), other.settings()
        differing = sorted(
            name
            for name in ours.keys() | theirs.keys()
            if name not in _FREE and ours.get(name) != theirs.get(name)
        )
        if differing:
            listed = ", ".join(
                f"{name} {getattr(other, name)!r} of {other.strategy} and "
                f"{getattr(cell, name)!r} of {cell.strategy}"
                for name in differing
            )
            raise InvalidInputError(
                "What is compared must share everything but the strategy: split, "
                "initial set and training of a repeat. Got other settings on "
                f"{'{}, {}, B = {}'.format(*setting)} in {where}: {listed}. Use a "
                "folder for each, and make a report of each."
            )


def merged(mappings):
    """Return what several mappings say together.

    A value that all agree on stays as it is. Others become a list of what is said, each
    thing once; lists are joined.
    """
    said = {}
    for mapping in mappings:
        for name, value in mapping.items():
            said.setdefault(name, []).append(value)
    together = {}
    for name, values in said.items():
        together[name] = values[0]
        if any(value != values[0] for value in values):
            parts = [v if isinstance(v, list) else [v] for v in values]
            flat = [part for listed in parts for part in listed]
            # Not by a set: values may be dicts.
            together[name] = [x for i, x in enumerate(flat) if x not in flat[:i]]
    return together
