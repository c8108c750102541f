"""Reference code: slow, obvious, and independent of the library."""
