"""Records that contradict themselves or what is there: found out, or refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from rerun_records import (
    DIVERSITY,
    Told,
    changed,
    perturbed,
    preset,
    refused,
    runs,
    stored,
    with_records,
)

from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.training.trained import checkpoint_of


def test_a_changed_checkpoint_is_not_taken_for_the_records(
    made: Places, tmp_path: Path, again: Callable[..., Told]
) -> None:
    record = stored(made, DIVERSITY)
    run, original = runs()[0], checkpoint_of(preset(), runs()[0], made)
    elsewhere = replace(made, runs=tmp_path / "runs")
    wrong = perturbed(original, checkpoint_of(preset(), run, elsewhere))
    code, told, _ = again(record, runs=elsewhere.runs)
    assert f"others in {wrong}" in told and "training munit" in told
    assert code == 0 and "exactly equal" in told
    # Where it stands for the training again, the value tells.
    perturbed(original, elsewhere.runs / "rerun" / run.digest()[:16] / "last.safetensors")
    code, told, notes = again(record, runs=elsewhere.runs)
    assert code == 1 and "outside the stored interval" in told
    assert "another file" in told and "a training of its own" in notes
    refused(again(record, "--append", runs=elsewhere.runs), "leave --append out")


def test_changed_records_are_refused(
    made: Places, tmp_path: Path, again: Callable[..., Told]
) -> None:
    record, quality = stored(made, DIVERSITY), stored(made, "quality-judged")
    longer = record["config"] | {"steps": 3}
    wrong = {
        "config_sha256": changed(record, config=longer),
        "config": changed(record, config=None),
        "says seed=1": changed(record, seed=1),
        "says method=unit": changed(record, method="unit"),
        "no task is called": changed(record, task="../../etc"),
        "checkpoint_sha256": changed(record, checkpoint_sha256="../x"),
        "data_sha256": changed(record, data_sha256=None),
        "other options": changed(record, measure={"inputs": 4}),
        "inputs=x": changed(record, measure=record["measure"] | {"inputs": "x"}),
        "holds other pictures": changed(record, data_sha256="0" * 64),
        "people were asked": changed(record, metric="quality-human"),
        "no function does": changed(record, metric="beauty"),
        "with N=5, this version measures with 4": changed(
            record, protocol=record["protocol"] | {"N": 5}
        ),
    }  # fmt: skip
    for number, (reason, bad) in enumerate(wrong.items()):
        refused(again(bad, results=with_records(tmp_path / str(number), bad)), reason)
    refused(again(record, results=with_records(tmp_path / "none", quality)), "no record")
    moved = changed(record, preset="../../elsewhere")
    refused(again(moved, results=with_records(tmp_path / "moved", moved)), "is of preset ../..")


def test_a_changed_value_is_found_out(
    made: Places, tmp_path: Path, again: Callable[..., Told]
) -> None:
    record = stored(made, DIVERSITY)
    ends = {k: record["interval"][k] + 1 for k in ("low", "high")}
    wrong = changed(record, value=record["value"] + 1, interval=record["interval"] | ends)
    code, told, _ = again(wrong, results=with_records(tmp_path, wrong))
    assert code == 1 and "difference  -1: outside the stored interval" in told


def test_changed_pictures_are_refused(
    made: Places, tmp_path: Path, again: Callable[..., Told]
) -> None:
    record = stored(made, DIVERSITY)
    shutil.copytree(made.data, tmp_path / "data")
    picture = next((tmp_path / "data").glob("*/testA/*.png"))
    tiny.picture(picture, size=32)
    refused(again(record, data=tmp_path / "data"), str(picture.parent.parent), "remove")


@pytest.mark.parametrize("by", ["observed", "judged"])
def test_a_preference_needs_the_weights_of_the_reference(
    by: str, made: Places, tmp_path: Path, again: Callable[..., Told]
) -> None:
    record = stored(made, f"quality-{by}", "cyclegan")
    refused(again(record, runs=tmp_path / "runs"), "weights of munit (", "--runs")
    assert not (tmp_path / "runs" / "rerun").exists()
    alone = with_records(tmp_path, record)
    refused(again(record, results=alone), "munit (of which no record tells)")


def test_ids_are_told_apart(made: Places, capsys: pytest.CaptureFixture[str]) -> None:
    for word, reason in {"ffffffffffff": "no record ffffffffffff", "abc": "at least 4"}.items():
        assert main(["rerun", word, f"--results={made.results}"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and reason in error
