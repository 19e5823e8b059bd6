"""The command line: ``python -m reproduce COMMAND``."""

from __future__ import annotations

import sys

from reproduce.cli import main

if __name__ == "__main__":
    sys.exit(main())
