"""Deep active learning with scikit-learn manners, for any skorch net."""

__version__ = "0.1.0"
__all__ = ["__version__"]
