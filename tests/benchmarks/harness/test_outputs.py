"""Outputs as people have them: every layout gives the same pictures, what does not fit is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from outputs_case import LAYOUTS, Pixels, pixels_of, save
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.harness.outputs import open_outputs
from benchmarks.study.prepare import Plan, prepare
from models.errors import UserError


def tensors(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 2).reshape(-1, 3, *pixels.shape[2:4]) / 127.5 - 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pictures(layout: str, tmp_path: Path) -> None:
    pixels = pixels_of()
    outputs = open_outputs(LAYOUTS[layout](tmp_path / "out", pixels))
    assert str(outputs).startswith("4 inputs x 6 samples, 24x16, ")
    shown = list(outputs.stream())
    torch.testing.assert_close(torch.stack([p for *_, p in shown]), tensors(pixels), rtol=0, atol=0)
    assert [(n, k) for n, k, _ in shown] == [(n, k) for n in outputs.names for k in range(6)]


@pytest.mark.parametrize("layout", ["translate", "BicycleGAN", "StarGAN v2", ".npy", ".npz"])
def test_outputs_are_matched_with_test_inputs(layout: str, tmp_path: Path) -> None:
    pixels, names = pixels_of(), [f"in{i}" for i in range(4)]
    outputs = open_outputs(LAYOUTS[layout](tmp_path / "out", pixels)).called(names, "out")
    assert outputs.names == tuple(names)
    (_, _, second), *_ = outputs.stream(range(3, 4), range(1, 2))
    assert torch.equal(second, tensors(pixels)[6 + 3])
    with pytest.raises(UserError, match="out has no translation of input"):
        outputs.called([*names, "in4"], "out")


@pytest.mark.parametrize("layout", ["translate", ".npz"])
def test_named_inputs_may_come_in_any_order(layout: str, tmp_path: Path) -> None:
    pixels = pixels_of()
    outputs = open_outputs(LAYOUTS[layout](tmp_path / "out", pixels)).called(["in3", "in1"], "out")
    shown = [picture for *_, picture in outputs.stream(1)]
    assert torch.equal(torch.stack(shown), tensors(pixels)[[18, 6]])


def test_numbers_count_as_numbers(tmp_path: Path) -> None:
    pixels = pixels_of(1, 12)
    for k, picture in enumerate(pixels[0]):
        save(tmp_path / "a" / "in0" / f"{k}.png", picture)
        save(tmp_path / "a" / "in1" / f"{k}.png", picture)
    shown = [picture for *_, picture in open_outputs([tmp_path / "a"]).stream(12, range(1))]
    assert torch.equal(torch.stack(shown), tensors(pixels))


def test_numbered_inputs_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    pixels = pixels_of(12, 2)
    for i, of_input in enumerate(pixels):
        for k, picture in enumerate(of_input):
            save(tmp_path / "a" / f"{i}_{k}.png", picture)
    outputs = open_outputs([tmp_path / "a"]).called([f"shoe{i:02d}" for i in range(12)], "a")
    shown = [picture for *_, picture in outputs.stream()]
    assert torch.equal(torch.stack(shown), tensors(pixels))
    # Where the test inputs are called so, by name.
    last, first = open_outputs([tmp_path / "a"]).called(["11", "0"], "a").stream(1)
    assert torch.equal(last[2], tensors(pixels)[22]) and torch.equal(first[2], tensors(pixels)[0])


def test_a_pattern_says_how_files_are_named(tmp_path: Path) -> None:
    pixels = pixels_of(2, 2)
    for i in range(2):
        for k in range(2):
            save(tmp_path / f"{k}-of-in{i}.png", pixels[i, k])
    save(tmp_path / "overview.png", pixels[0, 0])
    outputs = open_outputs([tmp_path], "{sample}-of-{input}.png")
    assert outputs.names == ("in0", "in1") and "passed over: overview.png" in str(outputs)


@pytest.mark.parametrize(
    ("value_range", "scale"), [((-1.0, 1.0), 2), ((0.0, 1.0), 1), ((0, 255), 255)]
)
def test_floats_are_what_their_range_says(
    value_range: tuple[float, float], scale: float, tmp_path: Path
) -> None:
    pixels = pixels_of(2, 2)
    floats = pixels / 255 * scale + value_range[0]
    for kind in (np.float32, np.float64):
        np.save(tmp_path / "a.npy", floats.astype(kind))
        outputs = open_outputs([tmp_path / "a.npy"], value_range=value_range)
        assert torch.equal(torch.stack([p for *_, p in outputs.stream()]), tensors(pixels))


def test_an_array_is_read_in_any_order(tmp_path: Path) -> None:
    pixels = pixels_of()
    outputs = open_outputs(LAYOUTS[".npz"](tmp_path / "a", pixels))
    wanted = tensors(pixels)
    for number in (20, 3, 4, 23, 0):
        assert torch.equal(outputs.source.read(*divmod(number, 6)), wanted[number])


def test_equal_pictures_have_equal_digests(tmp_path: Path) -> None:
    made = [open_outputs(LAYOUTS["flat"](tmp_path / n, pixels_of())).sha256 for n in "ab"]
    other = open_outputs(LAYOUTS["flat"](tmp_path / "c", pixels_of(seed=1))).sha256
    assert made[0] == made[1] != other


@pytest.mark.parametrize("layout", ["a folder an input", "BicycleGAN", "MUNIT's test_batch.py"])
def test_a_study_takes_every_layout(layout: str, tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "testA" / f"in{i}.png", pixels_of(1, 1)[0, 0])
    methods = {
        name: LAYOUTS[layout](tmp_path / name, pixels_of(seed=seed))[0]
        for seed, name in enumerate(("mine", "other"))
    }
    plan = Plan(tmp_path / "testA", methods, "other", questions=8, per_rater=5)
    design = prepare(plan, tmp_path / "study")
    assert design.inputs == 4 and design.size == (24, 16)


# What is wrong -> how a folder of good outputs gets it, and what the one line says.
def _grey(folder: Path) -> None:
    Image.open(folder / "in1_2.png").convert("L").save(folder / "in1_2.png")


def _alpha(folder: Path) -> None:
    Image.open(folder / "in1_2.png").convert("RGBA").save(folder / "in1_2.png")


def _palette(folder: Path) -> None:
    Image.open(folder / "in1_2.png").convert("P").save(folder / "in1_2.png")


def _deep(folder: Path) -> None:
    Image.fromarray(np.zeros((16, 24), np.uint16)).save(folder / "in1_2.png")


def _jpeg(folder: Path) -> None:
    Image.open(folder / "in1_2.png").save(folder / "in1_2.jpg")
    (folder / "in1_2.png").unlink()


def _hidden_jpeg(folder: Path) -> None:
    Image.open(folder / "in1_2.png").save(folder / "in1_2.png", format="JPEG")


def _other_size(folder: Path) -> None:
    Image.open(folder / "in1_2.png").resize((16, 24)).save(folder / "in1_2.png")


def _text(folder: Path) -> None:
    (folder / "in1_2.png").write_text("no picture")


def _empty_file(folder: Path) -> None:
    (folder / "in1_2.png").write_bytes(b"")


def _cut(folder: Path) -> None:
    path = folder / "in1_2.png"
    path.write_bytes(path.read_bytes()[:-40])


def _missing(folder: Path) -> None:
    (folder / "in1_2.png").unlink()


def _one_more(folder: Path) -> None:
    (folder / "in1_9.png").write_bytes((folder / "in1_2.png").read_bytes())


def _twice(folder: Path) -> None:
    Image.open(folder / "in1_2.png").save(folder / "in1_2.bmp")


def _unnumbered(folder: Path) -> None:
    (folder / "in1_2.png").rename(folder / "extra.png")


def _beside_folders(folder: Path) -> None:
    for path in folder.glob("*.png"):
        stem, number = path.stem.split("_")
        (folder / stem).mkdir(exist_ok=True)
        path.rename(folder / stem / f"{number}.png")
    Image.new("RGB", (24, 16)).save(folder / "overview.png")


def _none(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "grey": (_grey, "in1_2.png is greyscale"),
    "alpha": (_alpha, "in1_2.png has an alpha channel"),
    "palette": (_palette, "in1_2.png is of a palette"),
    "16 bits": (_deep, "in1_2.png has pixels of more than 8 bits"),
    "JPEG": (_jpeg, "in1_2.jpg is a JPEG: its compression changes LPIPS"),
    "JPEG that is called PNG": (_hidden_jpeg, "in1_2.png is a JPEG"),
    "another size": (_other_size, "in1_2.png is 16x24, "),
    "text": (_text, "in1_2.png is no picture"),
    "empty": (_empty_file, "in1_2.png is no picture"),
    "cut short": (_cut, "in1_2.png is no picture"),
    "a sample too few": (_missing, "lacks sample 2"),
    "a sample too many": (_one_more, "in1_9.png: other inputs have no such sample"),
    "a sample twice": (_twice, "are one sample of input"),
    "a name without numbers": (_unnumbered, "extra.png tells no input and sample"),
    "a picture beside folders": (_beside_folders, "overview.png lies beside the folders"),
    "nothing": (_none, "out holds no pictures"),
}  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What the one line of a refusal says."""
    assert main([*map(str, words), "--no-progress"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: ") and told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize("wrong", FOLDERS)
def test_folders_that_do_not_fit(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = LAYOUTS["flat"](tmp_path / "out", pixels_of())
    damage, message = FOLDERS[wrong]
    damage(folder)
    assert message in refused(capsys, "diversity", folder)


GOOD = pixels_of(3, 2)
ARRAYS: dict[str, tuple[object, str]] = {
    "one dimension too few": (GOOD[0], "has shape (2, 16, 24, 3)"),
    "channels first": (GOOD.transpose(0, 1, 4, 2, 3), "has shape (3, 2, 3, 16, 24)"),
    "grey": (GOOD[..., :1], "has shape"),
    "alpha": (np.concatenate([GOOD, GOOD[..., :1]], axis=-1), "has shape"),
    "no inputs": (GOOD[:0], "has shape (0, "),
    "whole numbers": (GOOD.astype(np.int64), "holds int64"),
    "objects": (np.array([None, {}]), "is no array of numbers"),
    "floats without a range": (GOOD / 255, "give their --range"),
    "no array": (b"text", "is no array of numbers"),
    "empty": (b"", "is no array of numbers"),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("wrong", ARRAYS)
def test_arrays_that_do_not_fit(
    wrong: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, (content, message) = tmp_path / f"a{suffix}", ARRAYS[wrong]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif suffix == ".npy":
        np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]
    else:
        np.savez(path, samples=content)  # type: ignore[arg-type]
    assert message in refused(capsys, "diversity", path)


def test_more_that_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npy"
    np.savez(a, samples=GOOD, other=GOOD)
    assert "a.npz holds samples.npy, other.npy" in refused(capsys, "diversity", a)
    np.savez(a, samples=GOOD, input_ids=["x", "x", "y"])
    assert "input_ids must name each of the 3 inputs" in refused(capsys, "diversity", a)
    np.save(b, GOOD)
    assert "holds uint8" in refused(capsys, "diversity", b, "--range", "0", "1")
    assert "give it alone" in refused(capsys, "diversity", b, a)
    np.save(b, GOOD / 255)
    for low, high, message in (
        (0, 0.5, "input 0, sample 0: values in ["), (1, 0, "the first must be the smaller"),
    ):  # fmt: skip
        assert message in refused(capsys, "diversity", b, "--range", low, high)
    np.save(b, np.full((2, 2, 16, 16, 3), np.nan))
    assert "values in [nan, nan]" in refused(capsys, "diversity", b, "--range", "0", "1")
    whole = a.read_bytes()
    a.write_bytes(whole[: len(whole) // 2])
    assert "is no array of numbers" in refused(capsys, "diversity", a)
    assert "none.npy: no such file" in refused(capsys, "diversity", tmp_path / "none.npy")
    assert "none is not a folder" in refused(capsys, "diversity", tmp_path / "none")
    (folder,) = LAYOUTS["flat"](tmp_path / "out", GOOD)
    assert "--range is of arrays" in refused(capsys, "diversity", folder, "--range", "0", "1")
    assert "needs {input} and {sample}" in refused(capsys, "diversity", folder, "--pattern", "x")
    pattern = "{input}-{sample}.png"
    assert "is not {input}-{sample}.png" in refused(
        capsys, "diversity", folder, "--pattern", pattern
    )
    assert "5 inputs are asked for, there are 3" in refused(
        capsys, "diversity", folder, "--inputs", 5
    )
    assert "4 samples an input are asked" in refused(capsys, "diversity", folder, "--samples", 4)
    assert "is given twice" in refused(capsys, "diversity", folder, folder)


def test_folders_of_samples_must_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = LAYOUTS["a folder a sample"](tmp_path / "out", GOOD)
    (second / "in1.png").rename(second / "in7.png")
    assert "out_01 has no picture 'in1'" in refused(capsys, "diversity", first, second)
    save(second / "in1.png", GOOD[1, 1])
    assert "in7.png has no counterpart" in refused(capsys, "diversity", first, second)


def test_one_sample_has_no_diversity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = LAYOUTS["flat"](tmp_path / "out", pixels_of(3, 1))
    assert "diversity compares at least 2" in refused(capsys, "diversity", folder)
    (folder,) = LAYOUTS["flat"](tmp_path / "one", pixels_of(1, 4))
    assert "diversity needs at least 2 inputs" in refused(capsys, "diversity", folder)
