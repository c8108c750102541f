"""Which methods the page of a class shows."""

import importlib

# How the command line and the server keep notes; and what scikit-learn makes.
_HIDDEN = {"get_metadata_routing", "note_opening", "note_project"}
# Shown with each class all the same, since it is what the class is for.
_ALWAYS = {"select"}


def shown_methods(module, name):
    """Return the public methods of a class that a reader finds on no other page.

    These are its own, and those of bases that have no page.
    """
    cls = getattr(importlib.import_module(module), name)
    found = {}
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != "skbadge":
            continue
        elsewhere = base is not cls and _has_page(base)
        for method, value in vars(base).items():
            if method.startswith("_") or method in _HIDDEN:
                continue
            kinds = (classmethod, staticmethod)
            if not (callable(value) or isinstance(value, kinds)) or not value.__doc__:
                continue
            if not elsewhere or method in _ALWAYS:
                found[method] = None
    return list(found)


def _has_page(cls):
    package = cls.__module__.partition("._")[0]
    return cls.__name__ in getattr(importlib.import_module(package), "__all__", ())
