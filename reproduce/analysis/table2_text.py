"""Table 2 as text: Markdown, CSV, LaTeX. Generated, never typed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from benchmarks.files import CsvWriter
from models.zoo import METHODS
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table2 import DirectionRow, Scores, Table2
from reproduce.analysis.table_text import (
    DASH,
    fewer,
    grid,
    in_latex,
    nearness,
    numbers,
    ours,
    paper,
    spread_names,
    spreads,
    trainings,
    write_texts,
)
from reproduce.experiments.preset import TABLE2_METHODS

TITLES = tuple(METHODS[method].title for method in TABLE2_METHODS)


def _share(cell: Estimate | None, of: int) -> list[str]:
    if cell is None:
        return [DASH]
    few = fewer(cell, of)
    return [f"{100 * cell.value:.0f}%" + (f" ({few})" if few else "")]


def _bounds(row: DirectionRow) -> list[str]:
    return [ours(row.real), DASH if row.limit is None else f"{row.limit:.3f}"]


def _rows(table: Table2, cells: Callable[[Scores], list[str]]) -> list[list[str]]:
    return [
        [row.title, *(c for m in TABLE2_METHODS for c in cells(row.scores[m]))]
        for row in table.rows
    ]


def _paired(headings: tuple[str, ...]) -> list[str]:
    return ["Direction", *(f"{title}, {who}" for title in headings for who in ("paper", "ours"))]


def sections(table: Table2) -> list[tuple[str, list[list[str]]]]:
    """Heading and rows (the first of them headings) of the table's parts."""
    of = len(table.seeds)
    cis = _rows(table, lambda s: [paper(s.paper_cis, 3), ours(s.cis, of)])
    inception = [
        [*line, *_bounds(row)]
        for line, row in zip(
            _rows(table, lambda s: [paper(s.paper_is, 3), ours(s.inception, of)]),
            table.rows, strict=True,
        )
    ]  # fmt: skip
    reached = _rows(table, lambda s: _share(s.all_modes, of))
    confusion = [
        [*line, ours(row.real_confusion)]
        for line, row in zip(
            _rows(table, lambda s: [ours(s.confusion, of)]), table.rows, strict=True
        )
    ]
    parts = [
        ("CIS (nats): how much modes vary for one input", [_paired(TITLES), *cis]),
        (
            "IS (nats): how much modes vary over all inputs",
            [[*_paired(TITLES), "Real data", "ln K"], *inception],
        ),
        ("Inputs that reach every mode", [["Direction", *TITLES], *reached]),
    ]
    if any(scores.confusion for row in table.rows for scores in row.scores.values()):
        heading = "Content confusion (lower is better; 0: content kept, 0.5: chance)"
        parts.append((heading, [["Direction", *TITLES, "Real data"], *confusion]))
    return parts


def caption(table: Table2) -> str:
    """What the numbers are, in one paragraph."""
    words = (
        f"{table.protocol or DASH} (inputs x samples of each); {trainings(table.seeds)} Scores are "
        "in nats, without exponential. ln K is the most that K modes allow, and real data's IS the "
        "most that the classifier can see."
    )
    words += nearness(table.agreements, "", "nats")
    if table.classifiers:
        words += (
            f" Accuracy of the classifiers on held-out pictures: {', '.join(table.classifiers)}."
        )
    if table.readers:
        words += (
            " Content confusion: the share of other inputs whose true content is nearer to what a "
            "network reads off a translation than its own input's; real data's is the network's own "
            "error. Share of each factor's variance that it explains on held-out pictures: "
            f"{'; '.join(table.readers)}."
        )
    changed = f" with {table.changes}" if table.changes else ""
    return f"Preset {table.preset}{changed}. {words}"


def markdown(table: Table2) -> str:
    """GitHub-flavoured Markdown."""
    parts = [f"### {heading}\n\n{grid(rows)}" for heading, rows in sections(table)]
    return "\n\n".join(parts) + f"\n\n{caption(table)}\n"


def comma_separated(table: Table2) -> str:
    """CSV with nine digits, one line a direction and method."""
    out = io.StringIO()
    writer = CsvWriter(out)
    names = ("cis", "is", "all_modes_share", "content_confusion")
    writer.writerow(
        ["direction", "method", "row", "paper_cis", "paper_is",
         *(f"{name}{end}" for name in names for end in ("", "_low", "_high")), "real_is", "ln_k",
         "real_content_confusion", *spread_names(table.seeds, names)]
    )  # fmt: skip
    for row in table.rows:
        for method, title in zip(TABLE2_METHODS, TITLES, strict=True):
            s = row.scores[method]
            cells = (s.cis, s.inception, s.all_modes, s.confusion)
            writer.writerow(
                [row.title, method, title, s.paper_cis, s.paper_is,
                 *(number for cell in cells for number in numbers(cell)),
                 row.real and row.real.value, row.limit,
                 row.real_confusion and row.real_confusion.value, *spreads(table.seeds, cells)]
            )  # fmt: skip
    return out.getvalue()


def latex(table: Table2) -> str:
    """A booktabs table for each part."""
    parts = []
    for heading, (head, *rows) in sections(table):
        width = len(head)
        lines = [rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule",
                 rf"\multicolumn{{{width}}}{{l}}{{{in_latex(heading)}}} \\"]  # fmt: skip
        lines += [" & ".join(map(in_latex, head)) + r" \\", r"\midrule"]
        lines += [" & ".join(map(in_latex, row)) + r" \\" for row in rows]
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    note = rf"\par\footnotesize {in_latex(caption(table))}"
    return "\n\n".join([*parts, note]) + "\n"


def write_table(table: Table2, folder: Path) -> list[Path]:
    """``table2.md``, ``.csv`` and ``.tex`` in ``folder``."""
    texts = {"md": markdown(table), "csv": comma_separated(table), "tex": latex(table)}
    return write_texts(texts, folder, "table2")
