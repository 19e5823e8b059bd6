"""Figures of styles, like MUNIT's Figs. 8 and 9: interpolation, and example-guided translation."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from models.method import Direction
from models.randomness import generator
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.report.figures import Block, direction_title, draw, evenly, sides
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Subset
from reproduce.training.checkpoints import load_method
from reproduce.training.styles import slerp
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate import as_rgb, shown_to
from reproduce.training.translate_files import guided as guided_by

INPUTS, STATIONS, EXAMPLES = 4, 9, 8
CELL = 0.78  # inches


@torch.no_grad()
def interpolation(
    preset: Preset, run: RunConfig, places: Places, path: Path, *, inputs: int = INPUTS
) -> Path:
    """Draw one row per input: the input, then its translations as the style is interpolated between
    two random samples, the same in all rows. Inputs are evenly spaced in the test set."""
    network, _ = load_method(checkpoint_of(preset, run, places), places.device)
    domains, fixed = open_run_task(run, places), Preparation(run.size).at_test()
    blocks = []
    for direction, title in _titles(preset, run.task).items():
        source, _ = sides(domains, direction)
        first, second = (
            network.draw_noise(1, run.size, run.size, generator(run.seed, "walk", direction, end))
            for end in (0, 1)
        )
        shares = [station / (STATIONS - 1) for station in range(STATIONS)]
        styles = {
            role: torch.cat([slerp(first[role], second[role], s) for s in shares]).to(places.device)
            for role in first
        }
        rows: list[list[Tensor | None]] = []
        for i in evenly(len(source), inputs):
            x = fixed(source.read(i))
            many = shown_to(network, x[None], direction[0]).expand(STATIONS, -1, -1, -1)
            rows.append([x, *as_rgb(network.translate(many, direction, styles))])
        blocks.append(Block(rows, {0: title, 1: "one style", STATIONS: "another"}))
    return draw(blocks, path, CELL)


def guided(
    preset: Preset, run: RunConfig, places: Places, path: Path, *, inputs: int = INPUTS,
    examples: int = EXAMPLES,
) -> Path:  # fmt: skip
    """Draw inputs (left) in the styles of example pictures (top). Both are evenly spaced in the test
    set; no example is the ground truth of an input."""
    network, _ = load_method(checkpoint_of(preset, run, places), places.device)
    domains, fixed = open_run_task(run, places), Preparation(run.size).at_test()
    blocks = []
    for direction, title in _titles(preset, run.task).items():
        every, shown = sides(domains, direction)
        spread = evenly(min(len(every), len(shown)), inputs + examples)
        taken = evenly(len(spread), min(inputs, len(spread)))
        source = Subset(every, [spread[k] for k in taken])
        styles = [fixed(shown.read(p)) for k, p in enumerate(spread) if k not in taken]
        rows: list[list[Tensor | None]] = [[None, *styles]]
        rows += [[fixed(source.read(i))] for i in range(len(source))]
        place = {name: i for i, name in enumerate(source.ids, 1)}
        for name, _, picture in guided_by(network, source, fixed, styles, direction):
            rows[place[name]].append(picture)
        blocks.append(Block(rows, {0: title, 1: "examples of style"}))
    return draw(blocks, path, CELL)


def _titles(preset: Preset, task: str) -> dict[Direction, str]:
    """Title by direction; only a2b for tasks from edges, which have no style."""
    shown: tuple[Direction, ...] = ("a2b", "b2a") if preset.spec(task).domains else ("a2b",)
    return {direction: direction_title(preset, task, direction) for direction in shown}


def style_paths(preset: Preset, run: RunConfig, places: Places) -> tuple[Path, Path]:
    """The paths of a run's two figures."""
    folder = places.results / preset.name
    return folder / f"interpolation-{run.task}.png", folder / f"guided-{run.task}.png"


def draw_styles(preset: Preset, run: RunConfig, places: Places) -> list[Path]:
    """Draw both figures of a run. Returns their paths."""
    walk, examples = style_paths(preset, run, places)
    return [interpolation(preset, run, places, walk), guided(preset, run, places, examples)]
