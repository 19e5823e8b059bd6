"""Pictures that ``data --source`` was given once are found by later commands, wherever they lie."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import assert_same_tensors, train_words

from models.errors import UserError
from reproduce.commands.cli import main
from reproduce.tasks.registry import open_task
from reproduce.training.checkpoints import read_checkpoint

TASK = "edges2shoes"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """A proxy that nobody listens at: what is not found is not downloaded either."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def pix2pix(folder: Path, shade: int = 0) -> Path:
    """Side-by-side pictures as published, in ``folder``/edges2shoes."""
    for split, count in (("train", 4), ("val", 3)):
        (folder / TASK / split).mkdir(parents=True)
        for i in range(count):
            colour = (40 * i, 90, shade)
            Image.new("RGB", (64, 32), colour).save(folder / TASK / split / f"{i}.png")
    return folder / TASK


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "downloads" / f"{TASK}.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(pix2pix(tmp_path / "packed"), TASK)
    return path


def give(source: Path, data: Path, task: str = TASK) -> None:
    words = ["data", task, "--data", str(data), "--source", str(source), "--no-progress"]
    assert main(words) == 0


def found(data: Path, task: str = TASK) -> Path:
    return open_task(task, data_dir=data, size=32, train=2, test=2, progress=False).folder


def training(tmp_path: Path, *more: str, data: str = "data", out: str = "run") -> list[str]:
    return train_words("munit", tmp_path / out, tmp_path / data, *more, task=TASK)


def test_an_archive_is_unpacked_once_and_found_by_every_command(archive, tmp_path, capsys):
    give(archive, tmp_path / "data")
    told = Path(capsys.readouterr().out.splitlines()[-1])
    archive.unlink()  # what it held is there
    assert found(tmp_path / "data") == told
    assert main(training(tmp_path)) == 0
    # Not told, the same training asks for it.
    assert main(training(tmp_path, data="elsewhere", out="none")) == 2
    error = capsys.readouterr().err
    assert "download it yourself and pass the local path with --source" in error


def test_a_folder_is_found_too(tmp_path):
    folder = pix2pix(tmp_path / "mine")
    give(folder, tmp_path / "data")
    assert found(tmp_path / "data") == folder


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


def test_what_is_no_data_set_is_not_kept(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    words = ["data", TASK, "--data", str(tmp_path / "data"), "--source", str(tmp_path / "empty")]
    assert main(words) == 2
    assert not list(tmp_path.rglob("*.source"))


def test_a_drawn_task_stays_drawn(tmp_path):
    give(pix2pix(tmp_path / "mine"), tmp_path / "data", "drawn-shoes")
    assert not list(tmp_path.rglob("*.source"))
    assert "drawn-shoes-32px" in found(tmp_path / "data", "drawn-shoes").name


@pytest.mark.parametrize("spoil", ["gone", "rubbish", "number", "binary", "nul"])
def test_a_lost_source_is_told_with_both_remedies(spoil, archive, tmp_path):
    data = tmp_path / "data"
    give(archive, data)
    keeper = data / f"{TASK}.source"
    match spoil:
        case "gone":
            shutil.rmtree(found(data).parent)
        case "rubbish":
            keeper.write_text("{")
        case "number":
            keeper.write_text("3")
        case "binary":
            keeper.write_bytes(b"\xff\xfe")
        case "nul":
            keeper.write_text(json.dumps("a\0b"))
    with pytest.raises(UserError) as error:
        found(data)
    told = str(error.value)
    assert str(keeper) in told and "\n" not in told
    assert f"data {TASK} --data {data} --source PATH" in told and f"delete {keeper}" in told
    give(archive, data)  # the first remedy
    assert found(data).is_dir()
    keeper.unlink()  # and the second
    with pytest.raises(UserError, match="could not download"):
        found(data)


# The identity of a run


def test_a_run_goes_on_wherever_its_pictures_are(archive, tmp_path):
    longer = [w.replace("steps=3", "steps=5") for w in training(tmp_path, out="whole")]
    assert main([*longer, "--source", str(archive)]) == 0
    assert main(training(tmp_path, "--source", str(archive))) == 0
    moved = archive.rename(tmp_path / "moved.tar.gz")
    again = [w.replace("steps=3", "steps=4") for w in training(tmp_path, "--resume")]
    # The preset's schedule depends on the steps, so a longer run is another one.
    assert main([*again, "--source", str(moved)]) == 2
    assert main(training(tmp_path, "--resume", "--source", str(moved))) == 0
    stored = json.loads((tmp_path / "run" / "run.json").read_text())
    assert stored["run"]["source"] == "" and str(tmp_path) not in json.dumps(stored["run"])


def interrupted(tmp_path: Path, source: Path) -> Path:
    """A run of the tiniest recipe, stopped after 2 of its 3 steps; returns its folder."""
    constant = ["--set", "lr_policy=constant", "--source", str(source)]
    words = [w.replace("steps=3", "steps=2") for w in training(tmp_path, *constant)]
    assert main(words) == 0
    return tmp_path / "run"


def test_runs_that_stored_their_source_are_resumed(archive, tmp_path):
    constant = ["--set", "lr_policy=constant"]
    run = interrupted(tmp_path, archive)
    last = run / "last.safetensors"
    with safe_open(last, "pt") as file:
        metadata = file.metadata()
    old = json.loads(metadata["run"]) | {"source": "/a/place/of/long/ago.tar.gz"}
    save_file(load_file(last), last, metadata | {"run": json.dumps(old)})
    assert read_checkpoint(last).run.source == "/a/place/of/long/ago.tar.gz"
    give(archive, tmp_path / "data")
    assert main(training(tmp_path, "--resume", *constant)) == 0  # without --source
    assert read_checkpoint(last).step == 3
    whole = training(tmp_path, *constant, "--source", str(archive), out="whole")
    assert main(whole) == 0
    assert_same_tensors(last, tmp_path / "whole" / "last.safetensors")


@pytest.mark.parametrize("finished", [False, True])
def test_other_pictures_are_another_run(finished, archive, tmp_path, capsys):
    interrupted(tmp_path, archive)
    other = pix2pix(tmp_path / "other", shade=200)
    constant = ["--set", "lr_policy=constant", "--source", str(other)]
    words = training(tmp_path, "--resume", *constant)
    if finished:
        words = [w.replace("steps=3", "steps=2") for w in words]
    assert main(words) == 2
    assert "are not those that this run began with" in capsys.readouterr().err
