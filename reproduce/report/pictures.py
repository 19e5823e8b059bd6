"""The pictures of a report: where they are, what they show, and what to say of those missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks.metrics.theory.contents import DOMAIN_ACCURACY
from benchmarks.metrics.theory.styles import STYLE_MMD
from models.zoo import METHODS
from reproduce.analysis.table import Column, Row, Table
from reproduce.analysis.theory import OfTask
from reproduce.experiments.preset import TABLE2_METHODS, Preset
from reproduce.report.blocks import Block, Figure, Missing
from reproduce.report.curves import Curve, in_order, last_values, title_of
from reproduce.report.theory_figures import content_alt, styles_alt
from reproduce.tasks.registry import TASKS

EVENLY = "The inputs are spread evenly over the test set, not chosen."


@dataclass(frozen=True)
class Album:
    """The pictures of a preset. ``folder``: its results; ``again``: the command that makes what is
    missing."""

    preset: Preset
    folder: Path
    again: str

    def figure(self, name: str, what: str, alt: str, caption: str) -> Block:
        """The picture ``name``, or that ``what`` it shows is missing."""
        path = self.folder / name
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                picture.load()
                return Figure(path, alt, caption[0].upper() + caption[1:], picture.size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return Missing((what,), self.again)

    def translations(self) -> list[Block]:
        """Grids of all methods' translations, and UNIT's figures."""
        blocks = []
        for task in self.preset.tables.get(1, []):
            title = _title(task)
            methods = ", ".join(METHODS[m].title for m in self.preset.methods_of(1, task))
            truths, truth, dagger = (
                (" with their ground truth", " with its ground truth", " † is trained on pairs.")
                if self.preset.spec(task).paired else ("", "", "")
            )  # fmt: skip
            blocks.append(
                self.figure(
                    f"figure4-{task}.png", f"Translations of {title} by all methods",
                    f"Grid of pictures, {title}: in the first column test inputs{truths}, then a "
                    f"column for each of {methods}, with three outputs of each input.",
                    f"{title}, like MUNIT's Fig. 4: each input{truth}, and three outputs of every "
                    f"method below each other.{dagger} {EVENLY}",
                )
            )  # fmt: skip
        for task in self.preset.tables.get(2, []):
            title = f"{_title(task)} and back"
            methods = ", ".join(METHODS[method].title for method in TABLE2_METHODS)
            blocks.append(
                self.figure(
                    f"modes-{task}.png", f"Translations of {title}",
                    f"Grid of pictures, {title}: a row for each test input; the input, then "
                    f"translations by {methods}.",
                    f"{title}: a row for each input, first the input itself. Methods that draw "
                    f"noise have several columns, one a sample. {EVENLY}",
                )
            )  # fmt: skip
        for number, task in sorted(self.preset.figures.items()):
            title = _title(task)
            blocks.append(
                self.figure(
                    f"unit-figure{number}.png", f"UNIT's Fig. {number}, {title}",
                    f"Pairs of pictures, {title} and back: a test input and UNIT's translation "
                    "of it.",
                    f"{title} and back, like UNIT's Fig. {number}: pairs of an input and UNIT's "
                    f"translation. {EVENLY}",
                )
            )  # fmt: skip
        return blocks

    def styles(self) -> list[Block]:
        """Walks between styles, and styles of examples, of every task of the tables."""
        blocks = []
        for task in self._table_tasks():
            title = _title(task)
            blocks += [
                self.figure(
                    f"interpolation-{task}.png", f"A walk between two styles, {title}",
                    f"Grid of pictures, {title}: a row for each test input; the input, then MUNIT's "
                    "translations of it while the style goes from one draw to another.",
                    f"{title}: MUNIT's translations while the style walks from one draw to another "
                    "on the arc between them. All rows walk the same way. " + EVENLY,
                ),
                self.figure(
                    f"guided-{task}.png", f"Translation guided by examples, {title}",
                    f"Grid of pictures, {title}: test inputs in the first column, example pictures "
                    "in the top row, and in each cell MUNIT's translation of the row's input in the "
                    "style of the column's example.",
                    f"{title}, like MUNIT's Fig. 8: inputs on the left, examples on top; MUNIT "
                    "takes the content of the one and the style of the other. Examples are spread "
                    "evenly too, and none is an input's ground truth.",
                ),
            ]  # fmt: skip
        return blocks

    def curves(self, task: str, curves: Mapping[str, Mapping[int, Curve]]) -> list[Block]:
        """The learning curves of one task, and where they end as a table."""
        title = _title(task)
        seeds = max((len(by_seed) for by_seed in curves.values()), default=0)
        blocks = [
            self.figure(
                f"curves-{task}.png", f"Learning curves of {title}",
                f"Line charts, {title}: loss terms by training step on a logarithmic scale, a panel "
                "for each method. The table after it tells where they end.",
                f"{title}: loss terms without their weights, means over both domains"
                + (f"; {seeds} trainings of each method over each other" if seeds > 1 else "")
                + ". Methods differ in their terms and adversarial losses, so compare shapes, not "
                "heights. Spikes may leave the frame.",
            )
        ]  # fmt: skip
        if isinstance(blocks[0], Missing) or not curves:
            return blocks
        ends = {method: last_values(by_seed) for method, by_seed in curves.items()}
        terms = in_order(term for values in ends.values() for term in values)
        columns = (Column(title_of(term), term, ".3g") for term in terms)
        rows = tuple[Row, ...]({"Method": METHODS[m].title, **v} for m, v in ends.items())
        caption = f"Where the curves of {title} end: means over the last twentieth"
        return [*blocks, Table(caption, (Column("Method", words=True), *columns), rows)]

    def theory(self, tasks: Sequence[OfTask]) -> list[Block]:
        """Encoded styles and content codes of the tasks where they were measured."""
        blocks = []
        for of in tasks:
            name = Path(of.task).name
            if of.methods(STYLE_MMD.name):
                blocks.append(
                    self.figure(
                        f"theory-styles-{name}.png", f"Encoded styles, {of.title}", styles_alt(of),
                        f"{of.title}: quantiles of styles encoded from real test pictures against "
                        "those of N(0, 1), with the style term and without.",
                    )
                )  # fmt: skip
            if of.methods(DOMAIN_ACCURACY.name):
                blocks.append(
                    self.figure(
                        f"theory-content-{name}.png", f"Content codes, {of.title}", content_alt(of),
                        f"{of.title}: how alike the content codes of the two domains are, by "
                        "method, a point for each training.",
                    )
                )  # fmt: skip
        return blocks

    def _table_tasks(self) -> list[str]:
        every = (task for _, tasks in sorted(self.preset.tables.items()) for task in tasks)
        return list(dict.fromkeys(every))


def _title(task: str) -> str:
    return TASKS[task].title if task in TASKS else task
