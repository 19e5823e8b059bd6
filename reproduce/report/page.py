"""The report as one HTML page with its pictures beside it: nothing is fetched from elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmarks.files import whole, write_text
from reproduce.report.blocks import Figure
from reproduce.report.content import Report
from reproduce.report.inputs import HERE

PAGE, PICTURES = "index.html", "pictures"


def figures(report: Report) -> Iterator[Figure]:
    """All pictures of a report."""
    for section in report.sections:
        yield from (block for block in section.blocks if isinstance(block, Figure))


def write_page(report: Report, out: Path) -> list[Path]:
    """``index.html`` in ``out``, and the pictures under ``pictures``; every file is written whole
    or not at all, the page last. Returns the files, the page first."""
    copies = [_copy(figure.path, out / PICTURES / figure.path.name) for figure in figures(report)]
    write_text(out / PAGE, html(report))
    return [out / PAGE, *copies]


def _copy(source: Path, target: Path) -> Path:
    with whole(target) as part:
        shutil.copyfile(source, part)
    return target


def html(report: Report) -> str:
    """The page's text."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"words": words, "plain": plain, "link": _link}
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))
    page = environment.get_template("page.html.j2").render(report=report, style=style)
    return page.lstrip("\n")


def plain(text: str) -> str:
    """Text for people: what is typed as an arrow is one, and none begins a line."""
    return text.replace("->", "→").replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓")


def words(text: str) -> Markup:
    """The same as HTML; what stands in backticks is code, and between two pairs of asterisks bold."""
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(plain(text))))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))


def _link(figure: Figure) -> str:
    return f"{PICTURES}/{quote(figure.path.name)}"
