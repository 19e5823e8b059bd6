"""The report as one HTML page: nothing is fetched from elsewhere.

In its results folder it shows the pictures that are there; anywhere else copies lie beside it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmarks.files import whole, write_text
from reproduce.report.blocks import Report
from reproduce.report.inputs import HERE

PAGE = "index.html"
PICTURES = "pictures"  # the folder beside it


def environment(filters: Mapping[str, Callable[..., object]], **more: Any) -> Environment:
    """The templates, with these filters."""
    found = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, **more,
    )  # fmt: skip
    found.filters |= filters
    return found


def write_page(report: Report, out: Path) -> list[Path]:
    """``index.html`` in ``out``, and the pictures under ``pictures`` unless ``out`` lies in the preset's
    results; every file is written whole or not at all, the page last. Returns the
    files, the page first."""
    written = [out / PAGE]
    for path in () if report.lies_in(out) else report.pictures:
        written.append(out / PICTURES / path.name)
        with whole(written[-1]) as part:
            shutil.copyfile(path, part)
    write_text(out / PAGE, html(report, out))
    return written


def html(report: Report, out: Path) -> str:
    """The page's text, for the folder ``out``."""
    templates = environment(
        {"words": words, "plain": plain, "link": lambda f: _link(f.path, report, out)},
        autoescape=True,
    )
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


def _link(picture: Path, report: Report, out: Path) -> str:
    """Where the page in ``out`` finds a picture."""
    if report.lies_in(out):
        return quote(f"../{picture.relative_to(report.folder).as_posix()}")
    return f"{PICTURES}/{quote(picture.name)}"
