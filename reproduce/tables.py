"""The papers' tables, row by row: the published column beside ours. Generated, never typed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.zoo import METHODS
from reproduce.experiments import TABLE1_METHODS, Preset
from reproduce.files import write_text
from reproduce.measure import REAL
from reproduce.tasks.registry import TASKS

PAPER = Path(__file__).resolve().parent.parent / "results" / "paper"
DASH = "—"
Found = Mapping[tuple[str, str], dict[str, dict[str, Any]]]  # (task, method) -> metric -> record


@dataclass(frozen=True)
class Cell:
    """One number of ours with its interval."""

    value: float
    low: float
    high: float

    @property
    def half(self) -> float:
        return max(self.high - self.value, self.value - self.low)


@dataclass(frozen=True)
class Row:
    """One method on one task."""

    task: str
    method: str
    title: str
    paper_quality: float | None
    paper_diversity: float | None
    diversity: Cell | None
    silhouette: Cell | None
    protocol: str  # of the diversity


@dataclass(frozen=True)
class Table1:
    """Table 1 of the MUNIT paper at a preset's scale."""

    preset: str
    changes: str  # what was overridden, in words
    tasks: tuple[str, ...]
    rows: tuple[Row, ...]
    extractor: str
    protocol: str


def published_table1() -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """(task, row title) -> quality in percent, diversity; None where the paper prints none."""

    def number(text: str) -> float | None:
        return float(text) if text else None

    with (PAPER / "table1_quality_diversity.csv").open(newline="", encoding="utf-8") as file:
        return {
            (r["task"], r["method"]): (
                number(r["quality_percent_preferred_over_munit"]),
                number(r["lpips_diversity"]),
            )
            for r in csv.DictReader(file)
        }


def table1(preset: Preset, found: Found) -> Table1:
    """Assemble the table from records. A row without a record shows a dash, and so does one
    that was measured in another way than the newest: a column holds one quantity."""
    published = published_table1()
    tasks = tuple(preset.tables[1])
    measured = [
        record
        for (task, method), records in found.items()
        for metric, record in records.items()
        if metric.startswith("diversity") and task in tasks and method != REAL
    ]
    newest = max(measured, key=lambda r: r.get("time", ""))["protocol"] if measured else {}
    extractor, protocol = newest.get("extractor", ""), newest.get("protocol", "")
    rows = []
    for task in tasks:
        counterpart = TASKS[task].stands_for if task in TASKS else task
        for method in (*TABLE1_METHODS, REAL):
            title = "Real data" if method == REAL else METHODS[method].title
            quality, paper = published.get((counterpart, title), (None, None))
            records = found.get((task, method), {})
            diversity = records.get(f"diversity-{extractor}")
            if diversity and method != REAL and diversity["protocol"]["protocol"] != protocol:
                diversity = None
            rows.append(
                Row(task, method, title, quality, paper, _cell(diversity),
                    _cell(records.get("silhouette-iou")),
                    diversity["protocol"]["protocol"] if diversity else "")
            )  # fmt: skip
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return Table1(preset.base, changes, tasks, tuple(rows), extractor, protocol)


def _cell(record: dict[str, Any] | None) -> Cell | None:
    if record is None:
        return None
    interval = record["interval"]
    return Cell(record["value"], interval["low"], interval["high"])


def _paper(value: float | None, digits: int, unit: str = "") -> str:
    return DASH if value is None else f"{value:.{digits}f}{unit}"


def _ours(cell: Cell | None) -> str:
    return DASH if cell is None else f"{cell.value:.3f} ± {cell.half:.3f}"


def _heading(task: str) -> str:
    spec = TASKS.get(task)
    if spec is None or spec.stands_for == task:
        return spec.title if spec else task
    return f"{spec.title} (paper: {spec.stands_for})"


def _lines(table: Table1, task: str) -> list[list[str]]:
    return [
        [row.title, _paper(row.paper_quality, 1, "%"), DASH, _paper(row.paper_diversity, 3),
         _ours(row.diversity), _ours(row.silhouette)]
        for row in table.rows if row.task == task
    ]  # fmt: skip


COLUMNS = ["Method", "Quality, paper", "Quality, ours", "Diversity, paper", "Diversity, ours",
           "Silhouette IoU"]  # fmt: skip


def caption(table: Table1) -> str:
    """What the numbers are, in one paragraph."""
    words = (
        f"Diversity, ours: {table.extractor or 'not measured'}, protocol {table.protocol or DASH}; "
        "one training each, so the 95% intervals are over inputs (of real data, over random pairs) "
        "and not over seeds."
    )
    if table.extractor not in ("", "lpips"):
        words += f" {table.extractor} is not the paper's LPIPS, so compare the order of rows, not values."
    changed = f" with {table.changes}" if table.changes else ""
    return f"Preset {table.preset}{changed}. {words} † is trained on pairs."


def columns(table: Table1) -> list[str]:
    """Headings; an extractor that is not the paper's is named where its numbers stand."""
    named = table.extractor not in ("", "lpips")
    return [c + f" ({table.extractor})" if named and c == "Diversity, ours" else c for c in COLUMNS]


def markdown(table: Table1) -> str:
    """GitHub-flavoured Markdown."""
    parts = []
    for task in table.tasks:
        rows = [columns(table), *_lines(table, task)]
        rows = [[cell.replace("(paired)", "†") for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]

        def line(row: list[str], widths: list[int] = widths) -> str:
            padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in
                      enumerate(zip(row, widths, strict=True))]  # fmt: skip
            return "| " + " | ".join(padded) + " |"

        rule = "|" + "|".join(
            ":" + "-" * (w + 1) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)
        )
        parts.append(
            f"### {_heading(task)}\n\n"
            + "\n".join([line(rows[0]), rule + "|", *map(line, rows[1:])])
        )
    return "\n\n".join(parts) + f"\n\n{caption(table)}\n"


def comma_separated(table: Table1) -> str:
    """CSV with every digit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["task", "method", "row", "paper_quality_percent", "paper_diversity", "diversity",
         "diversity_low", "diversity_high", "extractor", "protocol", "silhouette_iou"]
    )  # fmt: skip
    for r in table.rows:
        d = r.diversity
        writer.writerow(
            [r.task, r.method, r.title, r.paper_quality, r.paper_diversity,
             d and d.value, d and d.low, d and d.high, table.extractor, r.protocol,
             r.silhouette and r.silhouette.value]
        )  # fmt: skip
    return out.getvalue()


def latex(table: Table1) -> str:
    """A booktabs table."""
    escape = {
        "%": r"\%",
        "†": r"$^\dagger$",
        "±": r"$\pm$",
        DASH: "--",
        "->": r"$\rightarrow$",
        "_": r"\_",
    }

    def clean(text: str) -> str:
        text = text.replace(" (paired)", "†")
        for plain, command in escape.items():
            text = text.replace(plain, command)
        return text

    lines = [r"\begin{tabular}{lrrrrr}", r"\toprule"]
    for i, task in enumerate(table.tasks):
        if i:
            lines.append(r"\midrule")
        lines.append(rf"\multicolumn{{6}}{{l}}{{{clean(_heading(task))}}} \\")
        lines.append(" & ".join(clean(c) for c in columns(table)) + r" \\")
        lines.append(r"\midrule")
        lines += [" & ".join(clean(c) for c in row) + r" \\" for row in _lines(table, task)]
    note = rf"\multicolumn{{6}}{{p{{0.9\linewidth}}}}{{\footnotesize {clean(caption(table))}}} \\"
    lines += [r"\bottomrule", note, r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def write_table(table: Table1, folder: Path) -> list[Path]:
    """``table1.md``, ``.csv`` and ``.tex`` in ``folder``."""
    texts = {"md": markdown(table), "csv": comma_separated(table), "tex": latex(table)}
    paths = []
    for suffix, text in texts.items():
        paths.append(folder / f"table1.{suffix}")
        write_text(paths[-1], text)
    return paths


def update_readme(path: Path, preset: str, text: str) -> None:
    """Put a table between ``<!-- table1-PRESET -->`` and its end in a Markdown file."""
    start, end = f"<!-- table1-{preset} -->", f"<!-- /table1-{preset} -->"
    whole = path.read_text(encoding="utf-8") if path.is_file() else ""
    if whole.count(start) != 1 or whole.count(end) != 1:
        raise UserError(f"{path} has no place for the table: put {start} and {end} on lines of it")
    before, after = whole.split(start)[0], whole.split(end)[1]
    # One level below the README's own headings.
    write_text(path, f"{before}{start}\n{text.replace('### ', '#### ')}{end}{after}")
