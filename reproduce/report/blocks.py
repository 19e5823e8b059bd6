"""The blocks of a report, apart from tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from reproduce.analysis.table import Table, Tables


@dataclass(frozen=True)
class Text:
    """A paragraph (words in backticks are code), a heading within a section, or code (a command to
    type)."""

    text: str
    kind: Literal["paragraph", "heading", "code"] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A bullet list."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Figure:
    """A picture file. ``alt``: its description for those who cannot see it; ``caption``: how to
    read it. ``size``: width and height in pixels."""

    path: Path
    alt: str
    caption: str
    size: tuple[int, int]
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Missing:
    """Results that do not exist yet, and the command that makes them."""

    what: tuple[str, ...]
    command: str
    kind: ClassVar[str] = "missing"


Block = Text | Bullets | Table | Figure | Missing


@dataclass(frozen=True)
class Section:
    """A section of the report; ``name``: its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """The contents of the page and the PDF. ``date``: ISO time of the newest record, or empty;
    ``folder``: the preset's results, which contain the pictures."""

    title: str
    lead: str
    date: str
    sections: tuple[Section, ...]
    folder: Path

    def lies_in(self, out: Path) -> bool:
        """Whether ``out`` is a subfolder of these results, so that no pictures need copying."""
        return out.resolve().parent == self.folder.resolve()

    @property
    def pictures(self) -> list[Path]:
        """The files that its figures show."""
        blocks = (block for section in self.sections for block in section.blocks)
        return [block.path for block in blocks if isinstance(block, Figure)]


def missing_last(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks with missing results moved to the end, merged into one block per command."""
    there: list[Block] = []
    missing: dict[str, list[str]] = {}
    for block in blocks:
        if isinstance(block, Missing):
            missing.setdefault(block.command, []).extend(block.what)
        else:
            there.append(block)
    return (*there, *(Missing(tuple(what), command) for command, what in missing.items()))


def blocks_of(tables: Tables) -> list[Block]:
    """Tables, each followed by its caption, then their notes and points."""
    found: list[Block] = []
    for table in tables.parts:
        found += [table, *([Text(table.caption)] if table.caption else [])]
    found += map(Text, tables.notes)
    if tables.points:
        found += [*map(Text, filter(None, [tables.lead])), Bullets(tables.points)]
    return found
