"""Which methods the page of a class shows."""

import importlib

# How the command line and the server keep notes, how score strategies are made, and
# what scikit-learn makes.
_HIDDEN = {"get_metadata_routing", "note_opening", "note_project", "ranked", "shown"}
# Shown with each class all the same, since it is what the class is for.
_ALWAYS = {"select"}


def shown_methods(module, name):
    """Return the public methods of a class that a reader finds on no other page.

    These are its own, and those of bases that have no page.
    """
    cls = getattr(importlib.import_module(module), name)
    bases = [b for b in cls.__mro__ if b.__module__.partition(".")[0] == "skbadge"]
    elsewhere = {
        method for base in bases[1:] if _has_page(base) for method in vars(base)
    }
    found = {}
    for base in bases:
        for method, value in vars(base).items():
            kinds = (classmethod, staticmethod)
            is_method = callable(value) or isinstance(value, kinds)
            if not is_method or method.startswith("_") or not value.__doc__:
                continue
            if base is cls or method in _ALWAYS or method not in elsewhere:
                found[method] = None
    return [method for method in found if method not in _HIDDEN]


def _has_page(cls):
    package = cls.__module__.partition("._")[0]
    return cls.__name__ in getattr(importlib.import_module(package), "__all__", ())
