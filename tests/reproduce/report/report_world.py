"""Results folders that reports are made of, and a page read back without a browser."""

from __future__ import annotations

import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from benchmarks.harness.published import CHECKOUT
from benchmarks.metrics.theory import contents, styles
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig
from reproduce.records.store import Records

THEORY = (0.111, 0.222, 0.333, 0.444, 0.555, 0.666, 0.777)
VOID = {"meta", "link", "img", "br"}
HOSTILE = '<script>alert(1)</script> \\input{/etc/passwd} `a<b>` & "quoted" 100%_#$~^ -> µ ✓'


KEPT = ("records.jsonl", "raw", "*.npz", "figure4-*.png", "modes-*.png")


def stored(root: Path) -> Path:
    """The checkout's records of preset cpu and some of its pictures, in a folder of their own."""
    kept = shutil.ignore_patterns(*KEPT)
    shutil.copytree(
        CHECKOUT / "results" / "cpu", root / "results" / "cpu", copy_function=_copied,
        ignore=lambda folder, names: set(names) - kept(folder, names),
    )  # fmt: skip
    return root / "results"


def _copied(source: str, target: str) -> str:
    """Raw values are read alone and can be shared; anything else may be written over."""
    if source.endswith(".npz"):
        try:
            os.link(source, target)
            return target
        except OSError:  # another file system
            pass
    return shutil.copyfile(source, target)


def add_theory(path: Path) -> None:
    """Numbers of styles and contents of the newest network of each seed of MUNIT on shoes."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    of_munit = (r for r in records if (r["task"], r["method"]) == ("drawn-shoes", "munit"))
    last = {record["seed"]: record for record in of_munit}
    told = {"null": {"value": 0.03}, "deviation": {"a": 0.8, "b": 1.1}, "collapsed": 0.25}
    added = [
        {k: v for k, v in record.items() if k not in ("raw", "raw_sha256", "protocol")}
        | {"metric": metric.name, "value": value, "protocol": {"domains": ["a", "b"]},
           "interval": {"low": value - 0.01, "high": value + 0.02}, "theory": told}
        for record in last.values()
        for metric, value in zip((*styles.METRICS, *contents.METRICS), THEORY, strict=True)
    ]  # fmt: skip
    with path.open("a") as file:
        file.writelines(json.dumps(record, sort_keys=True) + "\n" for record in added)


def seeds_of(results: Path) -> list[int]:
    """The seeds that the stored tables are of."""
    return sorted({record["seed"] for record in Records(results, "cpu").all()})


def preset_runs(name: str, *seeds: int) -> tuple[Preset, list[RunConfig]]:
    preset = load_preset(name)
    return preset, preset.runs_of(seeds or (0,))


def places(root: Path) -> Places:
    return Places(root / "data", root / "runs", root / "results", progress=False)


def log(folder: Path, steps: list[int], seconds: list[float], **terms: list[float]) -> None:
    """Event files as a training writes them, at these times."""
    writer = SummaryWriter(str(folder))
    for i, (step, time) in enumerate(zip(steps, seconds, strict=True)):
        for name, values in terms.items():
            writer.add_scalar(f"loss/{name}", values[i], step, walltime=1e9 + time)
    writer.add_image("samples", np.zeros((3, 4, 4), np.float32), steps[-1])
    writer.close()


class Element:
    def __init__(self, tag: str, given: dict[str, str | None]) -> None:
        self.tag, self.given = tag, given
        self.children: list[Element | str] = []

    def all(self, *tags: str) -> list[Element]:
        """Elements of these tags below this one, in the order of the page."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if child.tag in tags else []
                found += child.all(*tags)
        return found

    @property
    def text(self) -> str:
        words = (c if isinstance(c, str) else c.text for c in self.children)
        return " ".join("".join(words).split())


class Page(HTMLParser):
    """A page as a tree; tags that are not closed, or closed in another order, are refused."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.root = Element("", {})
        self._open = [self.root]
        self.feed(self.source)
        self.close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}>: an attribute twice"
        made = Element(tag, dict(attrs))
        self._open[-1].children.append(made)
        if tag not in VOID:
            self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def section(self, name: str) -> Element:
        return next(s for s in self.root.all("section") if s.given.get("aria-labelledby") == name)
