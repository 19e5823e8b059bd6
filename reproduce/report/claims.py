"""The claims of the papers with their verdicts, as blocks of a report."""

from __future__ import annotations

from dataclasses import replace

from reproduce.analysis.claims.table import COLUMNS, summary
from reproduce.analysis.table import Row, Tables
from reproduce.report.blocks import Block, Paragraph

HEADINGS = ("Limits", "Paper", "Ours", "p", "Seeds")  # beside claim and verdict


def claims_blocks(tables: Tables) -> list[Block]:
    """How many claims hold, a table for each source and task, and what the numbers are."""
    (table,) = tables.parts
    known = {column.title: column for column in COLUMNS}
    first = replace(known["Claim"], title="Claim, and what was measured")
    columns = (first, known["Verdict"], *(known[name] for name in HEADINGS))
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(f"{row['source']}: {row['on']}", []).append(row)
    return [
        Paragraph(summary([row["verdict"] for row in table.rows])),
        *(
            replace(table, title=title, columns=columns, rows=tuple(rows), kind="claims")
            for title, rows in groups.items()
        ),
        *map(Paragraph, tables.notes),
    ]
