"""Results folders that reports are made of, and a page read back without a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from benchmarks.harness.published import CHECKOUT
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig
from reproduce.records.store import Records

KEPT = ("records.jsonl", "raw", "*.npz", "figure4-*.png", "modes-*.png")
HOSTILE = '<script>alert(1)</script> \\input{/etc/passwd} `a<b>` & "quoted" 100%_#$~^ -> µ ✓'


def stored(root: Path) -> Path:
    """The checkout's records of preset cpu and some of its pictures, in a folder of their own."""
    kept = shutil.ignore_patterns(*KEPT)
    shutil.copytree(
        CHECKOUT / "results" / "cpu", root / "results" / "cpu",
        ignore=lambda folder, names: set(names) - kept(folder, names),
    )  # fmt: skip
    return root / "results"


def seeds_of(results: Path) -> list[int]:
    """The seeds that the stored tables are of."""
    return sorted({record["seed"] for record in Records(results, "cpu").all()})


def preset_runs(name: str, *seeds: int) -> tuple[Preset, list[RunConfig]]:
    preset = load_preset(name)
    return preset, preset.runs_of(seeds or (0,))


def log(folder: Path, steps: list[int], seconds: list[float], **terms: list[float]) -> None:
    """Event files as a training writes them, at these times."""
    writer = SummaryWriter(str(folder))
    for i, (step, time) in enumerate(zip(steps, seconds, strict=True)):
        for name, values in terms.items():
            writer.add_scalar(f"loss/{name}", values[i], step, walltime=1e9 + time)
    writer.add_image("samples", np.zeros((3, 4, 4), np.float32), steps[-1])
    writer.close()


class Element:
    """Of a page: its tag, its attributes, and what is in it."""

    def __init__(self, node: ElementTree.Element) -> None:
        self.tag, self.given, self._node = node.tag, node.attrib, node

    def all(self, *tags: str) -> list[Element]:
        """Elements of these tags, or of any, below this one, in the order of the page."""
        return [Element(n) for n in list(self._node.iter())[1:] if n.tag in tags or not tags]

    @property
    def text(self) -> str:
        return " ".join("".join(self._node.itertext()).split())


class Page:
    """A page as a tree; tags that are not closed, or closed in another order, are refused."""

    def __init__(self, path: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        closed = re.sub(r"<((?:meta|link|img|br)\b[^>]*)>", r"<\1/>", self.source)
        self.root = Element(ElementTree.fromstring(closed))

    def section(self, name: str) -> Element:
        (found,) = (s for s in self.root.all("section") if s.given["aria-labelledby"] == name)
        return found
