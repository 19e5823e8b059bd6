"""The claims of the papers with their verdicts, as blocks of a report."""

from __future__ import annotations

from reproduce.analysis.claims.table import (
    COLUMNS,
    ClaimsTable,
    caption,
    markdown,
    shown_part,
    summary,
)
from reproduce.report.blocks import Block, Claims, Paragraph, Row, Table, blocks_of

SHOWN = ("Limits", "Paper", "Ours", "p", "Seeds")  # columns beside claim and verdict


def claims_blocks(table: ClaimsTable) -> list[Block]:
    """How many claims hold, a table for each source and task, and what the numbers are."""
    # The words and digits of the table that is printed: a number is rounded in one place.
    printed = next(b for b in blocks_of(markdown(table), "claims") if isinstance(b, Table))
    groups: dict[str, list[Row]] = {}
    for finding, line in zip(table.findings, printed.rows, strict=True):
        cells = dict(zip(COLUMNS, line, strict=True))
        row = Row(
            cells["Claim"], shown_part(finding).label, tuple(cells[name] for name in SHOWN),
            finding.verdict, table.cause(finding) if finding.verdict != "holds" else "",
        )  # fmt: skip
        groups.setdefault(f"{cells['Source']}: {cells['On']}", []).append(row)
    head = ("Claim, and what was measured", "Verdict", *SHOWN)
    return [
        Paragraph(summary(table.findings)),
        *(Claims(group, head, tuple(rows)) for group, rows in groups.items()),
        Paragraph(caption(table)),
    ]
