"""What a report is made of; and the Markdown that our own tables are written in, read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from models.errors import UserError


@dataclass(frozen=True)
class Paragraph:
    """Running text; words in backticks are code."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Heading:
    """The title of a part of a section."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Code:
    """A command to be typed."""

    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Table:
    """A table with its caption. Every row has as many cells as ``head``; the first cell is the
    row's heading. ``left``: columns of words; the others hold numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Figure:
    """A picture in a file. ``alt``: what it shows, for who does not see it; ``caption``: how to
    read it. ``size``: width and height in pixels."""

    path: Path
    alt: str
    caption: str
    size: tuple[int, int]
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Missing:
    """What is not made yet, and the command that makes it."""

    what: tuple[str, ...]
    command: str
    kind: ClassVar[str] = "missing"


@dataclass(frozen=True)
class Row:
    """One claim. ``cells``: by the head of its table, after claim and verdict; ``cause``: what is
    known of why it does not hold."""

    claim: str
    measured: str
    cells: tuple[str, ...]
    verdict: str
    cause: str


@dataclass(frozen=True)
class Claims:
    """The claims of one source and place."""

    caption: str
    head: tuple[str, ...]  # of the claim, the verdict and the ``cells``
    rows: tuple[Row, ...]
    kind: ClassVar[str] = "claims"


Block = Paragraph | Heading | Bullets | Code | Table | Figure | Missing | Claims


@dataclass(frozen=True)
class Section:
    """A part of the report; ``name``: what links call it."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def missing_last(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """What is missing comes last, and as one block a command."""
    there: list[Block] = []
    missing: dict[str, list[str]] = {}
    for block in blocks:
        if isinstance(block, Missing):
            missing.setdefault(block.command, []).extend(block.what)
        else:
            there.append(block)
    return (*there, *(Missing(tuple(what), command) for command, what in missing.items()))


def blocks_of(markdown: str, where: str) -> list[Block]:
    """Markdown as this program writes it: headings, tables, lists and paragraphs.

    A heading right before a table is its caption, and that of tables right after it; one before
    anything else stays a heading. Other Markdown, and HTML, is text. ``where``: what a UserError
    calls it.
    """
    found: list[Block] = []
    title = ""
    for lines in _groups(markdown):
        if lines[0].startswith("#"):
            if title:
                found.append(Heading(title))
            title = lines[0].lstrip("# ")
            continue
        if not title and found and isinstance(found[-1], Table) and lines[0].startswith("|"):
            title = found[-1].caption
        made = _block(lines, title, where)
        if title and not isinstance(made, Table):
            found.append(Heading(title))
        title = ""
        found.append(made)
    return [*found, Heading(title)] if title else found


def _block(lines: Sequence[str], title: str, where: str) -> Block:
    if lines[0].startswith("|"):
        return _table(lines, title, where)
    if lines[0].startswith("- "):
        items: list[str] = []
        for line in lines:
            if line.startswith("- "):
                items.append(line[2:])
            else:
                items[-1] += f" {line.strip()}"
        return Bullets(tuple(items))
    return Paragraph(" ".join(line.strip() for line in lines))


def _table(lines: Sequence[str], caption: str, where: str) -> Table:
    rows = [tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in lines]
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise UserError(f"{where}: a table whose rows differ in length: make it again")
    rule = rows[1]
    left = frozenset(i for i, cell in enumerate(rule) if not cell.endswith(":"))
    return Table(caption, rows[0], tuple(rows[2:]), left)


def _groups(markdown: str) -> Iterator[list[str]]:
    """Lines that belong together: each heading, and the lines of a table, list or paragraph."""
    group: list[str] = []
    for line in markdown.splitlines():
        goes_on = bool(group) and _sort(line) == _sort(group[0]) != "heading"
        if group and _sort(group[0]) == "list" and line.startswith("  "):
            goes_on = True  # an item's next line
        if group and (not goes_on or not line.strip()):
            yield group
            group = []
        if line.strip():
            group.append(line)
    if group:
        yield group


def _sort(line: str) -> str:
    starts = {"#": "heading", "|": "table", "- ": "list"}
    return next((sort for start, sort in starts.items() if line.startswith(start)), "text")
