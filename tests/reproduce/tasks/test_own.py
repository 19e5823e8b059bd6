"""Tasks of one's own: their names, and what is known of them with and without their pictures."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sorted_pictures import pix2pix, sorted_folder
from tiny import data_set, picture

from models.errors import UserError
from reproduce.analysis.claims.statements import claims
from reproduce.experiments.preset import TABLE1_METHODS, load_preset
from reproduce.records.store import Records
from reproduce.tasks.own import check_own, own_on_record, own_task
from reproduce.tasks.registry import is_own, keep_source, open_task
from reproduce.tasks.specs import TASKS, TaskSpec, own_spec


def own(folder: str | Path, data: Path) -> TaskSpec:
    return own_task(str(folder), data, progress=False)[0]


def test_a_task_is_called_after_its_folder_and_by_its_pictures(tmp_path: Path) -> None:
    bags = data_set(tmp_path / "bags")
    name = own(bags, tmp_path).name
    assert name.startswith("bags-") and is_own(name) and not is_own("bags") and "bags" not in TASKS
    moved = tmp_path / "elsewhere" / "bags"
    shutil.move(bags, moved)
    assert own(moved, tmp_path).name == name, "the same pictures elsewhere"
    picture(moved / "testA" / "new.png")
    assert own(moved, tmp_path).name != name, "other pictures in a folder of the same name"
    assert not list(tmp_path.glob("*.source")), "to look at them writes nothing"


@pytest.mark.parametrize(
    ("folder", "base"),
    [("my bags = {1}", "my-bags-1"), ("Сумки", "Сумки"), ("...", "pictures"), ("x" * 90, "x" * 40)],
)
def test_a_name_can_be_part_of_a_files_name(folder: str, base: str, tmp_path: Path) -> None:
    assert own(data_set(tmp_path / folder), tmp_path).name.rpartition("-")[0] == base


def test_by_its_name_a_task_is_found_until_its_pictures_change(tmp_path: Path) -> None:
    bags, data = data_set(tmp_path / "bags"), tmp_path / "data"
    spec, folder = own_task(str(bags), data, progress=False)
    with pytest.raises(UserError, match=f"unknown task '{spec.name}'"):
        own(spec.name, data)
    keep_source(spec.name, folder, data)
    assert own_task(spec.name, data, progress=False) == (spec, folder)
    picture(bags / "trainB" / "0.png", (1, 2, 3))
    with pytest.raises(UserError, match=f"are not those of {spec.name}"):
        own(spec.name, data)
    with pytest.raises(UserError, match="are not those of"):
        check_own(open_task(spec.name, data_dir=data, size=8), progress=False)
    shutil.rmtree(bags)
    with pytest.raises(UserError, match=r"is missing; give them again \(--task PATH or "):
        own(spec.name, data)


def test_what_of_the_tables_applies(tmp_path: Path) -> None:
    makers = {"plain": data_set, "paired": pix2pix, "sorted": sorted_folder}
    plain, paired, classes = (own(make(tmp_path / n), tmp_path) for n, make in makers.items())
    assert (plain.tables, paired.tables, classes.tables) == ((1,), (1,), (1, 2))
    assert classes.directions == {"a2b": "cats -> dogs", "b2a": "dogs -> cats"}
    for spec in (plain, paired, classes):
        preset = replace(load_preset("cpu"), own={spec.name: spec}).of_tasks([spec.name])
        assert preset.tables == {number: [spec.name] for number in spec.tables}
        left = [m for m in TABLE1_METHODS if m not in preset.methods_of(1, spec.name)]
        trained = [r.method for r in preset.only(tables=[1]).table_runs(1)]
        assert trained == [m for m in TABLE1_METHODS if m not in left]
        assert left == ([] if spec is paired else ["bicyclegan"])
        assert len(preset.unpaired()) == len(left)
        assert preset.figures == {} and claims(preset) == []


def test_records_tell_of_a_task_without_its_pictures(tmp_path: Path) -> None:
    def record(task: str, method: str, metric: str, **more: object) -> None:
        told = {"value": 1.0, "preset": "p", "seed": 0, "protocol": {}} | more
        Records(tmp_path, "p").append({"task": task, "method": method, "metric": metric, **told})

    record("bags-12345678", "munit", "diversity-lpips")
    record("pets-12345678", "bicyclegan", "diversity-lpips")
    for direction, title in (("a2b", "dogs"), ("b2a", "cats")):
        more = {"translation": direction, "protocol": {"domain": title}}
        record("pets-12345678", "munit", "cis", **more)
    for name, spec in {
        "bags-12345678": own_spec("bags-12345678", False, ()),
        "pets-12345678": own_spec("pets-12345678", True, ("cats", "dogs")),
        "none-12345678": None,
    }.items():
        assert own_on_record(name, tmp_path) == spec
