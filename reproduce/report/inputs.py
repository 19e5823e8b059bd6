"""A report's inputs besides records, jobs and code; cheap to import, to check what is stale."""

from __future__ import annotations

from pathlib import Path

from benchmarks.files import sha256_file

HERE = Path(__file__).parent
WORDS = "pictures.yaml"
TEMPLATES = ("page.html.j2", "style.css", "report.tex.j2", WORDS)
BY_HAND = ("causes.yaml", "ablations/*.json", "ablations/*.png")


def inputs_sha256(folder: Path) -> dict[str, str]:
    """Name -> sha256 of the templates and captions, and of the files in the results ``folder`` of a
    preset that users write or request."""
    found = {name: HERE / name for name in TEMPLATES}
    for pattern in BY_HAND:
        found |= {p.relative_to(folder).as_posix(): p for p in sorted(folder.glob(pattern))}
    return {name: sha256_file(path) for name, path in found.items()}
