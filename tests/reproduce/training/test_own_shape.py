"""Translations at a picture's own shape, at other sizes and in other formats."""

import io
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import translate, translate_words

from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import FolderSource
from reproduce.training.checkpoints import load_method
from reproduce.training.translate import noise_of, stream
from reproduce.training.translate_files import as_they_are, legal_length, reflected

SHAPES = {"even": (32, 48), "odd": (37, 50), "long": (21, 90), "small": (8, 9)}  # height, width


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "inputs"
    folder.mkdir()
    for seed, (name, (height, width)) in enumerate(SHAPES.items()):
        draws = np.random.default_rng(seed)
        small = Image.fromarray(draws.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("method", ["munit", "bicyclegan"])
def test_translations_have_their_inputs_shapes(method, trained, inputs, tmp_path):
    translate(trained(method), inputs, tmp_path / "out", "--size", "keep")
    for name, (height, width) in SHAPES.items():
        made = Image.open(tmp_path / "out" / f"{name}_sample00.png")
        assert (made.height, made.width) == (height, width)


def test_an_illegal_shape_is_that_of_its_reflection_cropped(trained, inputs):
    network, _ = load_method(trained("munit"))
    source = FolderSource(inputs)
    own = {
        name: picture
        for name, _, picture in as_they_are(network, source, partial(stream, network, samples=1))
    }
    whole = stream(network, source, Preparation((32, 48)), samples=1)
    torch.testing.assert_close(own["even"], next(p for n, _, p in whole if n == "even"))
    assert [legal_length(network, n) for n in (37, 50)] == [40, 52]
    padded, _ = reflected(source.read(source.ids.index("odd")), 40, 52)
    x = Preparation((40, 52)).at_test()(padded)[None]
    noise = noise_of(network, (40, 52), 0, "a2b", "odd", 0)
    with torch.no_grad():
        expected = network.translate(x, "a2b", noise)[0, :, 1:38, 1:51]
    torch.testing.assert_close(own["odd"], expected)


def test_a_picture_is_reflected_on_both_sides():
    row = np.arange(4, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    padded, place = reflected(Image.fromarray(row), 1, 9)
    assert place == (0, 2) and np.asarray(padded)[0, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1, 0]


def test_examples_and_walks_keep_shapes_too(trained, inputs, tmp_path):
    keep, checkpoint = ("--size", "keep"), trained("munit")
    translate(checkpoint, inputs, tmp_path / "a", *keep, f"--example={inputs}/odd.png")
    assert Image.open(tmp_path / "a/long_example00.png").size == (90, 21)
    translate(checkpoint, inputs, tmp_path / "b", *keep, "--interpolate", "0", "1", "3")
    assert Image.open(tmp_path / "b/long_frame02.png").size == (90, 21)
    assert Image.open(tmp_path / "b/long.gif").size == (90, 21)


@pytest.mark.parametrize(("size", "shape"), [("48", (48, 48)), ("32x64", (64, 32))])
def test_a_size_is_scaled_to(size, shape, trained, inputs, tmp_path):
    translate(trained("munit"), inputs, tmp_path / "out", "--size", size)
    assert Image.open(tmp_path / "out/odd_sample00.png").size == shape


@pytest.mark.parametrize(("form", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_other_formats_on_request(form, suffix, trained, inputs, tmp_path, said):
    given, out = inputs / "odd.png", tmp_path / "out"
    words = translate_words(trained("munit"), given, out, "--format", form, "--samples", "2")
    assert "compression changes LPIPS" in said(words).err
    pictures = {f"odd_sample0{k}{suffix}" for k in range(2)}
    assert {path.name for path in out.iterdir()} == pictures | {"grid.png", "styles.npz"}
    translate(trained("munit"), given, tmp_path / "png", "--samples", "2")
    again = io.BytesIO()
    Image.open(tmp_path / "png/odd_sample01.png").save(again, format=form.upper(), quality=95)
    assert (out / f"odd_sample01{suffix}").read_bytes() == again.getvalue()
