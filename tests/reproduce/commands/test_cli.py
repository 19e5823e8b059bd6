"""Commands: what users get wrong is told in one line, with exit code 2, and nothing remains."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
from PIL import Image
from tiny import train_words

from models.zoo import METHODS
from reproduce.commands.cli import main
from reproduce.commands.train import resume_hint
from reproduce.experiments.preset import load_preset
from reproduce.training.checkpoints import read_checkpoint

ROOT = Path(__file__).resolve().parents[3]


def visible(folder: Path) -> list[str]:
    """Without lock files."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


# Arguments


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "required: COMMAND"),
        (["table", "1", "--jobs", "-1"], "-1 is too small, use at least 0"),
        (["table", "3"], "no table 3 here: use 1 or 2"),
    ],
)
def test_wrong_arguments_are_refused(words, told, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told in refused(words)
    assert list(tmp_path.iterdir()) == []


def test_the_hint_goes_on_with_the_same_words():
    words = ["train", "munit", "--out", "a folder", "--resume", "--set=lr=1e-3"]
    again = "python -m reproduce train munit --out 'a folder' --set=lr=1e-3 --resume"
    assert resume_hint(words) == again


# Settings of a training


@pytest.mark.parametrize(
    ("method", "changes", "told"),
    [
        ("munitt", {}, "unknown method 'munitt': did you mean munit?"),
        ("munit", {"steps": "3x"}, "steps=3x is not a legal value"),
        ("munit", {"size": 30}, "the nearest legal size is 32x32"),
        ("munit", {"size": 512}, "drawn pictures come in 32 to 256 pixels; the nearest is 256"),
        ("munit", {"resize": 16}, "resize 16 is smaller than the crop of 32; use at least 32"),
        ("munit", {"crop": "left", "resize": 40}, "unknown crop 'left'; use 'random' or 'centre'"),
        ("munit", {"perceptual": 1, "size": 64}, "needs VGG-16 weights"),
        ("munit", {"gan": 0, "recon_x": 0, "recon_c": 0, "recon_s": 0}, "nothing to optimise"),
        ("unit", {"recipe": "release", "dropout": 0.5}, "set recipe=nips or dropout=0"),
        ("bicyclegan", {"depth": 13}, "use fewer layers"),
        ("munit", {"dim": 10**9}, "not enough memory"),
    ],
)
def test_wrong_settings_are_refused(method, changes, told, refused, data, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    family = method if method in METHODS else "munit"
    words = train_words(family, tmp_path / "run", data, **changes)
    words[1] = method
    before = visible(data)
    assert told in refused(words)
    assert not (tmp_path / "run").exists()
    # Losses are weighed in the first step; all else is found before anything is drawn.
    assert visible(data) == before or "nothing to optimise" in told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--task", "nowhere/at/all"), "unknown task 'nowhere/at/all'"),
        (("--source", "nowhere"), "nowhere does not exist"),
        (("--device", "gpu"), "unknown device 'gpu': use cpu, cuda or mps"),
        (("--device", "cuda:99"), "use --device cpu"),
        (("--device", "mps"), "sees no Apple GPU"),
        (("--vgg", "x.pth"), "--vgg is for the perceptual loss alone"),
    ],
)
def test_wrong_choices_are_refused(more, told, refused, data, tmp_path):
    assert told in refused(tiny.instead(train_words("munit", tmp_path / "run", data), *more))
    assert not (tmp_path / "run").exists()


def test_settings_reach_the_run(data, tmp_path):
    settings = {"steps": 2, "size": 64, "batch": 3, "lr": 0.125, "recon_x": 7, "seed": 9}
    settings |= {"flip": "false", "crop": "centre", "resize": 70, "precision": "bf16"}
    assert main(train_words("munit", tmp_path / "run", data, **settings)) == 0
    checkpoint = read_checkpoint(tmp_path / "run" / "last.safetensors")
    values = vars(checkpoint.run) | dict(checkpoint.run.settings)
    expected = settings | {"flip": False}
    assert {k: values[k] for k in settings} == expected
    assert checkpoint.step == 2
    pictures = Image.open(tmp_path / "run" / "samples.png")
    assert pictures.size == (4 * 65 + 1, 16 * 65 + 1)
    preset = load_preset("quick").make_run("munit", "drawn-shoes").settings
    assert preset["dim"] != values["dim"] == 4 and preset["beta1"] == values["beta1"]


# Places


def test_bad_places_are_refused(refused, data, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        told = refused(train_words("munit", out, data))
        assert f"cannot use {out} for a run" in told and "choose another --out" in told
    told = refused(train_words("munit", tmp_path / "run", Path("/proc/nothing")))
    assert "cannot write in" in told and "another data folder" in told
    assert not (tmp_path / "run").exists()


def test_what_lies_in_the_folder_stays(refused, data, tmp_path):
    notes = tmp_path / "mine" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    refused(tiny.instead(train_words("munit", notes.parent, data), "--task", "nothing"))
    assert main(train_words("munit", notes.parent, data, steps=1)) == 0
    assert notes.read_text() == "mine"


# Pictures


@pytest.fixture
def folder(tmp_path) -> Path:
    return tiny.data_set(tmp_path / "pictures")


def train_on(folder: Path, data: Path, *more: str, **settings: object) -> list[str]:
    out = folder.parent / "run"
    return train_words("munit", out, data, *more, task=str(folder), **settings)


def test_odd_pictures_are_read_right(folder, data):
    first = folder / "trainB"
    picture = Image.open(first / "0.png")
    picture.convert("CMYK").save(first / "cmyk.jpg")
    picture.convert("L").save(first / "grey.png")
    picture.convert("1").save(first / "bits.png")
    picture.quantize(16).save(first / "palette.gif")
    Image.fromarray(
        (torch.arange(1600).view(40, 40) * 40).numpy().astype("uint16")
    ).save(first / "deep.png")  # fmt: skip
    picture.convert("RGBA").save(first / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.resize((60, 30)).save(first / "turned.jpg", exif=exif)
    picture.save(first / "x.webp")
    picture.save(first / "x.tif")
    # 20 pictures, at a size that drawn ones never have: each was read.
    assert main(train_on(folder, data, size=20, batch=4, steps=5)) == 0


def large(path: Path) -> None:
    """A PNG header of 20,000 x 20,000 pixels with hardly any bytes behind it."""
    Image.new("1", (20_000, 20_000)).save(path)


def truncated(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncated, "is damaged or cut short"),
        (large, "has over 100,000,000 pixels"),
        (lambda p: Image.new("RGB", (1, 1)).save(p), "is 1x1 pixels, too small"),
        (lambda p: p.write_bytes(b""), "is empty; replace or remove it"),
        (lambda p: p.write_text("hello"), "is not a picture that can be read"),
        (lambda p: p.write_bytes(pickle.dumps(Path)), "is not a picture that can be read"),
    ],
)
def test_bad_pictures_are_refused_by_name(spoil, told, refused, folder, data):
    spoil(folder / "trainA" / "2.png")
    error = refused(train_on(folder, data, batch=4))
    assert told in error and str(folder / "trainA" / "2.png") in error
    assert not (folder.parent / "run").exists()


def test_bad_folders_are_refused(refused, folder, data, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no data set in a known layout" in refused(train_on(empty, data))
    assert not (tmp_path / "run").exists()
    assert not [name for name in visible(data) if "data" in name]


def test_a_paired_method_needs_pairs(refused, folder, data):
    words = train_words("bicyclegan", folder.parent / "run", data, task=str(folder))
    assert "add a folder trainPairs of side-by-side pictures" in refused(words)
    assert not (folder.parent / "run").exists()


# The program itself


def test_the_real_program_refuses_in_one_line(tmp_path):
    """Outside of this process: the exit code and stderr as a shell sees them."""
    command = [sys.executable, "-m", "reproduce", "translate", "nowhere.safetensors", "x"]
    command += ["--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    told = "error: no checkpoint nowhere.safetensors: train first, or check the path\n"
    assert done.stderr == told
