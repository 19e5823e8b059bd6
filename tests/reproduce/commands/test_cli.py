"""Commands: what users get wrong is told in one line, with exit code 2, and nothing remains."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch
from PIL import Image
from tiny import train_words

from reproduce.commands.cli import main
from reproduce.experiments.preset import load_preset
from reproduce.training.checkpoints import read_checkpoint

ROOT = Path(__file__).resolve().parents[3]


def test_a_step_without_a_loss_is_refused(refused, data, tmp_path):
    words = train_words("munit", tmp_path / "run", data, gan=0, recon_x=0, recon_c=0, recon_s=0)
    assert "nothing to optimise" in refused(words)
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
    preset = load_preset("quick").make_run("munit", "drawn-shoes").settings
    assert preset["dim"] != values["dim"] == 4 and preset["beta1"] == values["beta1"]


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


@pytest.fixture
def folder(tmp_path) -> Path:
    return tiny.data_set(tmp_path / "pictures")


def train_on(folder: Path, data: Path, *more: str, **settings: object) -> list[str]:
    out = folder.parent / "run"
    return train_words("munit", out, data, *more, task=str(folder), **settings)


def test_odd_pictures_are_read_right(folder, data):
    first = folder / "trainB"
    picture = Image.open(first / "0.png")
    deep = (torch.arange(1600).view(40, 40) * 40).numpy().astype("uint16")
    for name, odd in {
        "cmyk.jpg": picture.convert("CMYK"), "grey.png": picture.convert("L"),
        "bits.png": picture.convert("1"), "palette.gif": picture.quantize(16),
        "deep.png": Image.fromarray(deep), "clear.png": picture.convert("RGBA"),
        "x.webp": picture, "x.tif": picture,
    }.items():  # fmt: skip
        odd.save(first / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.resize((60, 30)).save(first / "turned.jpg", exif=exif)
    # 20 pictures, at a size that drawn ones never have: each was read.
    assert main(train_on(folder, data, size=20, batch=4, steps=5)) == 0


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:100]), "is damaged or cut short"),
        (lambda p: Image.new("1", (20_000, 20_000)).save(p), "has over 100,000,000 pixels"),
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


def test_the_real_program_refuses_in_one_line(tmp_path):
    command = [sys.executable, "-m", "reproduce", "translate", "nowhere.safetensors", "x"]
    command += ["--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    told = "error: no checkpoint nowhere.safetensors: train first, or check the path\n"
    assert done.stderr == told
