"""Translations: as a stream, and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from models.errors import UserError
from reproduce.commands.cli import main
from reproduce.tasks.pictures import Preparation, to_tensor
from reproduce.tasks.sources import FolderSource
from reproduce.training.checkpoints import load_method
from reproduce.training.translate import (
    keeping_first,
    open_inputs,
    save_grid,
    stream,
    write_translations,
)

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


def translate(checkpoint, inputs, out, *more) -> int:
    return main(
        [
            "translate",
            str(checkpoint),
            str(inputs),
            "--out",
            str(out),
            "--no-progress",
            *map(str, more),
        ]
    )


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


# The stream


@pytest.mark.parametrize("method", ["munit", "unit", "cyclegan", "cyclegan-noise", "bicyclegan"])
def test_a_translation_depends_on_its_input_and_number_alone(method, trained, inputs):
    network, _ = load_method(trained(method))
    whole = FolderSource(inputs)

    def found(source, **kwargs):
        return {(n, k): x for n, k, x in stream(network, source, FIXED, samples=3, **kwargs)}

    reference = found(whole, batch_size=1)
    assert len(reference) == 21
    for size in (2, 5, 64):
        for key, picture in found(whole, batch_size=size).items():
            torch.testing.assert_close(picture, reference[key], rtol=0, atol=1e-5)
    for key, picture in found(FolderSource(inputs / "one"), batch_size=4).items():
        assert key[0] == "a"  # another id: other noise
        assert not torch.equal(picture, reference["one/a", key[1]])
    order = [n for n, _, _ in stream(network, whole, FIXED, samples=1, batch_size=3)]
    assert order == whole.ids
    reversed_source = FolderSource(inputs)
    reversed_source.ids = whole.ids[::-1]
    reversed_source._names = whole._names[::-1]
    for key, picture in found(reversed_source, batch_size=4).items():
        torch.testing.assert_close(picture, reference[key], rtol=0, atol=1e-5)
    other = found(whole, seed=1)
    assert all(not torch.equal(other[k], reference[k]) for k in reference)
    assert all(not torch.equal(reference[n, 0], reference[n, 1]) for n in whole.ids)
    assert all(x.shape == (3, 32, 32) and x.abs().max() <= 1 for x in reference.values())


def test_more_samples_change_no_earlier_one(trained, inputs):
    network, _ = load_method(trained("munit"))
    few = list(stream(network, FolderSource(inputs), FIXED, samples=2, inputs=3))
    many = {
        (n, k): x for n, k, x in stream(network, FolderSource(inputs), FIXED, samples=4, inputs=3)
    }
    assert len(few) == 6 and len(many) == 12
    for name, k, picture in few:
        torch.testing.assert_close(picture, many[name, k], rtol=0, atol=1e-5)


def test_the_first_translations_are_kept_without_their_batches(trained, inputs):
    network, _ = load_method(trained("unit"))
    kept: dict[str, torch.Tensor] = {}
    source = FolderSource(inputs)
    whole = list(keeping_first(stream(network, source, FIXED, samples=3), kept))
    assert [(n, k) for n, k, _ in whole] == [(n, k) for n in source.ids for k in range(3)]
    for i, name in enumerate(source.ids):
        assert torch.equal(kept[name], whole[3 * i][2])
        assert kept[name].untyped_storage().nbytes() == 3 * 32 * 32 * 4


def test_more_inputs_than_there_are_is_refused(trained, inputs):
    network, _ = load_method(trained("munit"))
    with pytest.raises(UserError, match="8 test inputs are asked for, 7 exist: ask for fewer"):
        list(stream(network, FolderSource(inputs), FIXED, samples=1, inputs=8))


# The command


def test_every_input_gets_its_own_files(trained, inputs, tmp_path, capsys):
    out = tmp_path / "out"
    assert translate(trained("munit"), inputs, out, "--samples", "2") == 0
    assert "14 translations and grid.png" in capsys.readouterr().out
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    ids = ("a", "a.b", "a.c", "one/a", "two/a", "clear", "grid")
    assert names == {f"{i}_sample0{k}.png" for i in ids for k in (0, 1)} | {
        "grid.png",
        "styles.npz",
    }
    pictures = [Image.open(out / name) for name in names - {"grid.png", "styles.npz"}]
    assert {(p.format, p.mode, p.size) for p in pictures} == {("PNG", "RGB", (32, 32))}
    assert len({p.tobytes() for p in pictures}) == 14
    assert Image.open(out / "grid.png").size == (3 * 34 + 2, 7 * 34 + 2)


def test_the_seed_decides(trained, inputs, tmp_path):
    for name, seed in (("one", "5"), ("again", "5"), ("other", "6")):
        assert translate(trained("munit"), inputs, tmp_path / name, "--seed", seed) == 0
    files = sorted((tmp_path / "one").rglob("*_sample00.png"))
    assert len(files) == 7
    for file in files:
        relative = file.relative_to(tmp_path / "one")
        assert file.read_bytes() == (tmp_path / "again" / relative).read_bytes()
        assert file.read_bytes() != (tmp_path / "other" / relative).read_bytes()


def test_a_single_picture_and_the_other_direction(trained, inputs, tmp_path):
    for direction in ("a2b", "b2a"):
        words = ("--direction", direction)
        assert translate(trained("munit"), inputs / "a.b.png", tmp_path / direction, *words) == 0
        names = sorted(p.name for p in (tmp_path / direction).iterdir())
        assert names == ["a.b_sample00.png", "grid.png", "styles.npz"]
    one, two = (pixels(tmp_path / d / "a.b_sample00.png") for d in ("a2b", "b2a"))
    assert not np.array_equal(one, two)
    # The same picture, alone or in its folder.
    assert translate(trained("munit"), inputs, tmp_path / "all", "--direction", "a2b") == 0
    gap = pixels(tmp_path / "all" / "a.b_sample00.png").astype(int) - one
    assert np.abs(gap).max() <= 1


@pytest.mark.parametrize("method", ["munit", "bicyclegan"])
def test_an_example_gives_the_style(method, trained, inputs, data, tmp_path):
    examples = sorted((data / "drawn-shoes-32px-seed0-20x8" / "testB").iterdir())[:3]
    chosen = tmp_path / "examples"
    chosen.mkdir()
    for path in examples:
        (chosen / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    assert translate(trained(method), inputs, out, "--example", str(chosen)) == 0
    assert len(list(out.rglob("*_example*.png"))) == 21
    assert Image.open(out / "grid.png").size == (4 * 34 + 2, 7 * 34 + 2)
    single = tmp_path / "single"
    assert translate(trained(method), inputs, single, "--example", str(examples[1])) == 0
    one, two = pixels(single / "a_example00.png"), pixels(out / "a_example01.png")
    assert np.abs(one.astype(int) - two).max() <= 1
    network, _ = load_method(trained(method))
    x, style = (
        FIXED.at_test()(open_inputs(p).read(0))[None] for p in (inputs / "a.png", examples[1])
    )
    with torch.no_grad():
        expected = network.translate_guided(x, "a2b", style)[0]
    shown = (expected.add(1).mul(127.5)).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(shown - one).max() <= 1


@pytest.mark.parametrize("method", ["unit", "cyclegan", "cyclegan-noise"])
def test_a_method_without_styles_refuses_an_example(method, trained, inputs, tmp_path, capsys):
    out = tmp_path / "out"
    assert translate(trained(method), inputs, out, "--example", str(inputs / "a.png")) == 2
    assert "has no style encoder" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("method", ["munit", "bicyclegan"])
def test_a_domain_of_grey_is_read_and_written_in_one_channel(method, inputs, data, tmp_path):
    words = tiny.train_words(method, tmp_path / "run", data, channels_a=1)
    assert main(words) == 0
    checkpoint, out = tmp_path / "run" / "last.safetensors", tmp_path / "out"
    network, read = load_method(checkpoint)
    assert network.config.channels_a == 1
    assert translate(checkpoint, inputs, out, "--samples", "2") == 0
    assert translate(checkpoint, inputs, out, "--example", str(inputs / "a.png")) == 0
    colours = pixels(out / "a_sample00.png")
    assert colours.shape == (read.run.size, read.run.size, 3) and np.ptp(colours, axis=2).any()
    if "b2a" in network.directions:
        assert translate(checkpoint, inputs, out / "back", "--direction", "b2a") == 0
        grey = pixels(out / "back" / "a_sample00.png")
        assert grey.shape == colours.shape and not np.ptp(grey, axis=2).any()


def test_a_grid_stays_small(tmp_path):
    for i in range(20):
        tiny.picture(tmp_path / "in" / f"{i}.png")
    source = open_inputs(tmp_path / "in")
    written = [tmp_path / "in" / "0.png"] * (20 * 50)
    save_grid(source, FIXED, written, 50, tmp_path / "grid.png")
    assert Image.open(tmp_path / "grid.png").size == (21 * 34 + 2, 16 * 34 + 2)


# Styles as numbers


def test_styles_are_written_beside_the_pictures(trained, inputs, tmp_path):
    out = tmp_path / "out"
    assert translate(trained("munit"), inputs, out, "--samples", "2") == 0
    network, _ = load_method(trained("munit"))
    with np.load(out / "styles.npz") as told:
        ids, codes = list(told["input_ids"]), torch.from_numpy(told["style"])
    assert codes.shape == (7, 2, network.config.style_dim)
    x = FIXED.at_test()(open_inputs(inputs).read(ids.index("one/a")))[None]
    with torch.no_grad():
        again = network.translate(x, "a2b", {"style": codes[ids.index("one/a"), 1:]})[0]
    shown = pixels(out / "one" / "a_sample01.png")
    torch.testing.assert_close(to_tensor(Image.fromarray(shown)), again, rtol=0, atol=1.01 / 255)


def test_the_same_styles_for_every_input_are_kept_and_taken_again(trained, inputs, tmp_path):
    file = tmp_path / "three.npz"
    words = "--styles", str(file), "--samples", "3", "--seed", "4"
    assert translate(trained("munit"), inputs, tmp_path / "one", *words) == 0
    with np.load(file) as told:
        assert told["style"].shape[0] == 3
    # From the file, whatever seed and number are asked for; of every input the same.
    assert translate(trained("munit"), inputs, tmp_path / "two", "--styles", str(file)) == 0
    names = sorted(p.name for p in (tmp_path / "one").glob("*_sample*.png"))
    assert names == sorted(p.name for p in (tmp_path / "two").glob("*_sample*.png"))
    for name in names:
        one, two = (pixels(tmp_path / folder / name) for folder in ("one", "two"))
        assert np.array_equal(one, two)
    copied = tmp_path / "copied"
    copied.mkdir()
    (copied / "renamed.png").write_bytes((inputs / "a.png").read_bytes())
    assert translate(trained("munit"), copied, tmp_path / "three", "--styles", str(file)) == 0
    one, three = (tmp_path / "one" / "a_sample02.png", tmp_path / "three" / "renamed_sample02.png")
    assert np.abs(pixels(one).astype(int) - pixels(three)).max() <= 1


@pytest.mark.parametrize("method", ["munit", "bicyclegan"])
def test_a_walk_between_styles_is_frames_and_a_gif(method, trained, inputs, tmp_path):
    file, out = tmp_path / "styles.npz", tmp_path / "walk"
    words = "--styles", str(file), "--samples", "3"
    assert translate(trained(method), inputs, tmp_path / "ends", *words) == 0
    assert (
        translate(
            trained(method), inputs, out, "--styles", str(file), "--interpolate", "0", "2", "5"
        )
        == 0
    )
    for frame, sample in (("00", "00"), ("04", "02")):
        for name in ("a", "one/a"):
            end = pixels(out / f"{name}_frame{frame}.png").astype(int)
            if method == "munit":  # dropout stays the first's along the walk
                assert (
                    np.abs(end - pixels(tmp_path / "ends" / f"{name}_sample{sample}.png")).max()
                    <= 1
                )
    with Image.open(out / "one" / "a.gif") as gif:
        assert gif.n_frames == 5 + 3 and gif.size == (32, 32)
    assert len(list(out.rglob("*_frame*.png"))) == 35 and len(list(out.rglob("*.gif"))) == 7


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("munit", ("--interpolate", "0", "1", "1"), "1 steps are no walk"),
        ("munit", ("--styles", "a.json"), "a.json: styles are stored as .npz"),
        ("unit", ("--interpolate", "0", "1", "3"), "Unit has no styles"),
        ("cyclegan", ("--interpolate", "0", "1", "3"), "CycleGAN has no styles"),
        ("munit", ("--styles", "s.npz", "--example", "INPUTS"), "--styles and --example"),
    ],
)
def test_styles_that_are_none_are_refused(method, more, words, trained, inputs, tmp_path, capsys):
    more = [str(inputs) if word == "INPUTS" else word for word in more]
    assert translate(trained(method), inputs, tmp_path / "out", *more) == 2
    error = capsys.readouterr().err
    assert words.lower() in error.lower() and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_files_of_styles_that_do_not_fit_are_refused(trained, inputs, tmp_path, capsys):
    file = tmp_path / "styles.npz"
    for content, words in (
        ({"style": np.zeros((2, 3, 8), np.float32)}, "style has shape (2, 3, 8)"),
        ({"style": np.zeros((2, 8))}, "style has shape (2, 8)"),
        ({"other": np.zeros((2, 8), np.float32)}, "holds no styles of this method"),
        (b"text", "holds no styles of this method"),
        (b"PK\3\4" + bytes(100), "holds no styles of this method"),
        ({"style": np.zeros((0, 8), np.float32)}, "holds no styles of this method"),
        ({"style": np.full((2, 8), np.nan, np.float32)}, "style has values that are not finite"),
        ({"style": np.zeros((2, 8), ">f4")}, "holds no styles of this method"),
        ({"style": np.zeros((2, 8), np.float32)}, "--interpolate 5: there are styles 0 to 1"),
    ):
        file.write_bytes(content) if isinstance(content, bytes) else np.savez(file, **content)
        words_of = "--styles", str(file), "--interpolate", "0", "5", "3"
        assert translate(trained("munit"), inputs, tmp_path / "out", *words_of) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
        assert not (tmp_path / "out").exists()
    assert (
        translate(trained("munit"), inputs, tmp_path / "out", "--styles", file, "--samples", 8) == 2
    )
    assert "styles.npz has 2 styles: leave out --samples" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--interpolate", 0, 5_000_000_000, 3), ("--samples", 10_001)])
def test_more_styles_than_memory_holds_are_refused(words, inputs, tmp_path, capsys):
    with pytest.raises(SystemExit):
        translate(tmp_path / "none.safetensors", inputs, tmp_path / "out", *words)
    assert "is too large, use at most 10000" in capsys.readouterr().err


# What cannot be translated


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--direction", "c2d"), "unknown direction 'c2d': use a2b or b2a"),
        (("--device", "tpu9"), "unknown device 'tpu9'"),
        (("--device", "meta"), "'meta' is not supported"),
        (("--example", "nowhere.png"), "nowhere.png does not exist"),
    ],
)
def test_bad_words_are_refused(more, words, trained, inputs, tmp_path, capsys):
    assert translate(trained("munit"), inputs, tmp_path / "out", *more) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "more", [("--samples", "0"), ("--samples", "x"), ("--samples", "2", "--example", "a.png")]
)
def test_bad_arguments_are_refused(more, trained, inputs, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        translate(trained("munit"), inputs, tmp_path / "out", *more)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_bad_inputs_are_refused(trained, inputs, tmp_path, capsys):
    checkpoint, out = trained("munit"), tmp_path / "out"
    (tmp_path / "empty").mkdir()
    text = tmp_path / "text.png"
    text.write_text("no picture")
    for given, words in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "empty", "holds no pictures"),
        (text, "is not a picture that can be read"),
    ):
        assert translate(checkpoint, given, out) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
        assert not out.exists()
    for given in (inputs.parent, tmp_path / "nowhere.safetensors", text):
        assert translate(given, inputs, out) == 2
        assert str(given) in capsys.readouterr().err


def test_bad_places_for_the_output_are_refused(trained, inputs, tmp_path, capsys):
    (tmp_path / "file").touch()
    for out, words in (
        (tmp_path / "file", "cannot write"),
        (tmp_path / "file" / "below", "cannot write"),
        (Path("/proc/nothing"), "cannot write"),
        (inputs, "lies in the inputs' folder"),
        (inputs / "out", "lies in the inputs' folder"),
    ):
        before = sorted(inputs.rglob("*"))
        assert translate(trained("munit"), inputs, out) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
        assert sorted(inputs.rglob("*")) == before


def test_one_direction_methods_say_so(trained, inputs, tmp_path, capsys):
    words = ("--direction", "b2a")
    assert translate(trained("bicyclegan"), inputs, tmp_path / "out", *words) == 2
    assert "bicyclegan translates a2b only" in capsys.readouterr().err


def test_a_diverged_checkpoint_is_named(tmp_path):
    broken = iter([("x", 0, torch.full((3, 8, 8), float("nan")))])
    with pytest.raises(UserError, match="translation of x is not finite"):
        write_translations(broken, tmp_path / "out", 1, suffix="sample", progress=False)
    assert not (tmp_path / "out").exists()


def test_names_cannot_leave_the_folder(trained, inputs, tmp_path):
    """Ids are paths below the inputs' folder, whatever links are in it."""
    outside = tiny.picture(tmp_path / "outside" / "b.png")
    (inputs / "link").symlink_to(outside.parent)
    (inputs / "..hidden.png").write_bytes(outside.read_bytes())
    out = tmp_path / "deep" / "out"
    assert translate(trained("munit"), inputs, out) == 0
    written = [p for p in tmp_path.rglob("*_sample00.png")]
    assert len(written) == 8 and all(p.resolve().is_relative_to(out.resolve()) for p in written)
    assert (out / "link" / "b_sample00.png").exists()
