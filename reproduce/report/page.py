"""The report as one self-contained HTML page.

In a results folder it links the pictures there; anywhere else the pictures are copied next to it.
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
PICTURES = "pictures"  # the folder next to it


def environment(filters: Mapping[str, Callable[..., object]], **more: Any) -> Environment:
    """The Jinja environment of the templates, with these filters."""
    found = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, **more,
    )  # fmt: skip
    found.filters |= filters
    return found


def write_page(report: Report, out: Path) -> list[Path]:
    """Write ``index.html`` to ``out``, and the pictures to ``out/pictures`` unless ``out`` is in the
    preset's results. Writes are atomic, the page last. Returns the files, the page first."""
    written = [out / PAGE]
    for path in () if report.lies_in(out) else report.pictures:
        written.append(out / PICTURES / path.name)
        with whole(written[-1]) as part:
            shutil.copyfile(path, part)
    write_text(out / PAGE, html(report, out))
    return written


def html(report: Report, out: Path) -> str:
    """The HTML of the page for the folder ``out``."""
    templates = environment(
        {"words": words, "plain": plain, "link": lambda f: _link(f.path, report, out)},
        autoescape=True,
    )
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))
    page = templates.get_template("page.html.j2").render(report=report, style=style)
    return page.lstrip("\n")


def plain(text: str) -> str:
    """Text with ``->`` as an arrow, and no line break before a trailing ↑ or ↓."""
    return text.replace("->", "→").replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓")


def words(text: str) -> Markup:
    """``plain`` as HTML; text in backticks becomes code, text between double asterisks bold."""
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(plain(text))))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))


def _link(picture: Path, report: Report, out: Path) -> str:
    """The URL of a picture, relative to the page in ``out``."""
    if report.lies_in(out):
        return quote(f"../{picture.relative_to(report.folder).as_posix()}")
    return f"{PICTURES}/{quote(picture.name)}"
