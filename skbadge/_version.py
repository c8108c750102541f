"""The version, for all that is written to files."""

__all__ = ["__version__"]

__version__ = "0.1.0"
