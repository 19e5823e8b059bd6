"""Translations: as a stream, and as files."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from tiny import translate, translate_words

from models.errors import UserError
from reproduce.tasks.pictures import Preparation, to_image, to_tensor
from reproduce.tasks.sources import FolderSource
from reproduce.training.checkpoints import load_method
from reproduce.training.translate import stream
from reproduce.training.translate_files import open_inputs, save_grid, write_translations

FIXED = Preparation(32)


@pytest.fixture
def inputs(tmp_path) -> Path:
    """Seven pictures, in the ways that people keep pictures."""
    folder = tmp_path / "inputs"
    for i, name in enumerate(("a.png", "a.b.png", "a.c.png", "one/a.png", "two/a.png")):
        tiny.picture(folder / name, (40 * i, 200 - 30 * i, 90), 40 + i)
    # None of one colour: instance norm would blow up the rounding errors of a flat picture.
    clear = Image.new("RGBA", (50, 40), (255, 0, 0, 100))
    clear.paste((0, 90, 200, 255), (10, 10, 30, 35))
    clear.save(folder / "clear.png")
    Image.linear_gradient("L").resize((32, 64)).save(folder / "grid.png")
    return folder


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def prepared(path: Path) -> torch.Tensor:
    """A picture as a network takes it."""
    return FIXED.at_test()(open_inputs(path).read(0))[None]


def assert_alike(one: Path, other: Path) -> None:
    """Up to a grey level of rounding."""
    assert np.abs(pixels(one) - pixels(other)).max() <= 1


@pytest.mark.parametrize("method", ["munit", "unit", "cyclegan-noise", "bicyclegan"])
def test_a_translation_depends_on_its_input_and_number_alone(method, trained, inputs):
    network, _ = load_method(trained(method))
    whole, backwards = FolderSource(inputs), FolderSource(inputs)
    backwards.ids, backwards._names = whole.ids[::-1], whole._names[::-1]

    def found(source, samples=3, **how):
        made = {(n, k): x for n, k, x in stream(network, source, FIXED, samples=samples, **how)}
        assert list(made) == [(n, k) for n in source.ids for k in range(samples)]
        return made

    reference = found(whole, batch_size=1)
    for made in (found(whole, batch_size=5), found(backwards, batch_size=4), found(whole, 2)):
        for key, picture in made.items():
            torch.testing.assert_close(picture, reference[key], rtol=0, atol=1e-5)
    renamed, other = found(FolderSource(inputs / "one")), found(whole, seed=1)
    assert all(not torch.equal(x, reference["one/a", k]) for (_, k), x in renamed.items())
    assert all(not torch.equal(x, reference[key]) for key, x in other.items())
    assert all(not torch.equal(reference[n, 0], reference[n, 1]) for n in whole.ids)
    assert all(x.shape == (3, 32, 32) and x.abs().max() <= 1 for x in reference.values())


def test_every_input_gets_its_own_files(trained, inputs, tmp_path, said):
    out = tmp_path / "out"
    told = said(translate_words(trained("munit"), inputs, out, "--samples", "2")).out
    assert "14 translations and grid.png" in told
    made = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    ids = ("a", "a.b", "a.c", "one/a", "two/a", "clear", "grid")
    names = {f"{i}_sample0{k}.png" for i in ids for k in (0, 1)}
    assert made == names | {"grid.png", "styles.npz"}
    pictures = [Image.open(out / name) for name in names]
    assert {(p.format, p.mode, p.size) for p in pictures} == {("PNG", "RGB", (32, 32))}
    assert len({p.tobytes() for p in pictures}) == 14
    assert Image.open(out / "grid.png").size == (3 * 34 + 2, 7 * 34 + 2)


def test_the_seed_decides(trained, inputs, tmp_path):
    made = []
    for name, seed in (("one", "5"), ("again", "5"), ("other", "6")):
        out = translate(trained("munit"), inputs / "a.png", tmp_path / name, "--seed", seed)
        made.append((out / "a_sample00.png").read_bytes())
    assert made[0] == made[1] != made[2]


def test_a_single_picture_and_the_other_direction(trained, inputs, tmp_path):
    for direction in ("a2b", "b2a"):
        words = ("--direction", direction)
        translate(trained("munit"), inputs / "a.b.png", tmp_path / direction, *words)
        names = sorted(p.name for p in (tmp_path / direction).iterdir())
        assert names == ["a.b_sample00.png", "grid.png", "styles.npz"]
    one, two = (tmp_path / d / "a.b_sample00.png" for d in ("a2b", "b2a"))
    assert not np.array_equal(pixels(one), pixels(two))


@pytest.mark.parametrize("method", ["munit", "bicyclegan"])
def test_an_example_gives_the_style(method, trained, inputs, tmp_path):
    examples = tmp_path / "examples"
    for i in range(3):
        tiny.picture(examples / f"{i}.png", (80 * i, 90, 200 - 50 * i))
    out, single = tmp_path / "out", tmp_path / "single"
    translate(trained(method), inputs, out, "--example", examples)
    assert len(list(out.rglob("*_example*.png"))) == 21
    assert Image.open(out / "grid.png").size == (4 * 34 + 2, 7 * 34 + 2)
    translate(trained(method), inputs, single, "--example", examples / "1.png")
    assert_alike(single / "a_example00.png", out / "a_example01.png")
    network, _ = load_method(trained(method))
    x, style = (prepared(p) for p in (inputs / "a.png", examples / "1.png"))
    with torch.no_grad():
        expected = network.translate_guided(x, "a2b", style)[0]
    shown = np.asarray(to_image(expected)).astype(int)
    assert np.abs(shown - pixels(single / "a_example00.png")).max() <= 1


def test_a_domain_of_grey_is_read_and_written_in_one_channel(inputs, data, tmp_path):
    checkpoint, out = tiny.train("munit", tmp_path / "run", data, channels_a=1), tmp_path / "out"
    network, read = load_method(checkpoint)
    assert network.config.channels_a == 1
    translate(checkpoint, inputs, out, "--samples", "2")
    translate(checkpoint, inputs, out, "--example", inputs / "a.png")
    colours = pixels(out / "a_sample00.png")
    assert colours.shape == (read.run.size, read.run.size, 3) and np.ptp(colours, axis=2).any()
    translate(checkpoint, inputs, out / "back", "--direction", "b2a")
    grey = pixels(out / "back" / "a_sample00.png")
    assert grey.shape == colours.shape and not np.ptp(grey, axis=2).any()


def test_a_grid_stays_small(tmp_path):
    for i in range(20):
        tiny.picture(tmp_path / "in" / f"{i}.png")
    source = open_inputs(tmp_path / "in")
    written = [tmp_path / "in" / "0.png"] * (20 * 50)
    save_grid(source, FIXED, written, 50, tmp_path / "grid.png")
    assert Image.open(tmp_path / "grid.png").size == (21 * 34 + 2, 16 * 34 + 2)


def test_styles_are_written_beside_the_pictures(trained, inputs, tmp_path):
    out = tmp_path / "out"
    translate(trained("munit"), inputs, out, "--samples", "2")
    network, _ = load_method(trained("munit"))
    with np.load(out / "styles.npz") as told:
        ids, codes = list(told["input_ids"]), torch.from_numpy(told["style"])
    assert codes.shape == (7, 2, network.config.style_dim)
    x = prepared(inputs / "one" / "a.png")
    with torch.no_grad():
        again = network.translate(x, "a2b", {"style": codes[ids.index("one/a"), 1:]})[0]
    shown = to_tensor(Image.open(out / "one" / "a_sample01.png"))
    torch.testing.assert_close(shown, again, rtol=0, atol=1.01 / 255)


def test_the_same_styles_for_every_input_are_kept_and_taken_again(trained, inputs, tmp_path):
    file = tmp_path / "three.npz"
    words = "--styles", file, "--samples", "3", "--seed", "4"
    translate(trained("munit"), inputs, tmp_path / "one", *words)
    # From the file, whatever seed and number are asked for; of every input the same.
    translate(trained("munit"), inputs, tmp_path / "two", "--styles", file)
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / name).glob("*_sample*.png")}
        for name in ("one", "two")
    )
    assert one == two
    renamed = shutil.copy(inputs / "a.png", tmp_path / "renamed.png")
    translate(trained("munit"), renamed, tmp_path / "three", "--styles", file)
    assert_alike(tmp_path / "one/a_sample02.png", tmp_path / "three/renamed_sample02.png")


def test_a_walk_between_styles_is_frames_and_a_gif(trained, inputs, tmp_path):
    ends, out, styles = tmp_path / "ends", tmp_path / "walk", ("--styles", tmp_path / "styles.npz")
    translate(trained("munit"), inputs, ends, *styles, "--samples", "3")
    translate(trained("munit"), inputs, out, *styles, "--interpolate", 0, 2, 5)
    for frame, sample in (("00", "00"), ("04", "02")):
        for name in ("a", "one/a"):
            assert_alike(out / f"{name}_frame{frame}.png", ends / f"{name}_sample{sample}.png")
    with Image.open(out / "one" / "a.gif") as gif:
        assert gif.n_frames == 5 + 3 and gif.size == (32, 32)
    assert len(list(out.rglob("*_frame*.png"))) == 35 and len(list(out.rglob("*.gif"))) == 7


def test_files_of_styles_that_do_not_fit_are_refused(trained, inputs, tmp_path, refused):
    file = tmp_path / "styles.npz"
    for content, words in (
        ({"style": np.zeros((2, 3, 8), np.float32)}, "style has shape (2, 3, 8)"),
        ({"style": np.zeros((2, 8))}, "style has shape (2, 8)"),
        ({"other": np.zeros((2, 8), np.float32)}, "holds no styles of this method"),
        (b"text", "holds no styles of this method"),
        (b"PK\3\4" + bytes(100), "holds no styles of this method"),
        ({"style": np.zeros((0, 8), np.float32)}, "holds no styles of this method"),
        ({"style": np.full((2, 8), np.nan, np.float32)}, "style has non-finite values"),
        ({"style": np.zeros((2, 8), ">f4")}, "holds no styles of this method"),
        ({"style": np.zeros((2, 8), np.float32)}, "--interpolate 5: choose from styles 0 to 1"),
    ):
        file.write_bytes(content) if isinstance(content, bytes) else np.savez(file, **content)
        more = "--styles", file, "--interpolate", "0", "5", "3"
        assert words in refused(translate_words(trained("munit"), inputs, tmp_path / "out", *more))
        assert not (tmp_path / "out").exists()
    more = "--styles", file, "--samples", 8
    error = refused(translate_words(trained("munit"), inputs, tmp_path / "out", *more))
    assert "styles.npz has 2 styles: leave --samples out" in error


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("munit", ("--example", "nowhere.png"), "nowhere.png does not exist"),
        ("munit", ("--samples", "10001"), "is too large, use at most 10000"),
        ("munit", ("--interpolate", 0, 5_000_000_000, 3), "is too large, use at most 10000"),
        ("munit", ("--interpolate", "0", "1", "1"), "1 steps are too few"),
        ("munit", ("--styles", "a.json"), "a.json: styles are stored as .npz"),
        ("munit", ("--styles", "s.npz", "--example", "INPUTS"), "--styles and --example"),
        ("unit", ("--interpolate", "0", "1", "3"), "Unit has no styles"),
        ("unit", ("--example", "INPUTS"), "has no style encoder"),
        ("bicyclegan", ("--direction", "b2a"), "bicyclegan translates a2b only"),
    ],
)
def test_bad_words_are_refused(method, more, words, trained, inputs, tmp_path, refused):
    more = [inputs if word == "INPUTS" else word for word in more]
    error = refused(translate_words(trained(method), inputs, tmp_path / "out", *more))
    assert words.lower() in error.lower()
    assert not (tmp_path / "out").exists()


def test_bad_inputs_and_places_are_refused(trained, inputs, tmp_path, refused):
    checkpoint, out = trained("munit"), tmp_path / "out"
    (tmp_path / "empty").mkdir()
    text = tmp_path / "text.png"
    text.write_text("no picture")
    tiny.picture(tmp_path / "odd" / os.fsdecode(b"\xff.png"))
    for given, words in (
        (tmp_path / "odd", "udcff.png' is no name in UTF-8"),
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "empty", "holds no pictures"),
        (text, "is not a picture that can be read"),
    ):
        assert words in refused(translate_words(checkpoint, given, out))
        assert not out.exists()
    for given in (inputs.parent, tmp_path / "nowhere.safetensors", text):
        assert str(given) in refused(translate_words(given, inputs, out))
    before = sorted(inputs.rglob("*"))
    for place, words in (
        (text / "below", "is a file"),
        (Path("/proc/nothing"), "is not writable"),
        (inputs / "out", "is inside the inputs' folder"),
    ):
        assert words in refused(translate_words(checkpoint, inputs, place))
    assert sorted(inputs.rglob("*")) == before


def test_a_diverged_checkpoint_is_named(tmp_path):
    broken = iter([("x", 0, torch.full((3, 8, 8), float("nan")))])
    with pytest.raises(UserError, match="translation of x is not finite"):
        write_translations(broken, tmp_path / "out", 1, suffix="sample", progress=False)
    assert not (tmp_path / "out").exists()


def test_names_cannot_leave_the_folder(trained, inputs, tmp_path):
    outside = tiny.picture(tmp_path / "outside" / "b.png")
    (inputs / "link").symlink_to(outside.parent)
    (inputs / "..hidden.png").write_bytes(outside.read_bytes())
    out = tmp_path / "deep" / "out"
    translate(trained("munit"), inputs, out)
    written = list(tmp_path.rglob("*_sample00.png"))
    assert len(written) == 8 and all(p.resolve().is_relative_to(out.resolve()) for p in written)
    assert (out / "link" / "b_sample00.png").exists()
