"""Modes are told beside the pictures, to whoever measures, and never reach who trains."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from reading import refusal
from sorted_pictures import sorted_folder

from models.errors import UserError
from reproduce.tasks.layouts import open_pictures
from reproduce.tasks.modes import PARTS, open_modes, truth_folder, write_truth
from reproduce.tasks.registry import open_task
from reproduce.training.loop import Logging
from reproduce.training.session import train

TITLES = {"a": "cats", "b": "dogs"}
NAMES = {"a": ("siamese", "tabby"), "b": ("husky",)}
ROWS = [
    {"folder": "trainA", "file": "00000.png", "mode": "tabby", "pose": "left"},
    {"folder": "trainA", "file": "00001.jpg", "mode": "siamese", "pose": 0.25},
    {"folder": "testB", "file": "00000.png", "mode": "husky"},
]


def write(folder: Path, rows=ROWS, titles=TITLES, names=NAMES) -> Path:
    return write_truth(folder, titles=titles, names=names, rows=rows, made={"seed": 3})


def test_what_is_written_is_read(tmp_path):
    folder = tmp_path / "task"
    assert write(folder) == tmp_path / "task.truth"
    folder.mkdir()
    modes = open_modes(folder)
    assert (modes.titles, modes.names) == (TITLES, NAMES)
    labels = modes.labels("trainA", ["00001", "00000", "00001"])
    assert labels.dtype == np.int64 and labels.tolist() == [0, 1, 0]
    assert modes.labels("testB", ["00000"]).tolist() == [0]
    assert modes.factors("trainA", "00001") == {"pose": "0.25"}
    assert modes.factors("testB", "00000") == {"pose": ""}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["task", "task.truth"]


def test_the_folder_may_be_given_by_any_path(tmp_path, monkeypatch):
    write(tmp_path / "task")
    (tmp_path / "task" / "trainA").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "task" / "trainA")
    assert open_modes(Path("..")).names == NAMES
    assert truth_folder(Path("../../task/")) == tmp_path / "task.truth"


def test_the_truth_of_finished_pictures_is_not_overwritten(tmp_path):
    write(tmp_path / "task")
    write(tmp_path / "task", rows=ROWS[:1])  # left by somebody interrupted: replaced
    assert len(open_modes(tmp_path / "task").rows) == 1
    (tmp_path / "task").mkdir()
    assert "exists already; remove it" in refusal(write, tmp_path / "task")
    assert len(open_modes(tmp_path / "task").rows) == 1


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="'lion' is no mode of trainA"):
        write(tmp_path / "task", rows=[ROWS[0] | {"mode": "lion"}])
    (tmp_path / "file").touch()
    assert "cannot write" in refusal(write, tmp_path / "file" / "task")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_unknown_pictures_are_named(tmp_path):
    with pytest.raises(UserError, match=r"task\.truth is missing\).* make it again"):
        open_modes(tmp_path / "task")
    write(tmp_path / "task")
    modes = open_modes(tmp_path / "task")
    for ask in (lambda: modes.labels("testA", ["00000"]), lambda: modes.factors("trainA", "7")):
        with pytest.raises(UserError, match=r"truth\.csv says nothing of .*; remove .*task and"):
            ask()


HEAD = "folder,file,mode\n"
DOMAINS = '{"domains": {"a": {"title": "x", "modes": [%s]}, "b": {"title": "x", "modes": [%s]}}}'


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("truth.json", None, "does not say which modes"),
        ("truth.json", '{"domains": {"a": 3, "b": 4}}', "does not say which modes"),
        ("truth.json", "\xff", "does not say which modes"),
        ("truth.json", DOMAINS % ('"y", "y"', '"y"'), "the modes of a are no names"),
        ("truth.json", DOMAINS % ('"y"', "{}"), "the modes of b are no names"),
        ("truth.csv", None, "is no table of modes"),
        ("truth.csv", "a,b\n1,2\n", "is no table of modes"),
        ("truth.csv", f"{HEAD}trainA,0.png,husky\n", "line 2: 'husky' is no mode of"),
        ("truth.csv", f"{HEAD}trainC,0.png,husky\n", "line 2: 'husky' is no mode of"),
        ("truth.csv", f"{HEAD}trainA,0.png,tabby,1,2\n", "line 2"),
        ("truth.csv", f"{HEAD}trainA,,tabby\n", "is no table of modes"),
        ("truth.csv", f"{HEAD}trainA,0.png,tabby\ntrainA,0.jpg,tabby\n", "line 3: trainA/0 again"),
    ],
)
def test_nonsense_is_refused_by_name(name, text, told, tmp_path):
    truth = write(tmp_path / "task")
    if text is None:
        (truth / name).unlink()
    else:
        (truth / name).write_text(text, encoding="latin-1")
    line = refusal(open_modes, tmp_path / "task")
    assert told in line and str(truth / name) in line
    assert f"remove {tmp_path / 'task'} and {truth}" in line


def made(source: Path, data: Path) -> Path:
    """The flat folder of pictures sorted by class."""
    return open_task(str(source), data_dir=data, size=16, progress=False).folder


def test_names_are_numbers_and_bytes_do_not_depend_on_the_modes(tmp_path):
    """The same pictures with classes exchanged, renamed and divided otherwise: the same folder."""
    first = sorted_folder(tmp_path / "first")
    other = tmp_path / "other"
    shutil.copytree(first, other)
    for split in ("train", "test"):
        cats, dogs = other / split / "cats", other / split / "dogs"
        (cats / "siamese").rename(cats / "x")
        (cats / "tabby").rename(cats / "siamese")
        (cats / "x").rename(cats / "tabby")
        (cats / "tabby" / "0.png").rename(cats / "siamese" / "another name.png")
        (dogs / "husky").rename(dogs / "wolf")
    folders = [made(source, tmp_path / "data") for source in (first, other)]
    assert folders[0] != folders[1]
    assert sorted(p.name for p in folders[0].iterdir()) == sorted(PARTS)
    for part, count in zip(PARTS, (7, 8, 7, 8), strict=True):
        names = sorted(p.name for p in (folders[0] / part).iterdir())
        assert names == [f"{i:05d}.png" for i in range(count)]
    marks = {open_pictures(folder, "task").fingerprint() for folder in folders}
    assert len(marks) == 1
    modes = [open_modes(folder) for folder in folders]
    ids = open_pictures(folders[0]).train_a.ids
    assert modes[0].labels("trainA", ids).tolist() != modes[1].labels("trainA", ids).tolist()


def test_the_order_is_shuffled(tmp_path):
    counts = {"cats": {"a": 60, "b": 60}, "dogs": {"a": 2, "b": 2}}
    folder = made(sorted_folder(tmp_path / "sorted", counts), tmp_path / "data")
    labels = open_modes(folder).labels("trainA", open_pictures(folder).train_a.ids)
    assert labels.sum() == 60
    changes = int((labels[1:] != labels[:-1]).sum())
    assert 40 < changes < 80  # 1 if sorted by class, 119 if they took turns; 60 expected


def trained(task: str, data: Path, out: Path) -> Path:
    settings = {"steps": 2, "train": 6, "test": 2} if task.startswith("drawn") else {"steps": 2}
    run = tiny.run_of("munit", task, **settings)
    return train(run, out, data_dir=data, logging=Logging(progress=False))


def _audited(task: str, data: Path, out: Path, log: Path) -> None:
    """Train and translate, noting every file or folder that is opened and belongs to a truth."""
    seen: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir") and ".truth" in str(arguments[0]):
            seen.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    torch.set_num_threads(1)  # as in the process of the tests: bits depend on it
    last = trained(task, data, out)
    folder = open_task(task, data_dir=data, size=32, train=6, test=2, progress=False).folder
    tiny.translate(last, folder / "testA", out.with_name("translated"))
    before = list(seen)
    open_modes(folder)  # the hook does see it
    found = {"trained": before, "all": seen, "folder": str(folder)}
    log.write_text(json.dumps(found))


@pytest.mark.parametrize("task", ["sorted", "drawn-housecats-dogs"])
def test_training_and_translating_never_open_the_truth(task, tmp_path):
    """And with the truth gone, the same training gives the same weights to the last bit."""
    data = tmp_path / "data"
    if task == "sorted":
        task = str(made(sorted_folder(tmp_path / "sorted"), data))
    else:
        open_task(task, data_dir=data, size=32, train=6, test=2, progress=False)
    log = tmp_path / "log.json"
    assert tiny.finish(tiny.forked(_audited, task, data, tmp_path / "one", log)) == 0
    found = json.loads(log.read_text())
    assert found["trained"] == []
    assert len(found["all"]) >= 2  # truth.json and truth.csv, opened by the test

    shutil.rmtree(truth_folder(Path(found["folder"])))
    two = trained(task, data, tmp_path / "two")
    tiny.assert_same_tensors(tmp_path / "one" / "last.safetensors", two)


def test_animals_of_another_version_are_refused(tmp_path):
    how = {"data_dir": tmp_path, "size": 32, "train": 2, "test": 2, "progress": False}
    folder = open_task("drawn-cat-species", **how).folder
    assert folder.name == "drawn-cat-species-32px-seed0-2x2"
    assert open_modes(folder).names == {"a": ("tiger",), "b": ("leopard",)}
    for text in ("{}", "[", '{"generator_version": 0}'):
        (folder / "drawn.json").write_text(text)
        with pytest.raises(UserError, match="drawn by generator version (unknown|0), .* remove it"):
            open_task("drawn-cat-species", **how)
