"""What a report is made of beside records, jobs and code; light, for who only asks what is stale."""

from __future__ import annotations

from pathlib import Path

from benchmarks.files import sha256_file

HERE = Path(__file__).parent
WORDS = "pictures.yaml"
TEMPLATES = ("page.html.j2", "style.css", "report.tex.j2", WORDS)
BY_HAND = ("causes.yaml", "ablations/*.json", "ablations/*.png")


def inputs_sha256(folder: Path) -> dict[str, str]:
    """By name, the sha256 of templates and captions, and of what people wrote or asked for in the results
    ``folder`` of a preset."""
    found = {name: HERE / name for name in TEMPLATES}
    for pattern in BY_HAND:
        found |= {p.relative_to(folder).as_posix(): p for p in sorted(folder.glob(pattern))}
    return {name: sha256_file(path) for name, path in found.items()}
