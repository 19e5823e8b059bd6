"""What a report is made of beside records, jobs and code; light, for who only asks what is stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.files import sha256_file

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
TEMPLATES = ("page.html.j2", "style.css", "report.tex.j2")
BY_HAND = ("causes.yaml", "ablations/*.json", "ablations/*.png")
PICTURES = "pictures"  # the folder beside the page


def environment(filters: dict[str, Callable[..., object]], **more: Any) -> Environment:
    """The templates, with these filters."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, **more,
    )  # fmt: skip
    found.filters |= filters
    return found


def inputs_sha256(folder: Path) -> dict[str, str]:
    """By name, the sha256 of the templates, and of what people wrote or asked for in the results
    ``folder`` of a preset."""
    found = {name: HERE / name for name in TEMPLATES}
    for pattern in BY_HAND:
        found |= {p.relative_to(folder).as_posix(): p for p in sorted(folder.glob(pattern))}
    return {name: sha256_file(path) for name, path in found.items()}
