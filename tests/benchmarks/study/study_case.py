"""Material for studies, and their server as a real process."""

import contextlib
import csv
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.study.folder import Study
from benchmarks.study.prepare import Plan
from benchmarks.study.votes import StoredVote, read_votes

ROOT = Path(__file__).resolve().parents[3]
METHODS = ("munit", "unit", "cyclegan")


def draw_material(root: Path, *, inputs: int, samples: int = 2) -> Plan:
    """Inputs, real pictures and translations by three methods, named as ``reproduce translate``
    does. Inputs are outlines; what is made of them is filled, by UNIT askew."""
    draws = np.random.default_rng([7, inputs])
    for k in range(inputs):
        box = (*draws.integers(2, 14, 2), *draws.integers(18, 30, 2))
        _shape(root / "inputs" / f"{k:03d}.png", box, fill=None)
        _shape(root / "real" / f"{k:03d}.png", box, fill=_colour(draws))
        for method in METHODS:
            for sample in range(samples):
                moved = tuple(v + 3 * (method == "unit") for v in box)
                path = root / method / f"{k:03d}_sample{sample:02d}.png"
                _shape(path, moved, fill=_colour(draws))
        (root / "munit" / "grid.png").write_bytes((root / "real" / f"{k:03d}.png").read_bytes())
    methods = {method: root / method for method in METHODS}
    return Plan(root / "inputs", methods, "munit", questions=inputs, real=root / "real")


def _colour(draws: np.random.Generator) -> tuple[int, ...]:
    return tuple(draws.integers(0, 230, 3).tolist())


def _shape(path: Path, box: tuple[int, ...], fill: tuple[int, ...] | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (32, 32), "white")
    ImageDraw.Draw(image).ellipse([int(v) for v in box], outline="black", fill=fill)
    image.save(path)


def copied(study: Path, to: Path) -> Study:
    """A copy of one's own."""
    shutil.copytree(study, to)
    return Study(to)


def selected(study: Study, query: str, *values: object) -> list[tuple]:
    """All rows that a query finds in the database."""
    with study.connect() as connection:
        return connection.execute(query, values).fetchall()


def votes_of(study: Study) -> list[StoredVote]:
    with study.connect() as connection:
        return read_votes(connection)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def hexed(*words: object) -> str:
    """32 hexadecimal digits that follow from ``words``."""
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def stored_choices(study: Study) -> dict[tuple[str, str], str]:
    """What the database holds: (rater's name, question) -> public id of the picture chosen."""
    rows = selected(
        study,
        "SELECT name, questions.id, CASE WHEN (choice = 'left') = first_left THEN first_picture "
        "ELSE second_picture END FROM votes JOIN seats ON seats.id = votes.seat "
        "JOIN questions ON questions.id = seats.question JOIN raters ON raters.id = seats.rater",
    )
    found = {(name, question): picture for name, question, picture in rows}
    assert len(found) == len(rows)
    return found


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    port: int
    overview: str

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As a power cut would, as far as the process can tell."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def served(study: Path, port: int = 0, *words: str) -> Iterator[Served]:
    """``python -m benchmarks study serve`` as users run it."""
    command = [sys.executable, "-m", "benchmarks", "study", "serve", "--study", str(study)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *words],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        site = lines[0].split()[1].split("/?")[0]
        yield Served(process, int(site.rsplit(":", 1)[1]), lines[1].split()[1])
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        process.kill()
        process.wait()
