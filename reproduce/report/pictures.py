"""The pictures of a report: their paths, alternative texts and captions, or that they are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from benchmarks.metrics.theory.contents import DOMAIN_ACCURACY
from benchmarks.metrics.theory.styles import STYLE_MMD
from models.zoo import METHODS
from reproduce.analysis.table import Column, Row, Table
from reproduce.analysis.theory import OfTask
from reproduce.experiments.preset import Preset
from reproduce.report.blocks import Block, Figure, Missing
from reproduce.report.curves import Curve, in_order, last_values, title_of
from reproduce.report.inputs import HERE, WORDS
from reproduce.report.theory_figures import content_alt, styles_alt
from reproduce.tasks.registry import TASKS

EVENLY = "The inputs are evenly spaced in the test set, not hand-picked."
SHOWN = yaml.safe_load((HERE / WORDS).read_text(encoding="utf-8"))  # by kind of picture


@dataclass(frozen=True)
class Album:
    """The pictures of a preset. ``folder``: its results; ``again``: the command that makes missing
    pictures."""

    preset: Preset
    folder: Path
    again: str

    def figure(self, kind: str, name: str, **words: object) -> Block:
        """The picture ``name`` of a kind, or a ``Missing`` block if it cannot be read."""
        told = {key: text.format(**words, evenly=EVENLY) for key, text in SHOWN[kind].items()}
        try:
            with Image.open(self.folder / f"{name}.png", formats=("PNG",)) as picture:
                picture.load()
                caption = told["caption"][0].upper() + told["caption"][1:]
                return Figure(self.folder / f"{name}.png", told["alt"], caption, picture.size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return Missing((told["what"],), self.again)

    def translations(self) -> list[Block]:
        """The grids of all methods' translations, and UNIT's figures."""
        blocks = []
        for number, kind in {1: "figure4", 2: "modes"}.items():
            for task in self.preset.tables.get(number, []):
                methods = ", ".join(METHODS[m].title for m in self.preset.methods_of(number, task))
                truths, truth, dagger = (
                    (" with their ground truth", " with its ground truth", " † is trained on pairs.")
                    if self.preset.spec(task).paired else ("", "", "")
                )  # fmt: skip
                told = {"truths": truths, "truth": truth, "dagger": dagger, "methods": methods}
                blocks.append(self.figure(kind, f"{kind}-{task}", title=_title(task), **told))
        for number, task in sorted(self.preset.figures.items()):
            about = {"title": _title(task), "number": number}
            blocks.append(self.figure("unit-figure", f"unit-figure{number}", **about))
        return blocks

    def styles(self) -> list[Block]:
        """Style interpolations and example-guided translations of every task of the tables."""
        return [
            self.figure(kind, f"{kind}-{task}", title=_title(task))
            for task in self.preset.table_tasks
            for kind in ("interpolation", "guided")
        ]

    def curves(self, task: str, curves: Mapping[str, Mapping[int, Curve]]) -> list[Block]:
        """The learning curves of one task, and a table of their final values."""
        title = _title(task)
        seeds = max((len(by_seed) for by_seed in curves.values()), default=0)
        several = f"; {seeds} trainings of each method overlaid" if seeds > 1 else ""
        shown = self.figure("curves", f"curves-{task}", title=title, trainings=several)
        if isinstance(shown, Missing) or not curves:
            return [shown]
        ends = {method: last_values(by_seed) for method, by_seed in curves.items()}
        terms = in_order(term for values in ends.values() for term in values)
        columns = (Column(title_of(term), term, ".3g") for term in terms)
        rows = tuple[Row, ...]({"Method": METHODS[m].title, **v} for m, v in ends.items())
        caption = f"Final values of the curves of {title}: means over the last 5% of points"
        return [shown, Table(caption, (Column("Method", words=True), *columns), rows)]

    def theory(self, tasks: Sequence[OfTask]) -> list[Block]:
        """The figures of styles and content codes, of the tasks on which they were measured."""
        kinds = {
            "theory-styles": (STYLE_MMD, styles_alt), "theory-content": (DOMAIN_ACCURACY, content_alt)
        }  # fmt: skip
        return [
            self.figure(kind, f"{kind}-{Path(of.task).name}", title=of.title, alt=alt(of))
            for of in tasks
            for kind, (metric, alt) in kinds.items()
            if of.methods(metric.name)
        ]


def _title(task: str) -> str:
    return TASKS[task].title if task in TASKS else task
