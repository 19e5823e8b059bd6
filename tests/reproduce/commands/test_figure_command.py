"""UNIT's figures from nothing to a picture, with trainings so short that they teach nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tiny
import torch
from numpy.typing import NDArray
from PIL import Image
from sorted_pictures import celeba, sorted_folder
from steps_here import make_here

from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.report.figures import domain_titles, evenly
from reproduce.tasks.layouts import open_folder
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource, Subset
from reproduce.training.checkpoints import load_method, read_checkpoint
from reproduce.training.translate import stream

# So initialised, networks that have learned nothing give another picture for every input, and with
# codes of half its size one that is smooth enough to be known again when a figure enlarges it.
TINY = ["steps=2", "batch=2", "dim=4", "dis_dim=4", "init=kaiming", "n_downsample=1"]
DRAWN = ["train=6", "test=10"]
HEAD = 38  # pixels, of titles, that are no pictures


def words(
    root: Path, *more: str, numbers: str = "4", settings: list[str] | None = None
) -> list[str]:
    small = [f"--set={setting}" for setting in settings or TINY + DRAWN]
    shared = ["--preset=quick", "--no-progress", "--threads=1", *tiny.places(root)]
    return tiny.last(["figure", *numbers.split(), *shared, *small, *more])


def cells(path: Path) -> list[list[NDArray[np.uint8]]]:
    """The pictures (H, W, 3) of a figure, row by row: what white lines divide."""
    pixels = np.asarray(Image.open(path).convert("RGB"))[HEAD:]
    inked = (pixels < 250).any(axis=2)

    def spans(line: NDArray[np.bool_]) -> list[slice]:
        edges = np.flatnonzero(np.diff(np.r_[False, line, False]))
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return [slice(a, b) for a, b in pairs if b - a > 20]

    columns = spans(inked.mean(axis=0) > 0.2)
    return [[pixels[y, x] for x in columns] for y in spans(inked.mean(axis=1) > 0.2)]


def reduced(cell: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A cell at the 32 px of the picture that it is an enlargement of."""
    return np.asarray(Image.fromarray(cell).resize((32, 32), Image.Resampling.BOX)) * 1.0


def same(cell: NDArray[np.uint8], picture: torch.Tensor) -> bool:
    """Whether a cell shows a picture (3, 32, 32)."""
    expected = (picture.clamp(-1, 1).permute(1, 2, 0).numpy() * 127.5 + 127.5).round()
    return float(np.abs(reduced(cell) - expected).mean()) < 12


def test_the_figure_shows_spread_inputs_and_what_the_checkpoint_makes_of_them(tmp_path):
    make_here(words(tmp_path), tmp_path / "plan.json")
    (path,) = tmp_path.glob("results/*/unit-figure*.png")
    assert path.name == "unit-figure4.png" and path.parent.name.startswith("quick+")
    assert Image.open(path).size == (1087, 556)
    found = cells(path)
    assert [len(row) for row in found] == [8] * 4
    (checkpoint,) = tmp_path.glob(f"runs/{path.parent.name}/drawn-dog-breeds/unit-seed0/last.*")
    method, read = load_method(checkpoint, "cpu")
    (folder,) = (tmp_path / "data").glob("drawn-dog-breeds-*x10")
    domains, fixed = open_folder(folder, "faces"), Preparation(read.run.size).at_test()
    tests: list[PictureSource] = [domains.test_a, domains.test_b]
    for side, every, direction in zip((0, 4), tests, ("a2b", "b2a"), strict=True):
        source = Subset(every, [0, 1, 2, 3, 5, 6, 7, 8])
        made_of = [p for _, _, p in stream(method, source, fixed, samples=1, direction=direction)]
        inputs = [fixed(source.read(i)) for i in range(8)]
        for i in range(8):
            row, column = found[i // 2], side + 2 * (i % 2)
            assert same(row[column], inputs[i]) and same(row[column + 1], made_of[i])
            assert not same(row[column], inputs[i - 1])
            assert not same(row[column + 1], made_of[i - 1])


def test_faces_by_an_attribute_are_runs_of_their_own(tmp_path: Path) -> None:
    celeba(tmp_path / "celeba", 16)
    small = [*TINY, "size=32", "dis_layers=4"]
    source = f"--source=faces={tmp_path / 'celeba'}"
    shown: dict[Path, list[list[NDArray[np.uint8]]]] = {}
    for attribute in ([], ["--attribute=Smiling"]):
        more = ["--preset=paper", source, *attribute]
        given = words(tmp_path, *more, numbers="6", settings=small)
        make_here(given, tmp_path / "plan.json")
        (path,) = {*tmp_path.glob("results/*/unit-figure6.png")} - {*shown}
        shown[path] = cells(path)
    # One of the two test faces is blond, the other smiles: they change sides.
    (blond,), (smiling,) = shown.values()
    assert len(blond) == len(smiling) == 4
    for i in (0, 2):
        near, far = (np.abs(reduced(blond[i]) - reduced(smiling[j])).mean() for j in (2 - i, i))
        assert near < 0.5 * far
    folders = [p.parent.name for p in shown]
    assert len(set(folders)) == 2 and all(name.startswith("paper+") for name in folders)
    pictures = {
        read_checkpoint(tmp_path / "runs" / name / "faces/unit-seed0/last.safetensors").data
        for name in folders
    }
    assert len(pictures) == 2, "trained on the same faces"


def test_titles_are_those_of_the_pictures_that_were_given(tmp_path: Path) -> None:
    places = Places(tmp_path / "data", tmp_path, tmp_path, progress=False)
    preset = load_preset("quick")
    run = preset.make_run("unit", "drawn-dog-breeds", 0, {"train": 2, "test": 2})
    assert domain_titles(preset, run, places) == ("huskies", "labradors")
    given = sorted_folder(tmp_path / "sorted", {"corgis": {"c": 2}, "big_dogs": {"d": 2}})
    data = ["data", "dog-breeds", "--source", str(given), "--domains", "corgis", "big_dogs"]
    assert main([*data, "--data", str(places.data), "--no-progress"]) == 0
    assert domain_titles(preset, replace(run, task="dog-breeds"), places) == ("corgis", "big dogs")
    faces = replace(run, task="faces", source=str(tiny.data_set(tmp_path / "plain")))
    assert domain_titles(preset, faces, places) == ("faces without", "faces with")


def test_the_papers_figures_are_trained_as_published() -> None:
    _, runs = load_preset("paper").only(figures=[4, 5, 6]).all_runs()
    assert [(r.size, r.steps, r.batch) for r in runs.values()] == [
        (216, 500_000, 1), (216, 500_000, 1), (128, 2_000_000, 1),
    ]  # fmt: skip
    recipes = [r.settings["recipe"] for r in runs.values()]
    assert recipes == ["nips-animals", "nips-animals", "nips-faces"]


def test_evenly() -> None:
    assert evenly(10, 4) == [0, 2, 5, 7] and evenly(3, 8) == [0, 1, 2]
