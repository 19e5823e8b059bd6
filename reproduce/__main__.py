"""Entry point of ``python -m reproduce COMMAND``."""

from __future__ import annotations

import sys

from reproduce.commands.cli import main
from reproduce.training.processes import only_first_speaks

if __name__ == "__main__":
    with only_first_speaks():
        sys.exit(main())
