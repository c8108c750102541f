"""Ways in which a step of the plain loop may go, small as the pools of tests are."""

from skbadge.embeddings import _sweep


def force_course(patch, course):
    """Let steps go one way: "plain" as they are, or in a form for larger tables."""
    if course == "plain":
        return
    patch.setattr(_sweep, "_NARROW", 0)
    patch.setattr(_sweep, "_COPIED", 0)
    patch.setattr(_sweep, "chunk_length", lambda width: 16)
    if course == "in chunks":
        patch.setattr(_sweep, "_KEPT", 0)
    if course in ("in groups", "widened"):
        for name in ("_PER_LOOK", "_PRICE", "_SOME", "_GROUPED"):
            patch.setattr(_sweep, name, 0)
    if course == "in groups":
        patch.setattr(_sweep, "_WIDENED", 0)
