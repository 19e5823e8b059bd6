"""What a report is made of, beside tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from reproduce.analysis.table import Table, Tables


@dataclass(frozen=True)
class Text:
    """A paragraph, where words in backticks are code; the heading of a part of a section; or code, a
    command to be typed."""

    text: str
    kind: Literal["paragraph", "heading", "code"] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "bullets"


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


Block = Text | Bullets | Table | Figure | Missing


@dataclass(frozen=True)
class Section:
    """A part of the report; ``name``: what links call it."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """All that a page or a PDF shows. ``date``: of the newest record, as records have it, or
    empty. ``folder``: the preset's results, where the pictures are."""

    title: str
    lead: str
    date: str
    sections: tuple[Section, ...]
    folder: Path

    def lies_in(self, out: Path) -> bool:
        """Whether ``out`` is a folder of these results, so that no picture must be copied there."""
        return out.resolve().parent == self.folder.resolve()

    @property
    def pictures(self) -> list[Path]:
        """The files that its figures show."""
        blocks = (block for section in self.sections for block in section.blocks)
        return [block.path for block in blocks if isinstance(block, Figure)]


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


def blocks_of(tables: Tables) -> list[Block]:
    """Tables with what is told below them."""
    found: list[Block] = []
    for table in tables.parts:
        found += [table, *([Text(table.caption)] if table.caption else [])]
    found += map(Text, tables.notes)
    if tables.points:
        found += [*map(Text, filter(None, [tables.lead])), Bullets(tables.points)]
    return found
