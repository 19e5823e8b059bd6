"""Tables: rows of cells, and their only writers for Markdown, CSV and LaTeX.

The template ``report/page.html.j2`` renders the same cells as HTML.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from benchmarks.console import aligned
from benchmarks.files import comma_separated, write_text
from models.errors import UserError
from reproduce.analysis.estimate import Estimate
from reproduce.records.query import number

Cell = Estimate | float | str | None  # None: not known
Row = Mapping[str, Cell]
DASH = "—"
LONG = 1e6  # from here on, numbers are written as a power of ten
# How a number is shown with its interval.
HALF = "{value} ± {half}{unit}"
ENDS = "{value}{unit} [{low}, {high}]"
ALONE = "{value}{unit}"


@dataclass(frozen=True)
class Column:
    """A column with the heading ``title``, which shows the rows' cells under ``key``.

    ``spec`` formats numbers (empty: the interval decides the digits), ``unit`` follows them, and
    ``form`` is how the interval is shown (one of the above). ``words``: the column holds text.
    ``width``: of its paragraphs in LaTeX, as a fraction of the line; 0: the natural width.
    """

    title: str
    key: str = ""
    spec: str = ".3f"
    unit: str = ""
    form: str = HALF
    words: bool = False
    width: float = 0.0


@dataclass(frozen=True)
class Table:
    """Rows under a title, with a caption below. ``trainings``: the number that a cell should average
    over; a cell with fewer is marked. ``kind``: how the report shows it, as table or as claims."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    trainings: int = 0
    kind: str = "table"

    @property
    def head(self) -> list[str]:
        return [column.title for column in self.columns]

    @property
    def left(self) -> set[int]:
        """The indices of the columns that hold text."""
        return {i for i, column in enumerate(self.columns) if column.words}

    @property
    def lines(self) -> list[list[str]]:
        return list(map(self.cells, self.rows))

    def cells(self, row: Row) -> list[str]:
        """The texts of a row's cells."""
        return [self._text(column, row.get(column.key or column.title)) for column in self.columns]

    def _text(self, column: Column, cell: Cell) -> str:
        if cell is None:
            return DASH
        if isinstance(cell, str):
            return cell.replace("(paired)", "†")
        if not isinstance(cell, Estimate):
            return in_words(Estimate(cell), column.spec, column.unit)
        told = in_words(cell, column.spec, column.unit, column.form)
        notes = ", ".join(filter(None, (cell.note, fewer(cell.seeds, self.trainings))))
        return f"{told} ({notes})" if notes else told

    def markdown(self) -> str:
        """The table in GitHub-flavoured Markdown, without title and caption."""
        columns = aligned([self.head, *self.lines], self.left)
        rules = [
            ":" + "-" * (len(cell) + 1) if i in self.left else "-" * (len(cell) + 1) + ":"
            for i, cell in enumerate(columns[0])
        ]
        head, *lines = ("| " + " | ".join(cells) + " |" for cells in columns)
        return "\n".join([head, "|" + "|".join(rules) + "|", *lines])

    def as_json(self) -> str:
        """The table as JSON: the arguments of ``of_texts``."""
        lines = [self.head, *self.lines]
        about = {"title": self.title, "lines": lines, "words": len(self.left)}
        return json.dumps(about | {"caption": self.caption}, indent=1, ensure_ascii=False) + "\n"


def of_texts(
    title: str, lines: Sequence[Sequence[str]], words: int = 1, caption: str = ""
) -> Table:
    """A table of texts; the first line has the headings, the first ``words`` columns hold text."""
    head, *rest = lines
    columns = (Column(name, str(i), words=i < words) for i, name in enumerate(head))
    rows = ({str(i): cell for i, cell in enumerate(line)} for line in rest)
    return Table(title, tuple(columns), tuple(rows), caption)


@dataclass(frozen=True)
class Tables:
    """The contents of one file: tables, ``notes`` on all of them, and a list of ``points``, introduced
    by ``lead``. The CSV has the ``data`` under ``names``: ``x`` is a cell's value, and ``x_low``,
    ``x_high``, ``x_seeds``, ``x_deviation`` are the other fields of its estimate."""

    parts: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    lead: str = ""
    points: tuple[str, ...] = ()
    quoted: bool = False  # whether the points quote other people, and need escaping
    data: tuple[Row, ...] = ()
    names: tuple[str, ...] = ()
    title: str = ""  # of a file of one table

    def markdown(self) -> str:
        """GitHub-flavoured Markdown; empty without tables. Consecutive equal titles appear once."""
        if not self.parts:
            return ""
        texts = [f"### {self.title}"] if self.title else []
        for title, group in groupby(self.parts, lambda part: part.title):
            texts += [f"### {title}"] if title else []
            texts += [t for part in group for t in (part.markdown(), part.caption) if t]
        texts += self.notes
        if self.points:
            shown = map(in_markdown, self.points) if self.quoted else self.points
            points = "\n".join(f"- {point}" for point in shown)
            texts += [t for t in (self.lead, points) if t]
        return "\n\n".join(texts) + "\n"

    def csv(self) -> str:
        """The data as CSV, numbers with nine digits; a missing value is empty."""
        return comma_separated(self.names, ([_told(r, n) for n in self.names] for r in self.data))

    def latex(self) -> str:
        """LaTeX (booktabs). Tables with equal columns are merged; a single one includes the notes."""
        groups = [list(group) for _, group in groupby(self.parts, lambda part: part.columns)]
        notes = [*self.notes, *self.points]
        if len(groups) == 1:
            return tabular(groups[0], notes) + "\n"
        below = [rf"\par\footnotesize {_in_table(note)}" for note in notes]
        return "\n\n".join([*map(tabular, groups), *below]) + "\n"

    def write(self, folder: Path, name: str, suffixes: str = "md csv tex") -> list[Path]:
        """Write ``folder/name.suffix`` for each suffix. Returns the paths."""
        made = {"md": self.markdown, "csv": self.csv, "tex": self.latex}
        paths = [folder / f"{name}.{suffix}" for suffix in suffixes.split()]
        for path in paths:
            write_text(path, made[path.suffix[1:]]())
        return paths


def in_words(estimate: Estimate, spec: str = ".3f", unit: str = "", form: str = HALF) -> str:
    """A number with its interval, if that is known."""
    known = not math.isnan(estimate.half)
    ends = (estimate.low, estimate.high) if known else ()
    shown = {
        key: f"{value:{spec if abs(value) < LONG else '.0e'}}" if spec else number(value, *ends)
        for key in ("value", "low", "high", "half") for value in [getattr(estimate, key)]
    }  # fmt: skip
    return (form if known else ALONE).format(unit=unit, **shown)


def fewer(seeds: int, of: int) -> str:
    """The number of ``seeds`` in words if it is below ``of``, else an empty text."""
    return "" if seeds >= of else f"{seeds} seed{'s' if seeds > 1 else ''}"


def spread(names: Sequence[str], seeds: Sequence[int]) -> Iterator[str]:
    """The CSV columns about trainings; none without ``seeds``."""
    return (f"{name}_{what}" for name in names for what in ("seeds", "deviation") if seeds)


def _told(row: Row, name: str) -> object:
    """A row's value in the CSV column ``name``."""
    cell: object = row.get(name)
    key, _, part = name.rpartition("_")
    if part in ("low", "high", "seeds", "deviation") and name not in row:
        cell = getattr(row.get(key or "value"), part, None)
    elif isinstance(cell, Estimate):
        cell = cell.value
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def tabular(tables: Sequence[Table], notes: Sequence[str] = ()) -> str:
    """Tables with equal columns as one LaTeX table (booktabs), with notes below."""
    columns = tables[0].columns
    kinds = (rf"p{{{c.width}\linewidth}}" if c.width else "l" if c.words else "r" for c in columns)
    lines = [rf"\begin{{tabular}}{{{''.join(kinds)}}}", r"\toprule"]
    for table in tables:
        if table is not tables[0]:
            lines.append(r"\midrule")
        if table.title:
            lines.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{{_in_table(table.title)}}} \\")
        head, *rest = (
            " & ".join(_in_table(cell.replace(" †", "†")) for cell in cells) + r" \\"
            for cells in (table.head, *table.lines)
        )
        lines += [head, r"\midrule", *rest]
    lines.append(r"\bottomrule")
    span = rf"\multicolumn{{{len(columns)}}}{{p{{0.9\linewidth}}}}"
    lines += [rf"{span}{{\footnotesize {_in_table(note)}}} \\" for note in notes]
    return "\n".join([*lines, r"\end{tabular}"])


def _in_table(text: str) -> str:
    return in_latex(text.replace(DASH, "–"))


# LaTeX's special characters, and characters that its standard fonts need a command for.
_COMMANDS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",
    "±": r"$\pm$", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "−": r"$-$", "→": r"$\rightarrow$", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "≤": r"$\leq$", "≥": r"$\geq$", "×": r"$\times$", "·": r"$\cdot$",
    "—": "---", "–": "--", "“": "``", "”": "''", "‘": "`", "’": "'", "\u00a0": "~",
    "²": r"$^2$", "√": r"$\surd$", "λ": r"$\lambda$", "σ": r"$\sigma$", "μ": r"$\mu$",
}  # fmt: skip


def in_markdown(text: str) -> str:
    """Escape plain text for Markdown: no part of it is a link, a tag or a table cell."""
    return re.sub(r"[\\`*\[\]<|~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)", r"\\\g<0>", text)


def in_latex(text: str) -> str:
    """Escape plain text for LaTeX: no part of it is a command; a character that the fonts lack becomes
    its code point."""
    return "".join(map(_sign, text.replace("->", "→")))


def _sign(sign: str) -> str:
    if sign in _COMMANDS:
        return _COMMANDS[sign]
    if " " <= sign <= "~":
        return sign
    if sign.isspace():
        return " "
    ascii_ = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return "".join(map(_sign, ascii_)) if ascii_ else rf"\texttt{{U+{ord(sign):04X}}}"


def place_in_readme(path: Path, mark: str) -> tuple[str, str]:
    """The text before and after the place between ``<!-- mark -->`` and ``<!-- /mark -->``; UserError
    if the file has no such place, so that this is known before hours of work."""
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    whole = path.read_text(encoding="utf-8") if path.is_file() else ""
    if whole.count(start) != 1 or whole.count(end) != 1:
        raise UserError(f"{path} has no place for the table: add a line {start} and a line {end}")
    return whole.split(start)[0] + start, end + whole.split(end)[1]


def fill_readme(path: Path, mark: str, text: str) -> None:
    """Put a text between ``<!-- mark -->`` and ``<!-- /mark -->`` in a Markdown file."""
    before, after = place_in_readme(path, mark)
    # One level below the README's own headings.
    write_text(path, f"{before}\n{text.replace('### ', '#### ')}{after}")
