"""A table from stored records: its text, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce.analysis import table2_text, table_text
from reproduce.analysis.over_seeds import stored
from reproduce.analysis.score_table import write_scores
from reproduce.analysis.table2 import table2
from reproduce.analysis.tables import table1
from reproduce.experiments.preset import Preset


def table_of(
    number: int, preset: Preset, results: Path, seeds: Sequence[int], write: bool
) -> tuple[str, list[Path]]:
    """Table ``number`` of the records of ``seeds`` in Markdown; with ``write`` also its files, which
    are returned."""
    by_translation, cells = stored(preset, results, number, seeds)
    folder, files = results / preset.name, list[Path]()
    if number == 2:
        second = table2(preset, by_translation, cells)
        if write:
            files = table2_text.write_table(second, folder)
        return table2_text.markdown(second), files
    found = by_translation[None]
    first = table1(preset, found, cells)
    if write:
        files = table_text.write_table(first, folder)
        files += write_scores(preset, found, folder, cells)
    return table_text.markdown(first), files
