import contextlib
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reading import refusal

from models.errors import UserError
from models.randomness import generator
from reproduce.tasks.pictures import (
    MOST_PIXELS,
    Preparation,
    from_bytes,
    of_channels,
    read_picture,
    save_png,
    to_image,
    to_tensor,
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pixels(path: Path) -> np.ndarray:
    image = read_picture(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    idat = zlib.compress(b"\0" * 64)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


LEVELS = np.arange(256, dtype=np.uint16).reshape(16, 16)
WIDE = np.random.default_rng(0).integers(0, 65536, (16, 16), dtype=np.uint16)


@pytest.mark.parametrize(
    ("suffix", "stored", "expected"),
    [
        ("png", LEVELS.astype(np.uint8), LEVELS),
        ("bmp", LEVELS > 127, 255 * (LEVELS > 127)),
        ("png", LEVELS * 257, LEVELS),  # 16 bits: scaled, not clipped
        ("tiff", WIDE, np.round(WIDE / 65535 * 255)),
        ("pgm", WIDE, np.round(WIDE / 65535 * 255)),
    ],
)
def test_grey_of_any_depth(tmp_path, suffix, stored, expected):
    Image.fromarray(stored).save(tmp_path / f"x.{suffix}")
    found = pixels(tmp_path / f"x.{suffix}")
    assert np.array_equal(found, np.repeat(expected[..., None], 3, axis=2))


def test_a_tiff_states_its_largest_value_and_dark_files_are_told_of_once(tmp_path, caplog):
    twelve = np.arange(256, dtype=np.uint16).reshape(16, 16) * 16 + 15
    Image.fromarray(twelve).save(tmp_path / "told.tiff", tiffinfo={0x0119: 4095})
    assert np.array_equal(pixels(tmp_path / "told.tiff")[..., 0], np.round(twelve / 4095 * 255))
    assert not caplog.messages
    for name in ("one.png", "two.png"):
        Image.fromarray(twelve).save(tmp_path / name)
        assert pixels(tmp_path / name).max() == 16
    (told,) = caplog.messages
    assert "8 or 12 bits" in told and str(tmp_path) in told


def test_one_channel_is_grey_as_pix2pix_weighs_it():
    picture = torch.rand(2, 3, 4, 5) * 2 - 1
    assert of_channels(picture, 3) is picture
    grey = of_channels(picture, 1)
    assert grey.shape == (2, 1, 4, 5)
    expected = 0.299 * picture[:, 0] + 0.587 * picture[:, 1] + 0.114 * picture[:, 2]
    assert torch.allclose(grey[:, 0], expected, atol=1e-6)


def test_transparent_grey_level_of_sixteen_bits_becomes_white(tmp_path):
    wide = np.full((8, 8), 4660, dtype=np.uint16)
    wide[0] = 1000
    Image.fromarray(wide).save(tmp_path / "x.png", transparency=1000)
    shown = pixels(tmp_path / "x.png")
    assert (shown[0] == 255).all() and (shown[1:] == round(4660 / 257)).all()


def test_palette_with_and_without_transparency(tmp_path):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([255, 0, 0, 0, 128, 255])
    picture.paste(0, (0, 0, 4, 8))
    for how, left in (({}, [255, 0, 0]), ({"transparency": 0}, [255, 255, 255])):
        picture.save(tmp_path / "x.png", **how)
        assert pixels(tmp_path / "x.png")[0, [0, 7]].tolist() == [left, [0, 128, 255]]


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
    red = pixels(tmp_path / "x.jpg").astype(int)
    assert np.abs(red - [255, 0, 0]).max() <= 6


def test_alpha_is_laid_over_white(tmp_path):
    rgba = np.zeros((8, 8, 4), dtype=np.uint8)
    rgba[..., 0] = 200
    rgba[:, :4, 3] = 255
    rgba[4:, :4, 3] = 102  # 40 %
    Image.fromarray(rgba).save(tmp_path / "x.png")
    shown = pixels(tmp_path / "x.png").astype(int)
    assert shown[0, [0, 7]].tolist() == [[200, 0, 0], [255, 255, 255]]
    assert np.abs(shown[7, 0] - [0.4 * 200 + 0.6 * 255, 153, 153]).max() <= 1
    Image.fromarray(rgba[..., [0, 3]]).save(tmp_path / "la.png")
    assert pixels(tmp_path / "la.png")[0, 7].tolist() == [255, 255, 255]


# By the EXIF standard: what each orientation does to a picture that is stored upright.
STORED_AS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_lossless_pictures_come_back_upright(tmp_path, orientation, suffix):
    upright = noise(9, 12)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED_AS[orientation](upright))
    Image.fromarray(stored).save(tmp_path / f"x.{suffix}", exif=exif)
    assert np.array_equal(pixels(tmp_path / f"x.{suffix}"), upright)


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "png", "webp"):
        options = {"lossless": True} if suffix == "webp" else {}
        path = tmp_path / f"x.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        assert pixels(path)[0, 0].tolist() == [255, 0, 0]


def refused(path: Path) -> str:
    message = refusal(read_picture, path)
    assert str(path) in message
    return message


def test_refusals_name_file_and_remedy(tmp_path):
    Image.new("RGB", (7, 100)).save(tmp_path / "small.png")
    Image.new("F", (8, 8)).save(tmp_path / "float.tiff")
    Image.new("1", (8, 16 * 8 + 1)).save(tmp_path / "long.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "other plugin.pcx")
    for name, told in (
        (".", "folder"), ("none.png", "does not exist"), ("small.png", "7x100"),
        ("float.tiff", "floating-point"), ("other plugin.pcx", "convert it to PNG"),
        ("long.png", "8x129 pixels, more than 16 times as long as wide"),
    ):  # fmt: skip
        assert told in refused(tmp_path / name)
    Image.new("1", (16 * 8, 8)).save(tmp_path / "fine.png")
    assert read_picture(tmp_path / "fine.png").size == (128, 8)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 60_000])
def test_huge_pictures_are_refused_from_the_header(tmp_path, side):
    (tmp_path / "x.png").write_bytes(png_header(side, side))
    assert f"{MOST_PIXELS:,}" in refused(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp", "gif", "ppm"])
def test_truncated_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(noise(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tiff", "webp"])
def test_damage_gives_a_picture_or_a_user_error(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(24, 24)).save(path, **({} if suffix == "gif" else {"exif": exif}))
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(80):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(min(len(whole), 300))] = rng.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):
            assert read_picture(path).mode == "RGB"


def test_tensor_range_and_round_trip_of_all_levels():
    picture = np.repeat(LEVELS.astype(np.uint8)[..., None], 3, axis=2)
    picture[2, 9] = 255, 0, 7
    tensor = to_tensor(Image.fromarray(picture))
    assert tensor.dtype == torch.float32 and tensor.shape == (3, 16, 16)
    assert tensor.min() == -1 and tensor.max() == 1
    assert tensor[:2, 2, 9].tolist() == [1, -1]
    assert np.array_equal(np.asarray(to_image(tensor)), picture)
    # Clamped, rounded (191.25, and 127.5 to even), never stretched.
    tensor = torch.tensor([7.0, -7.0, 0.5, 0.0]).expand(3, 8, 4)
    assert np.asarray(to_image(tensor))[0, :, 0].tolist() == [255, 0, 191, 128]


def test_save_png_round_trip_leaves_nothing_else(tmp_path):
    tensor = to_tensor(Image.fromarray(noise(8, 9)))
    save_png(tensor, tmp_path / "x.png")
    assert torch.equal(to_tensor(read_picture(tmp_path / "x.png")), tensor)
    with pytest.raises(ValueError, match="NaN"):
        save_png(tensor * float("nan"), tmp_path / "y.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        save_png(tensor, tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "x.png"]


def test_bytes_are_scaled_with_the_same_bits_on_every_device(monkeypatch):
    levels = torch.arange(256, dtype=torch.uint8)
    expected = levels.float().div(127.5).sub(1)
    # What a GPU makes of a division by a number.
    assert not torch.equal(levels.float().mul(1 / 127.5).sub(1), expected)
    by, divide = [], torch.Tensor.div_
    monkeypatch.setattr(torch.Tensor, "div_", lambda x, y: by.append(y) or divide(x, y))
    assert torch.equal(from_bytes(levels), expected)
    assert isinstance(by[0], torch.Tensor)


@pytest.mark.parametrize("shape", [(40, 90), (33, 32), (16, 20), (300, 31)])
@pytest.mark.parametrize(("size", "resize"), [(32, None), (32, 45), ((16, 40), None)])
def test_any_shape_comes_out_at_the_size(shape, size, resize):
    preparation = Preparation(size, resize=resize)
    for step in range(3):
        tensor = preparation(Image.fromarray(noise(*shape)), generator(0, step))
        assert tensor.shape == (3, *preparation.shape)


def test_a_picture_of_the_right_size_is_not_resampled():
    picture = Image.fromarray(noise(32, 48))
    trained = Preparation((32, 48), flip=False)(picture, generator(0, "x"))
    # At test the enlargement of training is ignored, and no generator needed.
    tested = Preparation((32, 48), resize=36).at_test()(picture)
    assert torch.equal(trained, to_tensor(picture)) and torch.equal(tested, trained)
    with pytest.raises(ValueError, match="generator"):
        Preparation(32)(picture)


def test_the_short_side_is_resized_with_antialiasing():
    stripes = np.zeros((256, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    tensor = Preparation(32).at_test()(Image.fromarray(stripes))
    assert tensor.abs().max() < 0.2  # without anti-aliasing: black or white
    reference = torch.nn.functional.interpolate(
        to_tensor(Image.fromarray(noise(64, 64)))[None], size=32, mode="bicubic", antialias=True
    )[0]
    ours = Preparation(32).at_test()(Image.fromarray(noise(64, 64)))
    assert (ours - reference.clamp(-1, 1)).abs().max() < 0.02


def test_centre_crop_is_the_centre():
    picture = np.zeros((8, 12, 3), dtype=np.uint8)
    picture[:, 2:10] = 255
    assert (Preparation(8).at_test()(Image.fromarray(picture)) == 1).all()


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2)])
def test_random_crops_reach_every_offset_and_nothing_else(axes):
    ramp = np.zeros((8, 12, 3), dtype=np.uint8)
    ramp[...] = np.arange(12, dtype=np.uint8)[None, :, None]
    ramp = np.ascontiguousarray(ramp.transpose(axes))
    preparation = Preparation(8, crop="random", flip=False)
    seen = {
        int(np.asarray(to_image(preparation(Image.fromarray(ramp), generator(0, i))))[0, 0, 0])
        for i in range(200)
    }
    assert seen == {0, 1, 2, 3, 4}


def test_half_of_the_pictures_are_flipped():
    picture = Image.fromarray(noise(8, 8))
    plain = to_tensor(picture)
    outcomes = [Preparation(8)(picture, generator(1, i)) for i in range(400)]
    flipped = sum(torch.equal(x, plain.flip(2)) for x in outcomes)
    assert flipped + sum(torch.equal(x, plain) for x in outcomes) == 400
    assert 150 < flipped < 250


def test_equal_generators_crop_alike_at_other_resolutions():
    def ramp(height: int, width: int) -> Image.Image:
        levels = (np.arange(width) + 0.5) / width * 255
        return Image.fromarray(np.tile(levels[None, :, None], (height, 1, 3)).astype(np.uint8))

    preparation = Preparation(16)
    for i in range(20):
        a = preparation(ramp(16, 32), generator(0, i))
        b = preparation(ramp(64, 128), generator(0, i))
        assert (a - b).abs().max() < 0.03  # one column further is 0.0625 away


def test_impossible_preparations_are_refused():
    for words, told in (
        ((32, 31), "at least 32"), ((4,), "too small"), ((32, None, "center"), "center"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=told):
            Preparation(*words)
