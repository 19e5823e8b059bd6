"""CSV files of results: floats with nine significant digits. The last digits of a double depend on
the machine that computes it, and a file should not."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

import numpy as np


class CsvWriter:
    """Writes rows to an open text file."""

    def __init__(self, out: TextIO) -> None:
        self._writer = csv.writer(out, lineterminator="\n")

    def writerow(self, row: Iterable[object]) -> None:
        """Write one row; None becomes an empty cell."""
        self._writer.writerow(
            f"{value:.9g}" if isinstance(value, float | np.floating) else value for value in row
        )
