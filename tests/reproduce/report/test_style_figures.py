"""The arc between two styles, and the figures of a tiny run."""

import math
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from models.method import Direction
from models.randomness import generator
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig
from reproduce.report.figures import DPI, HEAD, plt, save, show
from reproduce.report.style_figures import CELL, guided, interpolation
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Subset
from reproduce.training.checkpoints import describe, load_method, read_checkpoint, write_atomic
from reproduce.training.styles import slerp
from reproduce.training.trained import checkpoint_of
from reproduce.training.translate_files import guided as guided_by


def test_the_arc_has_its_ends_and_keeps_its_length() -> None:
    first, second = torch.randn(2, 5, 8, generator=generator(0, "test"))
    first, second = (3 * v / v.norm(dim=1, keepdim=True) for v in (first, second))
    torch.testing.assert_close(slerp(first, second, 0.0), first)
    torch.testing.assert_close(slerp(first, second, 1.0), second)
    for share in (0.25, 0.5, 0.9):
        norms = slerp(first, second, share).norm(dim=1)
        torch.testing.assert_close(norms, torch.full((5,), 3.0))


def test_the_arc_is_walked_at_one_speed() -> None:
    right = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 1 / 3)
    torch.testing.assert_close(right, 2 * torch.tensor([math.cos(math.pi / 6), 0.5]))


@pytest.mark.parametrize("sign", [1.0, -1.0, 0.0])
def test_parallel_styles_and_no_style_are_joined_by_a_line(sign: float) -> None:
    one = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(slerp(one, sign * one, 0.25), one * (0.75 + 0.25 * sign))


NEAR = 0.065  # pictures are sampled anew; here those of other styles differ by 0.08 and more


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Places]:
    """A run where the preset's would be, in whose pictures a style shows."""
    places = tiny.places_of(tmp_path_factory.mktemp("styles"))
    small = dict(dim=4, mlp_dim=8, n_res=1, dis_dim=4, dis_layers=3, dis_scales=1, n_downsample=1)
    settings = small | dict(steps=2, batch=2, train=12, test=24)
    run = load_preset("quick").make_run("munit", "drawn-housecats-dogs", 0, settings)
    last = tiny.train_in_place(load_preset("quick"), run, places)
    made = read_checkpoint(last)
    draws = generator(0, "scattered")
    # Far from its first weights, by which a style hardly changes a picture.
    scattered = {
        k: t + (3 if "mlp" in k else 0.3) * torch.randn(t.shape, generator=draws)
        for k, t in made.tensors.items() if k.startswith("model.")
    }  # fmt: skip
    write_atomic(last, made.tensors | scattered, describe(run, made.step, made.data))
    return run, places


def cell(path: Path, row: int, column: int, columns: int) -> np.ndarray:
    """The means of the four quarters of the middle of a cell's picture, in [-1, 1]."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float32) / 127.5 - 1
    side = pixels.shape[1] / columns
    assert side == pytest.approx(CELL * DPI, abs=1)
    y, x = round(HEAD * DPI + (row + 0.5) * CELL * DPI), round((column + 0.5) * side)
    return quarters(pixels[y - 21 : y + 21, x - 21 : x + 21])


def quarters(pixels: np.ndarray) -> np.ndarray:
    """(2, 2, 3): the means of the quarters of (H, W, 3)."""
    half = len(pixels) // 2
    return pixels.reshape(2, half, 2, half, 3).mean(axis=(1, 3))


def middle(picture: torch.Tensor) -> np.ndarray:
    """The same of a picture (3, 32, 32); 42 pixels of the figure are about 16 of its own."""
    return quarters(picture[:, 8:24, 8:24].permute(1, 2, 0).numpy())


def test_each_example_guides_its_column(placed: tuple[RunConfig, Places], tmp_path: Path) -> None:
    run, places = placed
    path = guided(load_preset("quick"), run, places, tmp_path / "g.png", inputs=2, examples=3)
    network, _ = load_method(checkpoint_of(load_preset("quick"), run, places))
    domains, fixed = open_run_task(run, places), Preparation(run.size).at_test()
    # Five places of the 24 test pictures: the first and third are inputs, the others examples.
    spread = [0, 4, 9, 14, 19]
    inputs = Subset(domains.test_a, [spread[0], spread[2]])
    examples = [fixed(domains.test_b.read(spread[k])) for k in (1, 3, 4)]
    direction: Direction = "a2b"
    expected = list(guided_by(network, inputs, fixed, examples, direction))
    shown = {(1, 0): fixed(inputs.read(0))}
    for k in range(3):
        shown[0, k + 1] = examples[k]
        shown |= {(i + 1, k + 1): expected[3 * i + k][2] for i in range(2)}
    for place, picture in shown.items():
        np.testing.assert_allclose(cell(path, *place, 4), middle(picture), atol=NEAR)
    assert cell(path, 0, 0, 4).min() == 1, "nothing stands above the inputs"


def test_a_walk_is_between_its_draws_and_the_same_bytes_again(placed, tmp_path):
    run, places = placed
    path, again = (
        interpolation(load_preset("quick"), run, places, tmp_path / f"{i}.png", inputs=2)
        for i in (1, 2)
    )
    assert path.read_bytes() == again.read_bytes()
    network, _ = load_method(checkpoint_of(load_preset("quick"), run, places))
    source, fixed = open_run_task(run, places).test_a, Preparation(run.size).at_test()
    apart = cell(path, 0, 1, 10) - cell(path, 0, 9, 10)
    assert np.abs(apart).max() > 0.4
    for end, column in ((0, 1), (1, 9)):
        noise = network.draw_noise(1, 32, 32, generator(0, "walk", "a2b", end))
        for row, place in enumerate((0, 12)):
            with torch.no_grad():
                x = fixed(source.read(place))[None]
                picture = network.translate(x, "a2b", noise)[0]
            np.testing.assert_allclose(cell(path, row, column, 10), middle(picture), atol=0.2)


@pytest.mark.parametrize("pictures", [False, True])
def test_charts_have_few_colours_and_pictures_all_of_theirs(tmp_path: Path, pictures: bool) -> None:
    figure, axis = plt.subplots()
    if pictures:
        show(axis, torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)))
    axis.plot([0, 1])
    with Image.open(save(figure, tmp_path / "x.png")) as made:
        assert (made.mode == "P") != pictures
        assert pictures == (made.convert("RGB").getcolors(256) is None)
