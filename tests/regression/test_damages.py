"""The comparison notices damages, each by the numbers or facts that it falsifies.

Every damage is done to a copy, or to the code while a test runs; the comparison is that of
``test_regression``, over one row and some metrics.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regression_table1
import regression_table2
import regression_world
import torch
from regression_check import check_row
from regression_damages import copied, file_of, measuring, noisy, overwrite, with_record
from regression_world import World, arrays_in, drawn_task
from stored import needs_current_results

import models.blocks
from benchmarks.networks.weights import trained
from models.method import Method
from reproduce.measuring.stored_manifest import Row
from reproduce.tasks.drawn.render import render_edges
from reproduce.training import single_pictures
from reproduce.training.checkpoints import load_method

pytestmark = needs_current_results

STYLES: Row = ("drawn-shoes", "munit", None)
MODES: Row = ("drawn-housecats-dogs", "munit", "a2b")
DIVERSITY = "diversity-lpips"


@pytest.fixture(autouse=True)
def _few_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is compared than by ``test_regression``, so that a damage takes a second."""
    monkeypatch.setattr(regression_table1, "INPUTS", 3)
    monkeypatch.setattr(regression_table2, "INPUTS", 3)


@pytest.fixture
def styles(world: World, tmp_path: Path) -> World:
    """A copy of what is stored about MUNIT's diversity on shoes."""
    return copied(world, STYLES, tmp_path / "styles")


@pytest.fixture
def modes(world: World, tmp_path: Path) -> World:
    """A copy of what is stored about the modes that MUNIT reaches."""
    return copied(world, MODES, tmp_path / "modes")


def wrong_styles(world: World) -> str:
    """What is wrong with diversity."""
    return "\n".join(check_row(world, STYLES, only=("diversity",)).all_wrong())


def wrong_modes(world: World) -> str:
    """What is wrong with IS and CIS."""
    return "\n".join(check_row(world, MODES, only=("is", "cis")).all_wrong())


def test_undamaged_copies_pass(styles: World, modes: World) -> None:
    assert wrong_styles(styles) == wrong_modes(modes) == ""


# Weights, records and raw values

Damage = Callable[[World], World]


def perturbed(row: Row, share: float) -> Damage:
    return lambda world: overwrite(world, file_of(world, row), noisy(world, row, share))


def swapped(world: World) -> World:
    """With the file of another method."""
    other = world.manifest.folder / file_of(world, (STYLES[0], "munit-wo-s", None)).file
    return overwrite(world, file_of(world, STYLES), other.read_bytes())


def record(metric: str, change: Callable[[dict[str, Any]], Any]) -> Damage:
    return lambda world: with_record(world, metric, change)


def raw_values(world: World) -> World:
    """Distances of an input edited."""
    path = world.results / world.rows[STYLES][DIVERSITY]["raw"]
    arrays = arrays_in(path)
    arrays["distances"][1] *= 0.5
    np.savez_compressed(path, **arrays)
    return world


def edited(record: dict[str, Any]) -> None:
    record["value"] *= 1.0001
    record["config"]["batch"] = 7


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (perturbed(STYLES, 0.02), ["input 000"]),
        (swapped, ["method is munit-wo-s, the record's is munit"]),
        (
            partial(measuring, samples=20, inputs=50),
            ["K: stored 38, now 20", "protocol: stored 'paper-min64', now 'paper-min64@50x10'"],
        ),
        (
            record(DIVERSITY, edited),
            ["record's value, from its raw values", "sha256 of the configuration"],
        ),
        (raw_values, ["its sha256 differs"]),
    ],
)
def test_a_damage_to_diversity(damage: Damage, words: list[str], styles: World) -> None:
    found = wrong_styles(damage(styles))
    assert [each for each in words if each not in found] == []


def another_classifier(world: World) -> World:
    numbers = world.rows[MODES]["is"]["protocol"]["sha256"]
    own = world.manifest.find(kind="mode-classifier", numbers=numbers)
    others = [f for f in world.manifest.files if f.about["kind"] == "mode-classifier" and f != own]
    assert own is not None
    content = (world.manifest.folder / others[0].file).read_bytes()
    return overwrite(world, own, content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (perturbed(MODES, 0.05), "change of a probability"),
        (another_classifier, "is another mode-classifier"),
        # Not the row's first record.
        (record("cis", lambda r: r.update(steps=7)), "the record of cis is about: steps is 1500"),
    ],
)
def test_a_damage_to_modes(damage: Damage, words: str, modes: World) -> None:
    assert words in wrong_modes(damage(modes))


def test_a_number_of_theory_edited(styles: World) -> None:
    damaged = with_record(styles, "style-mmd", lambda r: r.update(value=r["value"] - 1e-6))
    (words,) = check_row(damaged, STYLES, only=("style-mmd",)).all_wrong()
    assert "record's value, from its raw values" in words


# Code


def other_lpips(version: str) -> Any:
    own = trained("0.0")
    return replace(own, channels=tuple(channel / 2 for channel in own.channels))


def one_pixel_off(content: Any, size: int, draw: Any = render_edges) -> Any:
    pixels = draw(content, size).copy()
    pixels[0, 0] ^= 1
    return pixels


def without_a_block(path: Path, load: Any = load_method) -> tuple[Method, Any]:
    method, read = load(path)
    method.gen_a.content.res[-1] = torch.nn.Identity()
    return method, read


@pytest.mark.parametrize(
    ("module", "name", "other", "words"),
    [
        (regression_table1, "trained", other_lpips, ["protocol: sha256", "input 000"]),
        (regression_world, "load_method", without_a_block, ["input 000"]),
        # It changes these pictures by less than float16 does, and so no metric.
        (models.blocks, "EPS", 1e-3, ["change of a stored translation"]),
    ],
)
def test_code_that_computes_something_else(module, name, other, words, styles, monkeypatch):
    monkeypatch.setattr(module, name, other)
    found = wrong_styles(styles)
    assert all(word in found for word in words)


def test_pictures_that_are_drawn_otherwise(styles: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_pictures, "render_edges", one_pixel_off)
    drawn_task.cache_clear()
    try:
        assert "picture testA/00000 is drawn otherwise" in wrong_styles(styles)
    finally:
        drawn_task.cache_clear()
