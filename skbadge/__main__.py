"""Entry point of ``python -m skbadge``."""

import sys

from skbadge._cli import main

# Worker processes import this module, too, and must not run it.
if __name__ == "__main__":
    sys.exit(main())
