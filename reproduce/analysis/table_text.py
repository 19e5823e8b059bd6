"""Tables as text: Markdown, CSV, LaTeX. Generated, never typed."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.files import CsvWriter, write_text
from benchmarks.metrics.lpips_features import MEASURED_SIDE
from benchmarks.metrics.observer import RIGHT
from models.errors import UserError
from reproduce.analysis.agreement import Agreement
from reproduce.analysis.estimate import Estimate, few
from reproduce.analysis.tables import Quality, Row, Table1
from reproduce.records.current import REAL, REFERENCE
from reproduce.tasks.specs import TASKS

DASH = "—"


def paper(value: float | None, digits: int, unit: str = "") -> str:
    return DASH if value is None else f"{value:.{digits}f}{unit}"


def ours(cell: Estimate | None, of: int = 0, digits: int = 3) -> str:
    """A cell's number with its interval, and of how many trainings it is where not of all ``of``
    (0: it is of none)."""
    if cell is None:
        return DASH
    known = "" if math.isnan(cell.half) else f" ± {cell.half:.{digits}f}"
    few = fewer(cell, of)
    return f"{cell.value:.{digits}f}{known}" + (f" ({few})" if few else "")


def fewer(cell: Estimate, of: int) -> str:
    """How many seeds a cell has where that is not all ``of`` the table's; else nothing."""
    if cell.seeds >= of:
        return ""
    return f"{cell.seeds} seed{'s' if cell.seeds > 1 else ''}"


def trainings(seeds: Sequence[int], of_real: str = "") -> str:
    """What numbers are means over, and their intervals about; ``of_real``: real data's, of one."""
    if len(seeds) < 2:
        told = f" (of real data, over {of_real})" if of_real else ""
        return f"one training each, so the 95% intervals are over inputs{told} and not over seeds."
    return (
        f"means over {len(seeds)} trainings each (seeds {', '.join(map(str, seeds))}) with 95% "
        "intervals over other trainings on the same pictures (Student's t), ± the longer side; "
        f"real data's are over pictures.{few(len(seeds))} A cell of fewer trainings says so; that "
        "of one has an interval over inputs."
    )


def nearness(agreements: Sequence[Agreement], where: str, unit: str = "") -> str:
    """How near columns of ours are to the paper's, in a sentence; empty where that is not known."""
    if not agreements:
        return ""
    told = "; ".join(of.in_words(unit) for of in agreements)
    return f" Against the paper{where}: {told}."


def _of(row: Row, table: Table1) -> int:
    """How many trainings a row should have."""
    return 0 if row.method == REAL else len(table.seeds)


def _ours_quality(row: Row, of: int) -> str:
    if row.quality is None:
        return DASH
    cell, source = row.quality.cell, row.quality.source
    if row.method == REFERENCE:  # by definition; what it scores against itself is a control
        return f"50.0% ({source})"
    source = ", ".join(filter(None, (source, fewer(cell, of))))
    return f"{cell.value:.1f} ± {cell.half:.1f}% ({source})"


def heading(task: str) -> str:
    """A task's title, with the paper's task that it stands for."""
    spec = TASKS.get(task)
    if spec is None or spec.stands_for == task:
        return spec.title if spec else task
    return f"{spec.title} (paper: {spec.stands_for})"


def _lines(table: Table1, task: str) -> list[list[str]]:
    return [
        [row.title, paper(row.paper_quality, 1, "%"), _ours_quality(row, _of(row, table)),
         paper(row.paper_diversity, 3),
         ours(row.diversity, _of(row, table)), ours(row.silhouette, _of(row, table))]
        for row in table.rows if row.task == task
    ]  # fmt: skip


COLUMNS = ["Method", "Quality, paper", "Quality, ours", "Diversity (LPIPS), paper",
           "Diversity (LPIPS), ours", "Silhouette IoU"]  # fmt: skip


def caption(table: Table1) -> str:
    """What the numbers are, in one paragraph."""
    words = (
        f"Diversity, ours: protocol {table.protocol or DASH}, which enlarges pictures under "
        f"{MEASURED_SIDE} px to {MEASURED_SIDE} px; {trainings(table.seeds, 'random pairs')}"
    )
    if table.extractor not in ("", "lpips"):
        words += f" {table.extractor} is not the paper's LPIPS, so compare the order of rows, not values."
    words += _about_quality(table)
    words += "".join(nearness(of, f" on {task}") for task, of in table.agreements.items())
    changed = f" with {table.changes}" if table.changes else ""
    return f"Preset {table.preset}{changed}. {words} † is trained on pairs."


def _about_quality(table: Table1) -> str:
    """Who preferred, and what the reference scores against itself."""
    sources = {row.quality.source for row in table.rows if row.quality is not None}
    words = ""
    if "judged" in sources:
        words += (
            " Quality (judged): share of pairs of translations in which the method's is nearer (LPIPS "
            f"0.1) than MUNIT's to the nearest of the photos of the {RIGHT} training inputs that are "
            "most like the input, a stand-in for people."
        )
    if "observed" in sources:
        words += (
            " Quality (observed): share of pairs of translations in which the method's is nearer "
            f"(LPIPS 0.1) than MUNIT's to the nearest of {RIGHT} true pictures of the input. The "
            "observer does not see whether a set of pictures is varied, takes a style that no true "
            "picture has for an error, and knows nothing of what people find realistic."
        )
    if any(row.quality is not None and row.method == REAL for row in table.rows):
        words += " Real data's Quality is that of real pictures of the same inputs against MUNIT's."
    if "human" in sources:
        words += " Quality (human): preference over MUNIT by people."
    controls = [
        f"{row.quality.cell.value:.1f} ± {row.quality.cell.half:.1f}% ({row.task})"
        for row in table.rows
        if row.method == REFERENCE and row.quality is not None and row.quality.source != "human"
    ]
    if controls:
        words += f" Two samples of MUNIT against each other: {', '.join(controls)}."
    return words


def columns(table: Table1) -> list[str]:
    """Headings; an extractor that is not the paper's is named where its numbers stand."""
    named = table.extractor not in ("", "lpips")
    return [c.replace("LPIPS", table.extractor) if named and "ours" in c else c for c in COLUMNS]


def markdown(table: Table1) -> str:
    """GitHub-flavoured Markdown."""
    parts = []
    for task in table.tasks:
        rows = [columns(table), *_lines(table, task)]
        rows = [[cell.replace("(paired)", "†") for cell in row] for row in rows]
        parts.append(f"### {heading(task)}\n\n{grid(rows)}")
    return "\n\n".join(parts) + f"\n\n{caption(table)}\n"


def grid(rows: list[list[str]], left: int = 1) -> str:
    """Rows of cells, the first of them headings, as a Markdown table; ``left`` columns of words."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: list[str]) -> str:
        padded = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in
                  enumerate(zip(row, widths, strict=True))]  # fmt: skip
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(
        ":" + "-" * (w + 1) if i < left else "-" * (w + 1) + ":" for i, w in enumerate(widths)
    )
    return "\n".join([line(rows[0]), rule + "|", *map(line, rows[1:])])


def comma_separated(table: Table1) -> str:
    """CSV with nine digits."""
    out = io.StringIO()
    writer = CsvWriter(out)
    writer.writerow(
        ["task", "method", "row", "paper_quality_percent", "paper_diversity", "diversity",
         "diversity_low", "diversity_high", "extractor", "protocol", "silhouette_iou", "quality_percent",
         "quality_low", "quality_high", "quality_source", *spread_names(table.seeds, SPREAD)]
    )  # fmt: skip
    for r in table.rows:
        d = r.diversity
        writer.writerow(
            [r.task, r.method, r.title, r.paper_quality, r.paper_diversity,
             *numbers(d), table.extractor, r.protocol,
             r.silhouette and r.silhouette.value, *_quality_numbers(r.quality),
             *spreads(table.seeds, (d, r.silhouette, r.quality.cell if r.quality else None))]
        )  # fmt: skip
    return out.getvalue()


SPREAD = ("diversity", "silhouette_iou", "quality")


def spread_names(seeds: Sequence[int], names: Sequence[str]) -> list[str]:
    """CSV's columns about trainings, for each of ``names``: how many, and the standard deviation
    between them. None where all numbers are of one."""
    return [f"{n}_{what}" for n in names for what in ("seeds", "deviation")] if seeds else []


def spreads(seeds: Sequence[int], cells: Sequence[Estimate | None]) -> list[object]:
    """What stands in these columns."""
    if not seeds:
        return []
    return [n for c in cells for n in ((c.seeds, c.deviation) if c else (None, None))]


def numbers(cell: Estimate | None) -> list[float | None]:
    """A cell's value and interval for CSV; None for what is not known."""
    if cell is None:
        return [None] * 3
    return [None if math.isnan(n) else n for n in (cell.value, cell.low, cell.high)]


def _quality_numbers(quality: Quality | None) -> list[object]:
    if quality is None:
        return [None] * 4
    return [*numbers(quality.cell), quality.source]


_IN_LATEX = {
    "%": r"\%",
    "†": r"$^\dagger$",
    "±": r"$\pm$",
    DASH: "--",
    "->": r"$\rightarrow$",
    "_": r"\_",
}


def in_latex(text: str) -> str:
    """Plain text with what LaTeX would take for commands written out."""
    text = text.replace(" (paired)", "†")
    for plain, command in _IN_LATEX.items():
        text = text.replace(plain, command)
    return text


def latex(table: Table1) -> str:
    """A booktabs table."""
    clean = in_latex
    lines = [r"\begin{tabular}{lrrrrr}", r"\toprule"]
    for i, task in enumerate(table.tasks):
        if i:
            lines.append(r"\midrule")
        lines.append(rf"\multicolumn{{6}}{{l}}{{{clean(heading(task))}}} \\")
        lines.append(" & ".join(clean(c) for c in columns(table)) + r" \\")
        lines.append(r"\midrule")
        lines += [" & ".join(clean(c) for c in row) + r" \\" for row in _lines(table, task)]
    note = rf"\multicolumn{{6}}{{p{{0.9\linewidth}}}}{{\footnotesize {clean(caption(table))}}} \\"
    lines += [r"\bottomrule", note, r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def write_table(table: Table1, folder: Path) -> list[Path]:
    """``table1.md``, ``.csv`` and ``.tex`` in ``folder``."""
    texts = {"md": markdown(table), "csv": comma_separated(table), "tex": latex(table)}
    return write_texts(texts, folder, "table1")


def write_texts(texts: dict[str, str], folder: Path, name: str) -> list[Path]:
    """``name`` with every suffix in ``folder``."""
    paths = [folder / f"{name}.{suffix}" for suffix in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


def update_readme(path: Path, table: int, preset: str, text: str) -> None:
    """Put a table between ``<!-- tableN-PRESET -->`` and its end in a Markdown file."""
    fill_readme(path, f"table{table}-{preset}", text)


def fill_readme(path: Path, mark: str, text: str) -> None:
    """Put a text between ``<!-- mark -->`` and ``<!-- /mark -->`` in a Markdown file."""
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    whole = path.read_text(encoding="utf-8") if path.is_file() else ""
    if whole.count(start) != 1 or whole.count(end) != 1:
        raise UserError(f"{path} has no place for the table: put {start} and {end} on lines of it")
    before, after = whole.split(start)[0], whole.split(end)[1]
    # One level below the README's own headings.
    write_text(path, f"{before}{start}\n{text.replace('### ', '#### ')}{end}{after}")
