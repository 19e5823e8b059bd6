"""Outputs as people have them: every layout gives the same pictures, what does not fit is refused."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
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


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_places_only_where_nothing_contradicts(first: int, tmp_path: Path) -> None:
    for i in range(4):
        for k in range(2):
            save(tmp_path / "a" / f"{i + first}_{k}.png", GOOD[0, k])
    outputs = open_outputs([tmp_path / "a"])
    assert outputs.called([*"efgh"], "a").names == (*"efgh",)
    for names in ("0", "1", "2", "9"), [*"efg"], ("e9", "e10", "e11", "e12"):
        with pytest.raises(UserError, match="has no translation of input"):
            outputs.called(names, "a")
    (tmp_path / "a" / f"{first + 2}_0.png").rename(tmp_path / "a" / "7_0.png")
    (tmp_path / "a" / f"{first + 2}_1.png").rename(tmp_path / "a" / "7_1.png")
    with pytest.raises(UserError, match="has no translation of input 'e'"):
        open_outputs([tmp_path / "a"]).called([*"efgh"], "a")


def test_rows_of_an_array_are_places_whatever_inputs_are_called(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pixels_of(3, 2))
    first, *_ = open_outputs([tmp_path / "a.npy"]).called([*"123"], "a").stream(1)
    assert torch.equal(first[2], tensors(pixels_of(3, 2))[0])


def test_flat_names_in_folders_keep_the_folder(tmp_path: Path) -> None:
    for folder in ("cat2dog", "dog2cat"):
        for i in range(2):
            for k in range(3):
                save(tmp_path / folder / f"{i:04d}_{k:02d}.png", GOOD[0, 0])
    outputs = open_outputs([tmp_path])
    assert outputs.names == ("cat2dog/0000", "cat2dog/0001", "dog2cat/0000", "dog2cat/0001")
    assert outputs.samples == 3
    # One input a folder, whatever its samples are called.
    for path in tmp_path.glob("*/0001_*"):
        path.unlink()
    assert open_outputs([tmp_path]).names == ("cat2dog", "dog2cat")


def test_linked_folders_count(tmp_path: Path) -> None:
    (folder,) = LAYOUTS["a folder an input"](tmp_path / "out", pixels_of())
    (folder / "in3").rename(tmp_path / "elsewhere")
    (folder / "in3").symlink_to(tmp_path / "elsewhere")
    (folder / "in2").rename(folder / ".hidden")
    (folder / "in2").symlink_to(folder / "in1")
    (folder / "in0" / "above").symlink_to(folder)
    assert open_outputs([folder]).names == ("in0", "in1", "in2", "in3")


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (folder,) = LAYOUTS["a folder an input"](tmp_path / "out", pixels_of())
    above = [path for path in tmp_path.parents if path.name.startswith(("pytest-", "popen-"))]
    for path in (tmp_path, *above, folder):
        path.chmod(0o755)
    (folder / "in1").chmod(0)
    before = os.geteuid()
    try:
        if before == 0:  # whom no permission stops
            os.seteuid(65534)
        with pytest.raises(UserError, match=r"in1 cannot be read \(Permission denied\)"):
            open_outputs([folder])
    finally:
        os.seteuid(before)
        (folder / "in1").chmod(0o755)


def test_names_are_no_patterns(tmp_path: Path) -> None:
    """Of MUNIT's test_batch.py, whose folders lie beside the one that is given."""
    layout = LAYOUTS["MUNIT's test_batch.py"]
    for name in ("br[1]", "**"):
        assert open_outputs(layout(tmp_path / name, pixels_of())).samples == 6


def test_a_folder_of_samples_that_is_missing_is_named(tmp_path: Path) -> None:
    paths = LAYOUTS["MUNIT's test_batch.py"](tmp_path / "out", pixels_of())
    (tmp_path / "out_02").rename(tmp_path / "out_20240101")
    with pytest.raises(UserError, match="out_02 is no folder"):
        open_outputs(paths)


def test_webp_without_loss_is_measured(tmp_path: Path) -> None:
    pixels = pixels_of(2, 2)
    for i, of_input in enumerate(pixels):
        for k, picture in enumerate(of_input):
            path = tmp_path / f"in{i}_{k}.webp"
            Image.fromarray(picture).save(path, lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    shown = [picture for *_, picture in open_outputs([tmp_path]).stream()]
    assert torch.equal(torch.stack(shown), tensors(pixels))


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
    for kind in (np.float32, np.float64, ">f4", ">f8"):
        np.save(tmp_path / "a.npy", floats.astype(kind))
        outputs = open_outputs([tmp_path / "a.npy"], value_range=value_range)
        assert torch.equal(torch.stack([p for *_, p in outputs.stream()]), tensors(pixels))


def test_an_array_is_read_in_any_order(tmp_path: Path) -> None:
    pixels = pixels_of()
    outputs = open_outputs(LAYOUTS[".npz"](tmp_path / "a", pixels))
    wanted = tensors(pixels)
    for number in (20, 3, 4, 23, 0):
        assert torch.equal(outputs.source.read(*divmod(number, 6)), wanted[number])


def test_a_study_of_arrays_says_what_does_not_fit(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "testA" / f"in{i}.png", GOOD[i, 0])
    np.save(tmp_path / "a.npy", GOOD / 255)
    np.save(tmp_path / "b.npy", pixels_of(3, 2, (24, 24)) / 255)
    methods = {name: tmp_path / f"{name}.npy" for name in "ab"}
    plan = Plan(tmp_path / "testA", methods, "a", questions=12, per_rater=5)
    with pytest.raises(UserError, match="give its --range|give their --range"):
        prepare(plan, tmp_path / "study")
    with pytest.raises(
        UserError, match=r"b.npy: input \d, sample \d has 24x24 pixels, others 24x16"
    ):
        prepare(replace(plan, value_range=(0, 1)), tmp_path / "study")


def test_equal_pictures_have_equal_digests(tmp_path: Path) -> None:
    made = [open_outputs(LAYOUTS["flat"](tmp_path / n, pixels_of())).sha256 for n in "ab"]
    other = open_outputs(LAYOUTS["flat"](tmp_path / "c", pixels_of(seed=1))).sha256
    assert made[0] == made[1] != other


def pixels_in(path: Path) -> bytes:
    return np.asarray(Image.open(path)).tobytes()


@pytest.mark.parametrize(
    "layout", ["a folder an input", "BicycleGAN", "MUNIT's test_batch.py", ".npy", ".npz"]
)
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
    shown = {pixels_in(path) for path in (tmp_path / "study" / "pictures").iterdir()}
    own = {
        picture.tobytes()
        for seed in (0, 1)
        for picture in pixels_of(seed=seed).reshape(-1, 16, 24, 3)
    }
    assert len(shown & own) >= 8


GOOD = pixels_of(3, 2)


# What is wrong -> how a folder of good outputs gets it, and what the one line says.
def _of(mode: str) -> Callable[[Path], None]:
    return lambda folder: (
        Image.open(folder / "in1_2.png").convert(mode).save(folder / "in1_2.png", "TIFF")
    )


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


def _deep_rgb(folder: Path) -> None:
    header = struct.pack(">IIBBBBB", 24, 16, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(24 * 6)) * 16)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    made = [
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks
    ]
    (folder / "in1_2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(made))


def _deep_ppm(folder: Path) -> None:
    (folder / "in1_2.png").write_bytes(b"P6 24 16 65535\n" + bytes(24 * 16 * 6))


def _as(kind: str, **options: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        path = folder / "in1_2.png"
        picture = Image.open(path).copy()
        path.unlink()
        picture.save(path, kind, **options)

    return write


def _named(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "in1_2.png").rename(folder / name) and None


def _link_to_nothing(folder: Path) -> None:
    (folder / "in1_2.png").unlink()
    (folder / "in1_2.png").symlink_to("nowhere.png")


def _not_utf8(folder: Path) -> None:
    os.rename(folder / "in1_2.png", os.fsencode(folder) + b"/in\xff_2.png")


def _one_twice(folder: Path) -> None:
    (folder / "in1_02.png").write_bytes((folder / "in1_2.png").read_bytes())


FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "grey": (_of("L"), "in1_2.png is greyscale"),
    "alpha": (_of("RGBA"), "in1_2.png has an alpha channel"),
    "palette": (_of("P"), "in1_2.png is of a palette"),
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
    "16 bits of RGB": (_deep_rgb, "in1_2.png has pixels of more than 8 bits"),
    "16 bits in a PPM": (_deep_ppm, "in1_2.png has pixels of more than 8 bits"),
    "JPEG in a TIFF": (_as("TIFF", compression="jpeg"), "in1_2.png is a JPEG in a TIFF"),
    "WebP with loss": (_as("WEBP"), "in1_2.png is a WEBP"),
    "a picture for each eye": (_as("MPO", save_all=True, append_images=[Image.new("RGB", (24, 16))]),
                               "in1_2.png is a MPO: its compression"),
    "an animation": (_as("PNG", save_all=True, append_images=[Image.new("RGB", (24, 16))]),
                     "in1_2.png holds several pictures"),
    "EPS": (_as("EPS"), "in1_2.png is no picture"),
    "CMYK": (_of("CMYK"), "in1_2.png is CMYK"),
    "black and white": (_of("1"), "in1_2.png is black and white"),
    "a link to nothing": (_link_to_nothing, "in1_2.png is no picture that can be read (No such"),
    "a name that is not UTF-8": (_not_utf8, "is no name in UTF-8"),
    "one sample under two numbers": (_one_twice, "are one sample of input 'in1'"),
    "a name of a number alone": (_named("_2.png"), "_2.png tells no input and sample"),
    "a sign before the number": (_named("in1_-2.png"), "in1_-2.png tells no input and sample"),
    "a new line in a name": (_named("in1_2\n.png"), "tells no input and sample"),
}  # fmt: skip


def _stray(folder: Path) -> None:
    save(folder / "in1" / "input.png", GOOD[0, 0])


def _two_kinds(folder: Path) -> None:
    save(folder / "in1" / "0.bmp", GOOD[0, 0])


def _empty_input(folder: Path) -> None:
    (folder / "in9").mkdir()


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What the one line of a refusal says."""
    try:
        code = main([*map(str, words), "--no-progress"])
    except SystemExit as stop:
        code = int(str(stop.code))
    told = capsys.readouterr()
    assert code == 2
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


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_stray, "input.png has no number, as the other samples have"),
        (_two_kinds, "0.bmp are one sample of input 'in1'"),
        (_empty_input, "in9 is empty: translate that input"),
    ],
)
def test_folders_of_inputs_that_do_not_fit(
    damage: Callable[[Path], None], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = LAYOUTS["a folder an input"](tmp_path / "out", pixels_of())
    damage(folder)
    assert message in refused(capsys, "diversity", folder)


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
    "numbers that PyTorch lacks": (GOOD.astype(np.longdouble), "holds float128"),
    "complex numbers": (GOOD.astype(complex), "holds complex128"),
    "yes and no": (GOOD > 9, "holds bool"),
    "16 bits": (GOOD.astype(">u2"), "holds >u2"),
    "fields": (np.zeros((3, 2), [("r", "u1")]), "has shape (3, 2)"),
    "columns first": (np.asfortranarray(GOOD), "save np.ascontiguousarray"),
    "half a zip file": (b"PK\3\4" + bytes(100), "is no array of numbers"),
    "a header without an end": (b"\x93NUMPY\1\0\x10\0{'descr': [[[[   ", "is no array of numbers"),
    "a header that is deep": (b"\x93NUMPY\1\0\xff\xff" + b"(" * 65535, "is no array of numbers"),
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


def _npy(shape: tuple[int, ...]) -> bytes:
    """The start of a file that claims to hold so much."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + bytes(100)


@pytest.mark.parametrize(
    "shape", [(-1, 2, 16, 24, 3), (3, 2, -16, -24, 3), (3_000_000, 2, 16, 24, 3)]
)
def test_headers_that_lie(
    shape: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("a.npy", _npy(shape))
    (tmp_path / "b.npy").write_bytes(_npy(shape))
    for name in ("a.npz", "b.npy"):
        assert "it is no whole array of shape" in refused(capsys, "diversity", tmp_path / name)


@pytest.mark.parametrize(("at", "value"), [((6, 8), 1), ((8, 10), 99)])
def test_zip_files_that_cannot_be_unpacked(
    at: tuple[int, int], value: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password, and a compression that nobody knows, in both headers."""
    np.savez(tmp_path / "a.npz", GOOD)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for header, offset in zip((b"PK\3\4", b"PK\1\2"), at, strict=True):
        content[content.index(header) + offset] = value
    (tmp_path / "a.npz").write_bytes(content)
    assert "is no array of numbers" in refused(capsys, "diversity", tmp_path / "a.npz")


@pytest.mark.parametrize(
    "ids", [np.arange(3.0), ["a", "b"], ["", "b", "c"], [b"\xff", b"b", b"c"], np.array([{}, 1, 2])]
)
def test_names_of_inputs_that_are_none(
    ids: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", samples=GOOD, input_ids=ids)  # type: ignore[arg-type]
    refused(capsys, "diversity", tmp_path / "a.npz")


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
        ("nan", 1, "give two numbers"), (0, "inf", "give two numbers"),
        (0, 255, "values of the first picture are in [0"),
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
    assert "put something between" in refused(
        capsys, "diversity", folder, "--pattern", "{input}{sample}"
    )
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
