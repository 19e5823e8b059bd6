"""Pictures that ``data --source`` was given once are found by later commands, wherever they lie."""

import json
import os
import shutil
from pathlib import Path

import pytest
from reading import refusal
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sorted_pictures import packed, pix2pix
from tiny import train_words

from reproduce.commands.cli import main
from reproduce.tasks.registry import open_task
from reproduce.training.checkpoints import read_checkpoint

TASK = "edges2shoes"
pytestmark = pytest.mark.usefixtures("no_network")  # what is not found is not downloaded either


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = pix2pix(tmp_path / "packed").parent
    return packed(folder, tmp_path / "downloads" / f"{TASK}.tar.gz", TASK)


def give(source: Path, data: Path, task: str = TASK) -> None:
    assert main(["data", task, f"--data={data}", f"--source={source}", "--no-progress"]) == 0


def found(data: Path, task: str = TASK) -> Path:
    return open_task(task, data_dir=data, size=32, train=2, test=2, progress=False).folder


def training(tmp_path: Path, *more: str, out="run", data="data", **settings: object) -> list[str]:
    """The command line of a run whose steps may be added to."""
    constant = {"lr_policy": "constant"} | settings
    return train_words("munit", tmp_path / out, tmp_path / data, *more, task=TASK, **constant)


def test_an_archive_is_unpacked_once_and_found_by_every_command(archive, tmp_path, refused):
    give(archive, tmp_path / "data")
    told = found(tmp_path / "data")
    archive.unlink()  # what it held is there
    assert found(tmp_path / "data") == told
    assert main(training(tmp_path)) == 0
    # Not told, the same training asks for it.
    error = refused(training(tmp_path, data="elsewhere", out="none"))
    assert "download it yourself and pass the local path with --source" in error


def test_what_lies_in_the_data_folder_moves_with_it(archive, tmp_path):
    give(archive, tmp_path / "data")
    where = found(tmp_path / "data").relative_to(tmp_path / "data")
    os.rename(tmp_path / "data", tmp_path / "moved")
    assert found(tmp_path / "moved") == tmp_path / "moved" / where


def test_the_latest_that_was_given_counts_and_a_source_wins(archive, tmp_path):
    other = pix2pix(tmp_path / "other", shade=200)
    give(archive, tmp_path / "data")
    give(other, tmp_path / "data")
    assert found(tmp_path / "data") == other
    opened = open_task(TASK, data_dir=tmp_path / "data", size=32, source=archive, progress=False)
    assert opened.folder != other
    assert found(tmp_path / "data") == other, "only the command data keeps a source"


def test_no_data_set_is_not_kept_and_a_drawn_task_stays_drawn(tmp_path):
    data, empty = tmp_path / "data", tmp_path / "empty"
    empty.mkdir()
    assert main(["data", TASK, "--data", str(data), "--source", str(empty)]) == 2
    give(pix2pix(tmp_path / "mine"), data, "drawn-shoes")
    assert not list(tmp_path.rglob("*.source"))
    assert "drawn-shoes-32px" in found(data, "drawn-shoes").name


@pytest.mark.parametrize(
    "spoil",
    [
        lambda keeper: shutil.rmtree(found(keeper.parent).parent),
        lambda keeper: keeper.write_text("3"),
        lambda keeper: keeper.write_bytes(b"\xff\xfe"),
        lambda keeper: keeper.write_text(json.dumps("a\0b")),
    ],
)
def test_a_lost_source_is_told_with_both_remedies(spoil, archive, tmp_path):
    data = tmp_path / "data"
    keeper = data / f"{TASK}.source"
    give(archive, data)
    spoil(keeper)
    told = refusal(found, data)
    assert str(keeper) in told
    assert f"data {TASK} --data {data} --source PATH" in told and f"delete {keeper}" in told
    give(archive, data)  # the first remedy
    assert found(data).is_dir()
    keeper.unlink()  # and the second
    assert "could not download" in refusal(found, data)


def test_a_run_goes_on_wherever_its_pictures_are(archive, tmp_path):
    assert main(training(tmp_path, "--source", str(archive))) == 0
    moved = archive.rename(tmp_path / "moved.tar.gz")
    assert main(training(tmp_path, "--resume", "--source", str(moved), steps=4)) == 0
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    assert stored["run"]["source"] == "" and str(tmp_path) not in json.dumps(stored["run"])


def test_runs_that_stored_their_source_are_resumed(archive, tmp_path):
    last = tmp_path / "run" / "last.safetensors"
    assert main(training(tmp_path, "--source", str(archive), steps=2)) == 0
    with safe_open(last, "pt") as file:
        metadata = file.metadata()
    old = json.loads(metadata["run"]) | {"source": "/a/place/of/long/ago.tar.gz"}
    save_file(load_file(last), last, metadata | {"run": json.dumps(old)})
    assert read_checkpoint(last).run.source == "/a/place/of/long/ago.tar.gz"
    give(archive, tmp_path / "data")
    assert main(training(tmp_path, "--resume")) == 0  # without --source
    assert read_checkpoint(last).step == 3


@pytest.mark.parametrize("steps", [2, 3])
def test_other_pictures_are_another_run_finished_or_not(steps, archive, tmp_path, refused):
    assert main(training(tmp_path, "--source", str(archive), steps=2)) == 0
    other = pix2pix(tmp_path / "other", shade=200)
    words = training(tmp_path, "--resume", "--source", str(other), steps=steps)
    assert "are not those that this run began with" in refused(words)
