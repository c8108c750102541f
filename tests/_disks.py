"""A disk without room, made of the limit on the size of files."""

import resource
from contextlib import contextmanager


@contextmanager
def no_room(n_bytes=0):
    """Let this process write no file beyond so many bytes: an OSError, as of a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
