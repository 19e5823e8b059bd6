"""Table 2 on photographs, from a folder of classes to print: ``table 2 --task``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sorted_pictures import sorted_folder
from stored_judges import store_judges

from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.experiments.preset import TABLE2_METHODS, load_preset
from reproduce.experiments.run import parse_settings
from reproduce.measuring.modes import recipe_for
from reproduce.tasks.specs import CIFAR_MODES

TASK = "cifar-animals-vehicles"
TINY = ["steps=2", "batch=2", "dim=4", "dis_dim=4"]


def photos(root: Path) -> Path:
    animals, vehicles = (dict.fromkeys(modes, 6) for modes in CIFAR_MODES)
    return sorted_folder(root / "photos", {"animals": animals, "vehicles": vehicles})


def words(root: Path, *more: str) -> list[str]:
    places = [f"--{name}={root / name}" for name in ("data", "runs", "results")]
    tiny = [f"--set={setting}" for setting in TINY]
    source = f"--source={TASK}={root / 'photos'}"
    return ["table", "2", "--preset=quick", f"--task={TASK}", source, "--jobs=2",
            "--no-progress", *places, *tiny, *more]  # fmt: skip


def store_classifiers(root: Path) -> None:
    preset = load_preset("quick").of_tasks([TASK])
    source = {TASK: str(root / "photos")}
    run = preset.table_runs(2, 0, parse_settings(TINY), source)[0]
    assert recipe_for(TASK, run.size) == "small-photos"
    store_judges(run, Places(root / "data", root / "runs", root, progress=False))


def test_from_a_folder_of_classes_to_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos(tmp_path)
    store_classifiers(tmp_path)
    assert main(words(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "| animals -> vehicles " in printed and "| vehicles -> animals " in printed
    assert "tasks=cifar-animals-vehicles" in printed, "other tasks than the preset's are named"

    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("quick+")
    records = [json.loads(line) for line in (folder / "records.jsonl").open()]
    assert {r["task"] for r in records} == {TASK}
    cis = {(r["method"], r["translation"]): r for r in records if r["metric"] == "cis"}
    assert set(cis) == {(m, d) for m in TABLE2_METHODS for d in ("a2b", "b2a")}
    assert set(cis["munit", "a2b"]["modes"]) == set(CIFAR_MODES[1])
    assert not [r for r in records if r["metric"].startswith("content")], "photos tell no content"
    assert (folder / f"modes-{TASK}.png").is_file()


@pytest.mark.parametrize("task", ["drawn-shoes", "drawn-faces", "cifar-animals", "../x"])
def test_a_task_that_the_table_cannot_hold_is_refused(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [w for w in words(tmp_path) if not w.startswith(("--task", "--source"))]
    assert main([*more, f"--task={task}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and task in error and TASK in error
    assert not list(tmp_path.iterdir())


def test_photos_without_modes_are_refused_before_any_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("trainA", "trainB", "testA", "testB"):
        sorted_folder(tmp_path / "x", {"a": {"b": 3}}, [part])
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "x" / part / "a" / "b").rename(tmp_path / "photos" / part)
    assert main(words(tmp_path)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "modes" in error
    assert not (tmp_path / "runs").exists()
