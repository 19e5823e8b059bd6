"""The command line: ``python -m reproduce COMMAND``."""

from __future__ import annotations

import sys

from reproduce.cli import main
from reproduce.processes import only_first_speaks

if __name__ == "__main__":
    with only_first_speaks():
        sys.exit(main())
