"""The comparison notices damages, each by the numbers or facts that it falsifies.

Every damage is done to a copy, or to the code while a test runs; the comparison is that of
``test_regression``, over one row and some metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regression_table1
import regression_table2
import regression_world
import torch
from regression_check import check_row
from regression_damages import (
    copied,
    file_of,
    measuring,
    overwrite,
    perturb,
    with_record,
    with_tensors,
)
from regression_world import PRESET, RESULTS, World
from stored import needs_current_results

import models.blocks
import reproduce.training.single_pictures
import reproduce.training.translate
from benchmarks.networks.weights import trained
from models.method import Method
from reproduce.experiments.preset import load_preset
from reproduce.measuring.stored_manifest import WEIGHTS, Row
from reproduce.records.store import sha256_file

pytestmark = needs_current_results


def _stored(direction: str | None, otherwise: Row) -> Row:
    """The first row about MUNIT that has weights."""
    if not (RESULTS / PRESET / WEIGHTS).is_dir():
        return otherwise
    rows = World(RESULTS, load_preset(PRESET)).rows
    return next((row for row in rows if row[1:] == ("munit", direction)), otherwise)


STYLES, STYLES_METRICS = _stored(None, ("drawn-shoes", "munit", None)), ("diversity",)
MODES, MODES_METRICS = _stored("a2b", ("drawn-housecats-dogs", "munit", "a2b")), ("is", "cis")
DIVERSITY = "diversity-lpips"


@pytest.fixture(autouse=True)
def _few_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is compared than by ``test_regression``, so that a damage takes a second."""
    monkeypatch.setattr(regression_table1, "INPUTS", 3)
    monkeypatch.setattr(regression_table2, "INPUTS", 3)


@pytest.fixture
def styles(world: World, tmp_path: Path) -> World:
    """A copy of what is stored about MUNIT's diversity on shoes."""
    return _copied(world, STYLES, tmp_path)


@pytest.fixture
def modes(world: World, tmp_path: Path) -> World:
    """A copy of what is stored about the modes that MUNIT reaches."""
    return _copied(world, MODES, tmp_path)


def _copied(world: World, row: Row, folder: Path) -> World:
    assert not world.left_out(row)
    return copied(world, row, folder)


def wrong_styles(world: World) -> str:
    """What is wrong with diversity."""
    return "\n".join(check_row(world, STYLES, only=STYLES_METRICS).all_wrong())


def wrong_modes(world: World) -> str:
    """What is wrong with IS and CIS."""
    return "\n".join(check_row(world, MODES, only=MODES_METRICS).all_wrong())


def test_an_undamaged_copy_passes(styles: World) -> None:
    assert wrong_styles(styles) == ""


def test_an_undamaged_copy_of_modes_passes(modes: World) -> None:
    assert wrong_modes(modes) == ""


@pytest.mark.parametrize("branch", ["_silhouettes", "_diversity"])
def test_a_metric_that_is_no_longer_measured(
    styles: World, monkeypatch: pytest.MonkeyPatch, branch: str
) -> None:
    monkeypatch.setattr(regression_table1, branch, lambda *_: None)
    found = check_row(styles, STYLES, only=("diversity", "silhouette-iou"))
    assert ["was not measured again" in words for words in found.all_wrong()] == [True]


def test_facts_of_a_record_that_is_not_the_rows_first(modes: World) -> None:
    damaged = with_record(modes, "cis", lambda record: record.update(steps=2 * record["steps"]))
    assert "than the record of cis is about: steps is" in wrong_modes(damaged)


def test_noise_of_a_fiftieth_on_the_weights(styles: World) -> None:
    file = file_of(styles, STYLES)
    noisy = with_tensors(styles, file, perturb(0.02))
    assert "input 000" in wrong_styles(overwrite(styles, file, noisy, listed=True))


def test_noise_on_the_weights_of_another_table(modes: World) -> None:
    file = file_of(modes, MODES)
    noisy = with_tensors(modes, file, perturb(0.05))
    assert "change of a probability" in wrong_modes(overwrite(modes, file, noisy, listed=True))


def test_another_files_weights_that_nobody_listed(styles: World) -> None:
    file = file_of(styles, STYLES)
    noisy = with_tensors(styles, file, perturb(1e-3))
    damaged = overwrite(styles, file, noisy, listed=False)
    assert "the manifest says" in wrong_styles(damaged)


def test_two_methods_files_swapped(styles: World) -> None:
    file = file_of(styles, STYLES)
    other = styles.manifest.folder / file_of(styles, (STYLES[0], "munit-wo-s", None)).file
    damaged = overwrite(styles, file, other.read_bytes(), listed=True)
    assert "method is munit-wo-s, the record's is munit" in wrong_styles(damaged)


def test_a_truncated_file(styles: World) -> None:
    file = file_of(styles, STYLES)
    content = (styles.manifest.folder / file.file).read_bytes()[:-1000]
    damaged = overwrite(styles, file, content, listed=True)
    assert "no readable checkpoint" in wrong_styles(damaged)


def test_a_file_without_one_of_its_layers(styles: World) -> None:
    file = file_of(styles, STYLES)
    content = with_tensors(styles, file, lambda tensors: tensors.pop(min(tensors)))  # type: ignore[arg-type, return-value]
    damaged = overwrite(styles, file, content, listed=True)
    assert "does not fit its own configuration" in wrong_styles(damaged)


def test_a_missing_file(styles: World) -> None:
    (styles.manifest.folder / file_of(styles, STYLES).file).unlink()
    assert "is missing" in wrong_styles(styles)


def test_fewer_samples_of_each_input(styles: World) -> None:
    assert "protocol: K: stored 38, now 20" in wrong_styles(measuring(styles, samples=20))


def test_fewer_inputs(styles: World) -> None:
    words = wrong_styles(measuring(styles, inputs=50))
    assert "protocol: protocol: stored 'paper-min64', now 'paper-min64@50x19'" in words


def test_another_rule_of_pairs(styles: World) -> None:
    words = wrong_styles(measuring(styles, protocol="consecutive", samples=38))
    assert "protocol: rule: stored 'independent'" in words


def test_another_version_of_lpips(styles: World) -> None:
    words = wrong_styles(measuring(styles, protocol="paper-v0.1"))
    assert "protocol: version: stored '0.0', now '0.1'" in words


def test_other_weights_of_lpips(styles: World, monkeypatch: pytest.MonkeyPatch) -> None:
    own = trained("0.0")
    halved = replace(own, channels=tuple(channel / 2 for channel in own.channels))
    monkeypatch.setattr(regression_table1, "trained", lambda version: halved)
    words = wrong_styles(styles)
    assert "protocol: sha256" in words and "input 000" in words


def test_fewer_samples_for_the_modes(modes: World) -> None:
    assert "protocol: K: stored 100, now 50" in wrong_modes(measuring(modes, mode_samples=50))


def test_a_records_value_edited(styles: World) -> None:
    def raise_it(record: dict[str, Any]) -> None:
        record["value"] *= 1.0001

    damaged = with_record(styles, DIVERSITY, raise_it)
    assert "record's value, from its raw values" in wrong_styles(damaged)


def test_a_records_configuration_edited(styles: World) -> None:
    damaged = with_record(styles, DIVERSITY, lambda r: r["config"].update(batch=8))
    assert "sha256 of the configuration" in wrong_styles(damaged)


def _halve_one_input(path: Path, number: int = 1) -> None:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["distances"][number] *= 0.5
    np.savez_compressed(path, **arrays)


def test_raw_values_edited(styles: World) -> None:
    _halve_one_input(styles.results / styles.rows[STYLES][DIVERSITY]["raw"])
    assert "another sha256 than the record names" in wrong_styles(styles)


@pytest.mark.parametrize(
    ("number", "words"), [(1, ": input 000"), (99, ": first pair of input 000")]
)
def test_raw_values_edited_and_the_record_with_them(styles: World, number: int, words: str) -> None:
    path = styles.results / styles.rows[STYLES][DIVERSITY]["raw"]
    _halve_one_input(path, number)

    def follow(record: dict[str, Any]) -> None:
        from benchmarks.metrics.diversity import DiversityResult

        record["raw_sha256"] = sha256_file(path)
        record["value"] = DiversityResult.load(path).value

    found = wrong_styles(with_record(styles, DIVERSITY, follow))
    assert found.count("stored") == 1 and words in found


@pytest.mark.parametrize(
    "metric", ["style-mmd", "style-cov-error", "content-domain-accuracy", "content-pair-distance"]
)
def test_a_number_of_theory_edited(styles: World, metric: str) -> None:
    assert check_row(styles, STYLES, only=(metric,)).all_wrong() == []
    damaged = with_record(
        styles, metric, lambda record: record.update(value=record["value"] - 1e-6)
    )
    (words,) = check_row(damaged, STYLES, only=(metric,)).all_wrong()
    assert "record's value, from its raw values" in words


def test_one_pixel_drawn_otherwise(styles: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = reproduce.training.single_pictures.render_edges

    def other(content: Any, size: int) -> Any:
        pixels = drawn(content, size).copy()
        pixels[0, 0] ^= 1
        return pixels

    monkeypatch.setattr(reproduce.training.single_pictures, "render_edges", other)
    assert "picture testA/00000 is drawn otherwise" in wrong_styles(styles)


def test_another_seed_of_the_noise(styles: World, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = reproduce.training.translate.generator
    monkeypatch.setattr(
        reproduce.training.translate, "generator", lambda seed, *roles: generator(seed + 1, *roles)
    )
    assert "input 000" in wrong_styles(styles)


@contextmanager
def networks_changed(change: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every network that is loaded gets ``change`` done to it."""
    load = regression_world.load_method

    def changed(path: Path) -> tuple[Method, Any]:
        method, read = load(path)
        change(method)
        return method, read

    with monkeypatch.context() as patch:
        patch.setattr(regression_world, "load_method", changed)
        yield


def test_another_epsilon_of_normalisation(styles: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # It changes these pictures by less than float16 does, and so no metric.
    monkeypatch.setattr(models.blocks, "EPS", 1e-3)
    assert "change of a stored translation" in wrong_styles(styles)


def test_a_residual_block_left_out(styles: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(method: Method) -> None:
        blocks = method.gen_a.content.res  # type: ignore[union-attr]
        blocks[-1] = torch.nn.Identity()  # type: ignore[operator]

    with networks_changed(change, monkeypatch):
        assert "input 000" in wrong_styles(styles)


def test_another_classifier_of_modes(modes: World) -> None:
    numbers = modes.rows[MODES]["is"]["protocol"]["sha256"]
    own = modes.manifest.find(kind="mode-classifier", numbers=numbers)
    others = [f for f in modes.manifest.files if f.about["kind"] == "mode-classifier" and f != own]
    assert own is not None
    content = (modes.manifest.folder / others[0].file).read_bytes()
    damaged = overwrite(modes, own, content, listed=True)
    assert "is another mode-classifier" in wrong_modes(damaged)


def test_weights_of_an_unfinished_training(modes: World) -> None:
    def half(record: dict[str, Any]) -> None:
        record["steps"] *= 2

    damaged = with_record(modes, "is", half)
    assert "steps is 3200, the record's is 6400" in wrong_modes(damaged)
