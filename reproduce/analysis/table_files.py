"""The papers' tables of stored records, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reproduce.analysis.cells import Cells
from reproduce.analysis.score_table import score_table
from reproduce.analysis.table import Tables
from reproduce.analysis.table2 import table2
from reproduce.analysis.tables import table1
from reproduce.experiments.preset import Preset
from reproduce.records.current import Current
from reproduce.records.store import Records


def tables_of(
    number: int, preset: Preset, results: Path, seeds: Sequence[int]
) -> dict[str, Tables]:
    """Table ``number`` of the records of ``seeds``, and what stands beside it, by file name. Only
    seeds count that have records of the table's methods."""
    records, tasks = Records(results, preset.name).all(), preset.tables.get(number, [])
    every = Current(records, seeds)
    cells = Cells(records, [s for s in every.seeds if every.has(s, tasks)] or seeds[:1])
    if number == 2:
        return {"table2": table2(preset, cells)}
    return {"table1": table1(preset, cells), "table1-scores": score_table(preset, cells)}


def table_of(
    number: int, preset: Preset, results: Path, seeds: Sequence[int], write: bool
) -> tuple[str, list[Path]]:
    """Table ``number`` in Markdown; with ``write`` also all its files, which are returned."""
    made, files = tables_of(number, preset, results, seeds), list[Path]()
    for name, tables in made.items() if write else ():
        if tables.parts:
            suffixes = "md csv" if name.endswith("scores") else "md csv tex"
            files += tables.write(results / preset.name, name, suffixes)
    return made[f"table{number}"].markdown(), files
