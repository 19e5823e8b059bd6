"""Learning curves from real event files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_world import log

from models.errors import UserError
from reproduce.report.curves import (
    Curve,
    curve_figure,
    curve_path,
    in_order,
    last_values,
    load_curve,
    read_curve,
    stored_curves,
    thinned,
    write_curve,
)


def test_seconds_leave_pauses_out_and_terms_are_means_over_domains(tmp_path: Path) -> None:
    # A second a step, but for an hour between the steps 30 and 40.
    times = [0, 10, 20, 3620, 3630, 3640]
    log(tmp_path, [10, 20, 30, 40, 50, 60], times, gan_a=[1.0] * 6, gan_b=[3.0] * 6,
        gan2_a=[5.0] * 6, total_G=[9.0] * 6, recon_x_a=[6, 5, 4, 3, 2, 1])  # fmt: skip
    curve = read_curve(tmp_path)
    assert curve is not None
    assert curve.steps.tolist() == [10, 20, 30, 40, 50, 60]
    np.testing.assert_allclose(curve.seconds, curve.steps)
    assert {k: v.tolist() for k, v in curve.terms.items()} == {
        "gan": [3] * 6, "recon_x": [6, 5, 4, 3, 2, 1],
    }  # fmt: skip


def test_files_that_are_read_in_another_order_are_one_curve(tmp_path: Path) -> None:
    log(tmp_path, [10, 20, 30, 40], [0, 10, 20, 30], gan_a=[1, 2, 3, 9])
    (first,) = tmp_path.iterdir()
    log(tmp_path, [40, 50], [900, 910], gan_a=[4, 5])
    first.rename(tmp_path / "events.out.tfevents.9999999999.host.1.0")
    curve = read_curve(tmp_path)
    assert curve is not None
    assert curve.steps.tolist() == [10, 20, 30, 40, 50]
    assert curve.terms["gan"].tolist() == [1, 2, 3, 4, 5]


def test_no_event_files_are_no_curve(tmp_path: Path) -> None:
    assert read_curve(tmp_path / "none") is None
    log(tmp_path, [1], [0.0])
    assert read_curve(tmp_path) is None


def test_thinning_keeps_means_and_the_last_step() -> None:
    steps = np.arange(1.0, 1001.0)
    values = np.random.default_rng(0).normal(size=1000)
    thin = thinned(Curve(steps, steps * 2, {"gan": values}))
    assert len(thin.steps) == 200
    assert thin.steps[-1] == 1000
    assert thin.seconds[-1] == 2000
    assert thin.terms["gan"].mean() == pytest.approx(values.mean())
    np.testing.assert_allclose(thin.terms["gan"][:2], [values[:5].mean(), values[5:10].mean()])
    few = thinned(Curve(steps[:3], steps[:3], {"gan": values[:3]}))
    np.testing.assert_array_equal(few.terms["gan"], values[:3])
    assert len(thinned(Curve(steps[:320], steps[:320], {"gan": values[:320]})).steps) == 160


def test_a_kept_curve_comes_back(tmp_path: Path) -> None:
    steps = np.array([10.0, 20.0])
    curve = Curve(steps, steps / 7, {"gan": np.array([1 / 3, 1e-9]), "kl": np.array([-2.0, 5.0])})
    path = write_curve(curve, curve_path(tmp_path, "drawn-shoes", "munit", 2))
    again = load_curve(path)
    assert again is not None
    np.testing.assert_array_equal(again.steps, steps)
    np.testing.assert_allclose(again.seconds, curve.seconds, atol=0.05)
    for term, values in curve.terms.items():
        np.testing.assert_allclose(again.terms[term], values, rtol=1e-4)
    assert load_curve(tmp_path / "none.csv") is None
    assert list(stored_curves(tmp_path, "drawn-shoes", [0, 2])["munit"]) == [2]
    assert stored_curves(tmp_path, "drawn-shoes", [0]) == {}


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "step,seconds,gan\n1,2\n", "step,seconds,gan\n1,2,x\n", "\0\xff"]
)
def test_a_damaged_curve_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"curve\.csv is no learning curve .* delete it"):
        load_curve(path)


def test_where_curves_end() -> None:
    steps = np.arange(1.0, 41.0)
    curves = {seed: Curve(steps, steps, {"gan": steps + seed}) for seed in (0, 2)}
    assert last_values(curves) == {"gan": pytest.approx(39.5 + 1)}
    assert in_order(["kl", "new", "dis", "gan", "gan"]) == ["gan", "dis", "kl", "new"]


@pytest.mark.parametrize("methods", [["munit"], ["unit", "munit", "bicyclegan"]])
def test_the_figure_is_drawn_whatever_the_values(tmp_path: Path, methods: list[str]) -> None:
    steps = np.arange(10.0, 60.0, 10.0)
    terms = {"gan": steps / 9, "kl": -steps, "own": np.full(5, 1e9), "zero": np.zeros(5)}
    curves = {m: {0: Curve(steps, steps, terms), 1: Curve(steps, steps, terms)} for m in methods}
    with Image.open(curve_figure(curves, tmp_path / "curves.png")) as picture:
        assert picture.width == pytest.approx(363 * min(2, len(methods)), abs=2)
