"""Tables, ablations and figures of a folder of one's own, by trainings that learn nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sorted_pictures import celeba, packed, sorted_folder
from steps_here import make_here, weights_of
from stored_judges import store_judges
from tiny import NETWORKS, data_set, picture, places, places_of

from reproduce.commands.cli import main
from reproduce.experiments.preset import TABLE1_METHODS, TABLE2_METHODS, load_preset
from reproduce.measuring.modes import recipe_for
from reproduce.records.store import Records, record_id
from reproduce.tasks.own import own_task
from reproduce.training.checkpoints import read_checkpoint

PRESET = f"""
extends: quick
run: {{size: 32, batch: 2, steps: 2, lr_policy: linear}}
{NETWORKS}
measure: {{protocol: paper, inputs: 4, samples: 4, scores: quality, mode_inputs: 4, mode_samples: 3}}
"""
ROWS = [method for method in TABLE1_METHODS if method != "bicyclegan"]
CIFAR = "cifar-animals-vehicles"


def words(root: Path, command: str, task: Path | str, *more: str) -> list[str]:
    (root / "mini.yaml").write_text(PRESET)
    shared = [f"--preset={root / 'mini.yaml'}", "--no-progress", *places(root)]
    return [*command.split(), f"--task={task}", *shared, *more]


def results(root: Path) -> Path:
    """Of the task; an ablation has others for its points."""
    return {path.parent for path in (root / "results").glob("*/table?.md")}.pop()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table 1 of bags whose domains have names in common, but no training pairs."""
    root = tmp_path_factory.mktemp("own")
    make_here(words(root, "table 1", data_set(root / "bags")), root / "plan.json")
    return root


def task_of(root: Path) -> str:
    (keeper,) = (root / "data").glob("*.source")
    return keeper.stem


def test_every_method_that_can_learn_without_pairs_is_a_row(made: Path, said) -> None:
    before = weights_of(made), (results(made) / "records.jsonl").read_text()
    assert {p.parent.name for p in before[0]} == {f"{method}-seed0" for method in ROWS}
    told = said(words(made, "table 1", made / "bags"))
    head, _, *rows = [line for line in told.out.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in head.split("|")[1:-1]] == [
        "Method", "Quality, ours", "Diversity (LPIPS), ours"
    ], "the paper measured nothing of these pictures"  # fmt: skip
    assert len(rows) == len(ROWS) + 1 and all("%" in row and "±" in row for row in rows[:-1])
    assert rows[-1].split("|")[2].strip() == "—", "names alone tell no true translations"
    left = f"{task_of(made)} has no training pairs, so BicycleGAN is left out"
    assert f"{left}." in told.out and told.err == f"note: {left}\n"
    assert "similar to the input" in told.out and "nearest of the 4 training photos" in told.out
    assert (weights_of(made), (results(made) / "records.jsonl").read_text()) == before


def test_moved_pictures_are_the_same_task(made: Path, tmp_path: Path, said) -> None:
    """In a table that is up to date, and for a record made again by its task's name."""
    moved = tmp_path / "bags"
    shutil.copytree(made / "bags", moved)
    assert "up to date" in said(words(made, "table 1", moved, "--dry-run")).out
    keeper = made / "data" / f"{task_of(made)}.source"
    assert json.loads(keeper.read_text()) == str(made / "bags"), "a dry run writes nothing"
    root = tmp_path / "root"
    shutil.copytree(made, root, ignore=shutil.ignore_patterns("*.socket"))
    assert main(words(root, "table 1", moved)) == 0
    shutil.rmtree(root / "bags")
    record = Records(root / "results", results(root).name).find(method="munit-wo-c")
    assert record is not None and record["data_sha256"].startswith(task_of(root)[-8:])
    told = said(["rerun", record_id(record), "--no-progress", *places(root)]).out
    assert f"pictures    {moved}, as recorded" in told and "exactly equal" in told


@pytest.mark.parametrize("archive", [True, False])
def test_a_dry_run_sorts_and_unpacks_nothing(archive: bool, tmp_path: Path, said) -> None:
    folder = sorted_folder(tmp_path / "pets", {d: {"x": 4, "y": 4} for d in ("cats", "dogs")})
    task = packed(folder, tmp_path / "pets.tar.gz", "train", "test") if archive else folder
    given = words(tmp_path, "table 1", task)
    before = {*tmp_path.rglob("*")}
    listed = said([*given, "--dry-run"]).out
    assert "train/pets-" in listed and "jobs to do" in listed and {*tmp_path.rglob("*")} == before
    own_task(str(task), tmp_path / "data", progress=False)  # what is sorted already
    before = {*tmp_path.rglob("*")}
    assert said([*given, "--dry-run"]).out == listed and {*tmp_path.rglob("*")} == before
    (tmp_path / "data" / "bags-12345678.source").write_text("x")
    told = said([*words(tmp_path, "table 1", "bags-12345678"), "--dry-run"], 2).err
    assert f"{tmp_path / 'data'}/bags-12345678.source does not name" in told


def test_a_dry_run_divides_no_faces(tmp_path: Path, said) -> None:
    root = celeba(tmp_path / "celeba", 60)
    given = ["figure", "6", "--preset=paper", "--dry-run", "--set=batch=1", *places(tmp_path)]
    before = {*tmp_path.rglob("*")}
    for source in (["--source", f"faces={root}"], []):  # nor does it download any
        told = said([*given, "--attribute=Smiling", *source]).out
        assert "train/faces/unit/seed0" in told and {*tmp_path.rglob("*")} == before


def test_its_records_suffice_to_print_and_query_it(made: Path, tmp_path: Path, said) -> None:
    shutil.copytree(made / "results", tmp_path / "results")
    told = said(words(tmp_path, "table 1", task_of(made), "--stored")).out
    assert told == (results(made) / "table1.md").read_text() + "\n"
    where = [f"--results={tmp_path / 'results'}", "--metric=quality", "--columns=method"]
    told = said(["results", f"--task={task_of(made)}", *where, "--csv=-"]).out
    assert told.split() == ["method", *ROWS]
    assert main(words(tmp_path, "report", task_of(made))) == 0
    page = (results(tmp_path) / "report" / "index.html").read_text()
    assert task_of(made) in page and "Claims tested" not in page
    assert f"--task {task_of(made)} --seeds 0" in page
    assert {p.name for p in tmp_path.iterdir()} == {"results", "mini.yaml"}


def test_a_point_of_an_ablation_is_the_tables_run(made: Path, said) -> None:
    before = weights_of(made)
    given = words(made, "ablate munit recon_x=1,10", made / "bags")
    make_here(given, made / "plan.json")
    told = said(given)
    assert "| 10 (default) |" in told.out and "diversity" in told.out and "bags" in told.out
    (new,) = weights_of(made).keys() - before.keys()
    assert read_checkpoint(new).run.settings["recon_x"] == 1
    shutil.rmtree(made / "results" / new.parents[2].name)


def test_the_unit_papers_figure_of_it_takes_the_tables_run(made: Path) -> None:
    before = weights_of(made)
    make_here(words(made, "figure 4", made / "bags"), made / "plan.json")
    assert (results(made) / "unit-figure4.png").is_file() and weights_of(made) == before


def test_table_2_of_classes(tmp_path: Path, said) -> None:
    """Even of domains that are called like the paper's."""
    kinds = [f"kind{i}" for i in range(4)]
    domains = {name: dict.fromkeys(kinds, 4) for name in ("house-cats", "dogs")}
    folder = sorted_folder(tmp_path / "pets", domains)
    given = words(tmp_path, "table 2", folder)
    spec, flat = own_task(str(folder), tmp_path / "data", progress=False)
    run = load_preset(str(tmp_path / "mini.yaml")).make_run("munit", spec.name, 0, {}, str(flat))
    assert recipe_for(spec.name, run.size) == "small-photos"
    store_judges(run, places_of(tmp_path))
    make_here(given, tmp_path / "plan.json")
    told = said(given).out
    assert "| house cats -> dogs | " in told and "paper" not in told.partition("\nPreset")[0]
    assert f"tasks={spec.name}" in told and (results(tmp_path) / f"modes-{spec.name}.png").is_file()

    records: list[dict[str, Any]] = Records(tmp_path / "results", results(tmp_path).name).all()
    cis = {(r["method"], r["translation"]): r for r in records if r["metric"] == "cis"}
    assert set(cis) == {(m, direction) for m in TABLE2_METHODS for direction in ("a2b", "b2a")}
    assert set(cis["munit", "a2b"]["modes"]) == {*kinds}
    assert not [r for r in records if r["metric"].startswith("content")], "photos tell no content"
    listed = said(words(tmp_path, "all", folder, "--dry-run")).out
    stale = {line.split()[0] for line in listed.splitlines()}
    assert {"table/1", "report"} <= stale and not {"table/2", "claims"} & stale

    shutil.rmtree(tmp_path / "data")
    again = said(words(tmp_path, "table 2", spec.name, "--stored")).out
    assert told.startswith(again.rstrip("\n")), "directions by records alone"


def test_too_few_photos_or_none_to_measure(tmp_path, refused):
    bags = data_set(tmp_path / "bags")
    picture(bags / "testA" / "more.png")
    told = refused(words(tmp_path, "table 1", bags, "--scores=all"))
    assert "4 training pictures of domain b for 5 test inputs" in told
    for name in ("testA", "testB"):
        shutil.rmtree(bags / name)
    told = refused(words(tmp_path, "table 1", bags))
    assert "no test pictures to measure on: add testA and testB" in told


def test_photos_of_a_named_task_without_modes_are_refused_before_any_training(tmp_path, refused):
    given = f"--source={CIFAR}={data_set(tmp_path / 'photos')}"
    assert "modes" in refused(words(tmp_path, "table 2", CIFAR, given))
    assert not (tmp_path / "runs").exists()
