"""The truth about drawn pictures: factors, body masks, and the same contents in other styles."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.files import foreign
from benchmarks.networks.colours import COLOURS, colour_bins, oklab
from models.errors import UserError
from models.randomness import counted_seed
from reproduce.tasks.drawn.canvas import SAMPLES, boundaries, count, paint_lines, part_map
from reproduce.tasks.drawn.content import ROLES
from reproduce.tasks.drawn.dataset import GENERATOR_VERSION, draw
from reproduce.tasks.drawn.kinds import draw_style
from reproduce.tasks.drawn.render import line_width, painter, render_photo
from reproduce.tasks.drawn.style import MATERIALS, PATTERNS
from reproduce.tasks.pictures import Preparation, to_tensor
from reproduce.tasks.sources import Domains

Row = Mapping[str, str]
Address = tuple[str | int, ...]  # seed of a style
_REMEDY = "remove the folder, so that it is drawn again"


@dataclass(frozen=True)
class Truth:
    """The drawn pictures in ``folder``: ``rows`` hold factors by (split, id)."""

    folder: Path
    kind: str
    size: int
    seed: int
    rows: Mapping[tuple[str, str], Row]
    categories: tuple[str, ...]

    @property
    def heads(self) -> dict[str, tuple[str, ...]]:
        """The heads of a classifier of these pictures -> their classes."""
        return {
            "category": self.categories,
            "colour": COLOURS,
            "pattern": PATTERNS,
            "material": MATERIALS,
        }

    def row(self, split: str, name: str) -> Row:
        try:
            return self.rows[split, name]
        except KeyError:
            raise UserError(
                f"{self.folder / 'factors.csv'} says nothing of {split} {name}: {_REMEDY}"
            ) from None

    def classes(self, split: str, name: str) -> dict[str, int]:
        """Return the true class of every head, for a picture that has a style."""
        row = self.row(split, name)
        body = np.frombuffer(bytes.fromhex(row["body_rgb"].removeprefix("#")), np.uint8)
        answers = {head: row[head] for head in ("category", "pattern", "material")}
        heads = self.heads
        found = {head: heads[head].index(answer) for head, answer in answers.items()}
        return found | {"colour": int(colour_bins(oklab(body / 255)))}

    def labels(self, split: str, names: list[str]) -> dict[str, NDArray[np.int64]]:
        """Return the true classes (N,) of pictures, by head."""
        every = [self.classes(split, name) for name in names]
        return {head: np.array([e[head] for e in every], dtype=np.int64) for head in self.heads}

    def body(self, split: str, name: str) -> NDArray[np.bool_]:
        """Return the mask (size, size) of pixels that show only the body's surface."""
        content, _ = draw(self.kind, self.seed, split, int(name))
        n = self.size * SAMPLES
        bare = part_map(content, n)
        # As in a photo: lines are painted over, and borders between parts are darkened.
        seams = boundaries(content, bare, 0.55 * line_width(self.size) * SAMPLES)
        painted = paint_lines(content, bare, 1.1 / self.size)
        roles = np.array([0, *(1 + ROLES.index(part.role) for part in content.parts)])[painted]
        whole = count((roles == 1 + ROLES.index("body")) & ~seams) == SAMPLES**2
        return np.asarray(whole)

    def repainted(self, name: str, styles: Iterable[Address]) -> Iterator[Tensor]:
        """Draw test picture ``name`` in each of ``styles``; yield (3, size, size) in [-1, 1].

        Equal addresses give equal styles, for any content.
        """
        content, _ = draw(self.kind, self.seed, "test", int(name))
        paint = painter(content, self.size)
        for style in styles:
            drawn = draw_style(self.kind, np.random.default_rng(counted_seed(self.seed, *style)))
            yield to_tensor(Image.fromarray(paint(drawn)))

    def best_translations(
        self, names: Iterable[str], samples: int, *, same_styles: bool = False
    ) -> Iterator[tuple[str, int, Tensor]]:
        """Yield a perfect translator's translations: every input in ``samples`` random styles.

        Each input has its own styles, or with ``same_styles`` all inputs share them.
        """
        for name in names:
            own = ("one style",) if same_styles else ("style", name)
            for k, picture in enumerate(self.repainted(name, ((*own, k) for k in range(samples)))):
                yield name, k, picture


def truth_of(domains: Domains, size: int) -> Truth | None:
    """Return the truth about a task's pictures; None unless they were drawn with ``size`` pixels.

    Raises UserError if they were drawn by another version, or their description is invalid.
    """
    path = domains.folder / "drawn.json"
    if not path.is_file():
        return None
    with foreign(f"{path} does not say how the pictures were drawn", _REMEDY):
        made = json.loads(path.read_text(encoding="utf-8"))
        kind, drawn_size, seed = str(made["kind"]), int(made["size"]), int(made["seed"])
        version = int(made["generator_version"])
    if version != GENERATOR_VERSION:
        raise UserError(
            f"{path}: drawn by version {version}, this is version {GENERATOR_VERSION}: {_REMEDY}"
        )
    if drawn_size != size:
        return None
    factors = domains.folder / "factors.csv"
    with (
        foreign(f"{factors}: no table of factors", _REMEDY),
        factors.open(newline="", encoding="utf-8") as file,
    ):
        rows = {(row["split"], Path(row["file"]).stem): row for row in csv.DictReader(file)}
    categories = tuple(sorted({row["category"] for row in rows.values()}))
    truth = Truth(domains.folder, kind, size, seed, rows, categories)
    _check(truth, domains)
    return truth


def _check(truth: Truth, domains: Domains) -> None:
    """Raise UserError unless the first and last test picture are as this version draws them."""
    fixed = Preparation(truth.size).at_test()
    for index in {0, len(domains.test_b) - 1}:
        name = domains.test_b.ids[index]
        content, style = draw(truth.kind, truth.seed, "test", int(name))
        photo = to_tensor(Image.fromarray(render_photo(content, style, truth.size)))
        if not torch.equal(fixed(domains.test_b.read(index)), photo):
            raise UserError(f"{domains.test_b.path(index)} is not what its factors say: {_REMEDY}")
