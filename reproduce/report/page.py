"""The report as one HTML page with its pictures beside it: nothing is fetched from elsewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from benchmarks.files import whole, write_text
from reproduce.report.blocks import Figure, Report
from reproduce.report.inputs import HERE, PICTURES, environment

PAGE = "index.html"


def write_page(report: Report, out: Path) -> list[Path]:
    """``index.html`` in ``out``, and the pictures under ``pictures``; every file is written whole
    or not at all, the page last. Returns the files, the page first."""
    written = [out / PAGE]
    for block in (block for section in report.sections for block in section.blocks):
        if isinstance(block, Figure):
            written.append(out / PICTURES / block.path.name)
            with whole(written[-1]) as part:
                shutil.copyfile(block.path, part)
    write_text(out / PAGE, html(report))
    return written


def html(report: Report) -> str:
    """The page's text."""
    templates = environment({"words": words, "plain": plain, "link": _link}, autoescape=True)
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))
    page = templates.get_template("page.html.j2").render(report=report, style=style)
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
