"""Outputs as people have them: every layout gives the same pictures, what does not fit is refused."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from outputs_case import LAYOUTS, Pixels, each, pixels_of, save
from PIL import Image

from benchmarks.harness.outputs import Outputs, open_outputs
from benchmarks.study.prepare import Plan, prepare
from models.errors import UserError


def tensors(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 2).reshape(-1, 3, *pixels.shape[2:4]) / 127.5 - 1


def shown(outputs: Outputs, *choice: object) -> torch.Tensor:
    """The pictures of a stream of them."""
    return torch.stack([picture for *_, picture in outputs.stream(*choice)])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pictures(layout: str, tmp_path: Path) -> None:
    pixels = pixels_of()
    outputs = open_outputs(LAYOUTS[layout](tmp_path / "out", pixels))
    assert str(outputs).startswith("4 inputs x 6 samples, 24x16, ")
    torch.testing.assert_close(shown(outputs), tensors(pixels), rtol=0, atol=0)
    expected = [(name, k) for name in outputs.names for k in range(6)]
    assert [(name, k) for name, k, _ in outputs.stream()] == expected


@pytest.mark.parametrize("layout", ["translate", "BicycleGAN", ".npz"])
def test_outputs_are_matched_with_test_inputs(layout: str, tmp_path: Path) -> None:
    pixels, names = pixels_of(), [f"in{i}" for i in range(4)]
    outputs = open_outputs(LAYOUTS[layout](tmp_path / "out", pixels)).called(names, "out")
    assert outputs.names == tuple(names)
    (_, _, second), *_ = outputs.stream(range(3, 4), range(1, 2))
    assert torch.equal(second, tensors(pixels)[6 + 3])
    if layout != "BicycleGAN":
        assert torch.equal(
            shown(outputs.called(["in3", "in1"], "out"), 1), tensors(pixels)[[18, 6]]
        )
    with pytest.raises(UserError, match="out has no translation of input"):
        outputs.called([*names, "in4"], "out")


def test_numbers_count_as_numbers(tmp_path: Path) -> None:
    pixels = pixels_of(1, 12)
    each(lambda i, k: f"in{i}/{k}.png")(tmp_path / "a", pixels.repeat(2, axis=0))
    assert torch.equal(shown(open_outputs([tmp_path / "a"]), 12, range(1)), tensors(pixels))


def test_numbered_inputs_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    pixels = pixels_of(12, 2)
    each(lambda i, k: f"{i}_{k}.png")(tmp_path / "a", pixels)
    outputs = open_outputs([tmp_path / "a"]).called([f"shoe{i:02d}" for i in range(12)], "a")
    assert torch.equal(shown(outputs), tensors(pixels))
    # Where the test inputs are called so, by name.
    last, first = open_outputs([tmp_path / "a"]).called(["11", "0"], "a").stream(1)
    assert torch.equal(last[2], tensors(pixels)[22]) and torch.equal(first[2], tensors(pixels)[0])


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_places_only_where_nothing_contradicts(first: int, tmp_path: Path) -> None:
    each(lambda i, k: f"{i + first}_{k}.png")(tmp_path / "a", pixels_of(4, 2))
    outputs = open_outputs([tmp_path / "a"])
    assert outputs.called([*"efgh"], "a").names == (*"efgh",)
    for names in ("0", "1", "2", "9"), [*"efg"], ("e9", "e10", "e11", "e12"):
        with pytest.raises(UserError, match="has no translation of input"):
            outputs.called(names, "a")
    for k in range(2):
        (tmp_path / "a" / f"{first + 2}_{k}.png").rename(tmp_path / "a" / f"7_{k}.png")
    with pytest.raises(UserError, match="has no translation of input 'e'"):
        open_outputs([tmp_path / "a"]).called([*"efgh"], "a")


def test_rows_of_an_array_are_places_whatever_inputs_are_called(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pixels_of(3, 2))
    first, *_ = open_outputs([tmp_path / "a.npy"]).called([*"123"], "a").stream(1)
    assert torch.equal(first[2], tensors(pixels_of(3, 2))[0])


def test_flat_names_in_folders_keep_the_folder(tmp_path: Path) -> None:
    for folder in ("cat2dog", "dog2cat"):
        each(lambda i, k: f"{i:04d}_{k:02d}.png")(tmp_path / folder, pixels_of(2, 3))
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


def test_names_are_no_patterns(tmp_path: Path) -> None:
    """Of MUNIT's test_batch.py, whose folders lie beside the one that is given."""
    layout = LAYOUTS["MUNIT's test_batch.py"]
    for name in ("br[1]", "**"):
        assert open_outputs(layout(tmp_path / name, pixels_of())).samples == 6


def test_a_folder_of_samples_that_is_missing_is_named(tmp_path: Path) -> None:
    paths = LAYOUTS["MUNIT's test_batch.py"](tmp_path / "out", pixels_of())
    (tmp_path / "out_02").rename(tmp_path / "out_20240101")
    with pytest.raises(UserError, match="out_02 is missing"):
        open_outputs(paths)


def test_webp_without_loss_is_measured(tmp_path: Path) -> None:
    pixels = pixels_of(2, 2)
    for i, k in np.ndindex(2, 2):
        picture, path = Image.fromarray(pixels[i, k]), tmp_path / f"in{i}_{k}.webp"
        picture.save(path, lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    assert torch.equal(shown(open_outputs([tmp_path])), tensors(pixels))


def test_a_pattern_says_how_files_are_named(tmp_path: Path) -> None:
    each(lambda i, k: f"{k}-of-in{i}.png")(tmp_path, pixels_of(2, 2))
    save(tmp_path / "overview.png", GOOD[0, 0])
    outputs = open_outputs([tmp_path], "{sample}-of-{input}.png")
    assert outputs.names == ("in0", "in1") and "skipped: overview.png" in str(outputs)


@pytest.mark.parametrize(("value_range", "scale"), [((-1.0, 1.0), 2), ((0, 255), 255)])
def test_floats_are_what_their_range_says(value_range, scale, tmp_path):
    pixels = pixels_of(2, 2)
    floats = pixels / 255 * scale + value_range[0]
    for kind in (np.float32, ">f8"):
        np.save(tmp_path / "a.npy", floats.astype(kind))
        outputs = open_outputs([tmp_path / "a.npy"], value_range=value_range)
        assert torch.equal(shown(outputs), tensors(pixels))


def test_equal_pictures_have_equal_digests(tmp_path: Path) -> None:
    made = [open_outputs(LAYOUTS["flat"](tmp_path / n, pixels_of())).sha256 for n in "ab"]
    other = open_outputs(LAYOUTS["flat"](tmp_path / "c", pixels_of(seed=1))).sha256
    assert made[0] == made[1] != other


@pytest.mark.parametrize("layout", ["BicycleGAN", ".npy"])
def test_a_study_takes_folders_and_arrays(layout: str, tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "testA" / f"in{i}.png", GOOD[0, 0])
    given = {"mine": pixels_of(seed=0), "other": pixels_of(seed=1)}
    methods = {name: LAYOUTS[layout](tmp_path / name, made)[0] for name, made in given.items()}
    plan = Plan(tmp_path / "testA", methods, "other", questions=8, per_rater=5)
    design = prepare(plan, tmp_path / "study")
    assert design.inputs == 4 and design.size == (24, 16)
    pictures = (tmp_path / "study" / "pictures").iterdir()
    shown = {np.asarray(Image.open(path)).tobytes() for path in pictures}
    own = {one.tobytes() for made in given.values() for one in made.reshape(-1, 16, 24, 3)}
    assert len(shown & own) >= 8


GOOD = pixels_of(3, 2)
Damage = Callable[[Path], object]


def _as(kind: str, mode: str = "RGB", **options: object) -> Damage:
    """In another format and mode, whatever its name says."""
    return lambda path: Image.open(path).convert(mode).save(path, kind, **options)


def _bytes(change: Callable[[bytes], bytes], name: str = "in1_2.png") -> Damage:
    return lambda path: path.with_name(name).write_bytes(change(path.read_bytes()))


def _named(name: str) -> Damage:
    return lambda path: path.rename(path.with_name(name))


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.png")


def _beside_folders(path: Path) -> None:
    for picture in path.parent.glob("*.png"):
        stem, number = picture.stem.split("_")
        (path.parent / stem).mkdir(exist_ok=True)
        picture.rename(path.parent / stem / f"{number}.png")
    Image.new("RGB", (24, 16)).save(path.with_name("overview.png"))


def _deep_rgb(png: bytes) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", 24, 16, 16, 2, 0, 0, 0)
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


TWO = {"save_all": True, "append_images": [Image.new("RGB", (24, 16))]}
# What is wrong -> how one picture of good outputs gets it, and what the one line says.
FOLDERS: dict[str, tuple[Damage, str]] = {
    "grey": (_as("TIFF", "L"), "in1_2.png is greyscale"),
    "alpha": (_as("TIFF", "RGBA"), "in1_2.png has an alpha channel"),
    "16 bits": (lambda p: Image.fromarray(np.zeros((16, 24), np.uint16)).save(p),
                "in1_2.png has pixels of more than 8 bits"),
    "JPEG that is called PNG": (_as("JPEG"), "in1_2.png is a JPEG"),
    "another size": (lambda p: Image.new("RGB", (16, 24)).save(p), "in1_2.png is 16x24, "),
    "cut short": (_bytes(lambda whole: whole[:-40]), "in1_2.png is no picture"),
    "a sample too few": (Path.unlink, "lacks sample 2"),
    "a sample too many": (_bytes(bytes, "in1_9.png"), "in1_9.png: other inputs lack this sample"),
    "a sample under two numbers": (_bytes(bytes, "in1_02.png"), "are the same sample of input 'in1'"),
    "a picture beside folders": (_beside_folders, "overview.png is not in the folder of an input"),
    "nothing": (lambda p: [each.unlink() for each in p.parent.iterdir()], "out holds no pictures"),
    "16 bits of RGB": (_bytes(_deep_rgb), "in1_2.png has pixels of more than 8 bits"),
    "16 bits in a PPM": (_bytes(lambda _: b"P6 24 16 65535\n" + bytes(24 * 16 * 6)),
                         "in1_2.png has pixels of more than 8 bits"),
    "JPEG in a TIFF": (_as("TIFF", compression="jpeg"), "in1_2.png is a JPEG in a TIFF"),
    "WebP with loss": (_as("WEBP"), "in1_2.png is a WEBP"),
    "a picture for each eye": (_as("MPO", **TWO), "in1_2.png is a MPO: its compression"),
    "an animation": (_as("PNG", **TWO), "in1_2.png holds several pictures"),
    "EPS": (_as("EPS"), "in1_2.png is no picture"),
    "CMYK": (_as("TIFF", "CMYK"), "in1_2.png is CMYK"),
    "a link to nothing": (_link_to_nothing, "in1_2.png is no picture that can be read (No such"),
    "a name that is not UTF-8": (_named(os.fsdecode(b"in\xff_2.png")), "is no name in UTF-8"),
    "a new line in a name": (_named("in1_2\n.png"), "does not name its input and sample"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", FOLDERS)
def test_folders_that_do_not_fit(wrong, tmp_path, refused):
    (folder,) = LAYOUTS["flat"](tmp_path / "out", pixels_of())
    damage, message = FOLDERS[wrong]
    damage(folder / "in1_2.png")
    assert message in refused("diversity", folder)


ARRAYS: dict[str, tuple[object, str]] = {
    "one dimension too few": (GOOD[0], "has shape (2, 16, 24, 3)"),
    "channels first": (GOOD.transpose(0, 1, 4, 2, 3), "has shape (3, 2, 3, 16, 24)"),
    "no inputs": (GOOD[:0], "has shape (0, "),
    "objects": (np.array([None, {}]), "is not a numeric array"),
    "floats without a range": (GOOD / 255, "give their --range"),
    "empty": (b"", "is not a numeric array"),
    "numbers that PyTorch lacks": (GOOD.astype(np.longdouble), "holds float128"),
    "16 bits": (GOOD.astype(">u2"), "holds >u2"),
    "columns first": (np.asfortranarray(GOOD), "save np.ascontiguousarray"),
    "half a zip file": (b"PK\3\4" + bytes(100), "is not a numeric array"),
    "a header that is deep": (b"\x93NUMPY\1\0\xff\xff" + b"(" * 65535, "is not a numeric array"),
}


@pytest.mark.parametrize("wrong", ARRAYS)
def test_arrays_that_do_not_fit(wrong, tmp_path, refused):
    content, message = ARRAYS[wrong]
    for path in tmp_path / "a.npy", tmp_path / "a.npz":
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif path.suffix == ".npy":
            np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]
        else:
            np.savez(path, samples=content)  # type: ignore[arg-type]
        assert message in refused("diversity", path)


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
def test_headers_that_lie(shape, tmp_path, refused):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("a.npy", _npy(shape))
    (tmp_path / "b.npy").write_bytes(_npy(shape))
    for name in ("a.npz", "b.npy"):
        assert "incomplete for shape" in refused("diversity", tmp_path / name)


@pytest.mark.parametrize(("at", "value"), [((6, 8), 1), ((8, 10), 99)])
def test_zip_files_that_cannot_be_unpacked(at, value, tmp_path, refused):
    """A password, and a compression that nobody knows, in both headers."""
    np.savez(tmp_path / "a.npz", GOOD)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for header, offset in zip((b"PK\3\4", b"PK\1\2"), at, strict=True):
        content[content.index(header) + offset] = value
    (tmp_path / "a.npz").write_bytes(content)
    assert "is not a numeric array" in refused("diversity", tmp_path / "a.npz")


@pytest.mark.parametrize(
    "ids", [np.arange(3.0), ["a", "b"], ["", "b", "c"], ["x", "x", "y"], [b"\xff", b"b", b"c"],
            np.array([{}, 1, 2])],
)  # fmt: skip
def test_names_of_inputs_that_are_none(ids, tmp_path, refused):
    np.savez(tmp_path / "a.npz", samples=GOOD, input_ids=ids)  # type: ignore[arg-type]
    refused("diversity", tmp_path / "a.npz")


def test_more_that_does_not_fit(tmp_path, refused):
    a, b = tmp_path / "a.npz", tmp_path / "b.npy"
    np.savez(a, samples=GOOD, other=GOOD)
    assert "a.npz holds samples.npy, other.npy" in refused("diversity", a)
    np.save(b, GOOD)
    assert "holds uint8" in refused("diversity", b, "--range", "0", "1")
    assert "give only that file" in refused("diversity", b, a)
    np.save(b, GOOD / 255)
    for low, high, message in (
        (0, 0.5, "input 0, sample 0: values in ["), (1, 0, "the smaller one first"),
        (0, "inf", "give two finite numbers"), (0, 255, "values of the first picture are in [0"),
    ):  # fmt: skip
        assert message in refused("diversity", b, "--range", low, high)
    np.save(b, np.full((2, 2, 16, 16, 3), np.nan))
    assert "values in [nan, nan]" in refused("diversity", b, "--range", "0", "1")
    assert "none.npy: no such file" in refused("diversity", tmp_path / "none.npy")
    (folder,) = LAYOUTS["flat"](tmp_path / "out", GOOD)
    for words, message in (
        (["--range", "0", "1"], "--range applies only to arrays"),
        (["--pattern", "x"], "needs {input} and {sample}"),
        (["--pattern", "{input}{sample}"], "put a separator between"),
        (["--pattern", "{input}-{sample}.png"], "no picture matches {input}-{sample}.png"),
        (["--inputs", 5], "5 inputs requested, but there are 3"),
    ):
        assert message in refused("diversity", folder, *words)


def test_pictures_beside_numbered_ones_and_empty_folders(tmp_path, refused):
    (folder,) = LAYOUTS["a folder an input"](tmp_path / "out", GOOD)
    (folder / "in9").mkdir()
    assert "in9 is empty: translate that input" in refused("diversity", folder)
    save(folder / "in1" / "input.png", GOOD[0, 0])
    assert "input.png has no number, unlike the other" in refused("diversity", folder)


def test_folders_of_samples_must_agree(tmp_path, refused):
    first, second, *_ = LAYOUTS["a folder a sample"](tmp_path / "out", GOOD)
    (second / "in1.png").rename(second / "in7.png")
    assert "out_01 has no picture 'in1'" in refused("diversity", first, second)
    assert "out_01 is given twice" in refused("diversity", first, second, second)
    save(second / "in1.png", GOOD[1, 1])
    assert "in7.png has no counterpart" in refused("diversity", first, second)


def test_one_sample_has_no_diversity(tmp_path, refused):
    (folder,) = LAYOUTS["flat"](tmp_path / "out", pixels_of(3, 1))
    assert "diversity needs at least 2 samples an input, got 1" in refused("diversity", folder)
    (folder,) = LAYOUTS["flat"](tmp_path / "one", pixels_of(1, 4))
    assert "diversity needs at least 2 inputs" in refused("diversity", folder)
