"""Which runs an ablation is made of, and what it refuses to be made of."""

from pathlib import Path

import pytest
from ablating import ANIMALS, SHOES

from models.errors import UserError
from reproduce.experiments.ablation import Ablation, make_ablation
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import run_folder
from reproduce.measuring.ablation import chosen_metrics, metrics_for, translations_of, usual_metrics
from reproduce.report.ablation_figure import positions
from reproduce.tasks.registry import TASKS
from reproduce.workflow.jobs import Request


def made(
    *values: str, method: str = "munit", seeds: tuple[int, ...] = (0,), **overrides: str
) -> Ablation:
    return make_ablation(load_preset("cpu"), method, SHOES, values, seeds, overrides)


def test_a_point_is_what_set_is_anywhere() -> None:
    cpu = load_preset("cpu")
    found = made("recon_x=3,10", seeds=(0, 4))
    point = found.points[0]
    assert point.preset == cpu.changed({"recon_x": "3"}, {}) and not point.default
    assert [run.seed for run in point.runs] == [0, 4]
    for run in point.runs:
        assert run == cpu.make_run("munit", SHOES, run.seed, {"recon_x": "3"})
    # However a value is written, it is one run.
    assert made("recon_x=3.00,1e1").points == made("recon_x=10,3").points


def test_the_presets_own_value_is_the_presets_own_run() -> None:
    cpu = load_preset("cpu")
    (other, own) = made("recon_x=1,10").points
    assert own.default and not other.default
    assert own.preset == cpu and own.overrides == {}
    folder = run_folder(Path("runs"), own.preset.name, own.runs[0])
    assert folder == Path("runs/cpu/drawn-shoes/munit-seed0")
    # What the preset sets, not what the method does: 1e-4 is MUNIT's learning rate.
    rates = made("lr=0.0001,0.001").points
    assert [point.default for point in rates] == [False, True]
    # With overrides, it is what these alone make.
    (_, own) = made("recon_x=1,10", steps="50").points
    assert own.default and own.preset == cpu.changed({"steps": "50"}, {})


def test_a_row_of_the_tables_is_that_rows_run() -> None:
    cpu = load_preset("cpu")
    for key, row in {
        "recon_x": "munit-wo-x",
        "recon_c": "munit-wo-c",
        "recon_s": "munit-wo-s",
    }.items():
        zero, _ = made(f"{key}=0,2", seeds=(0, 1)).points
        assert zero.method == row and zero.preset == cpu and not zero.default
        assert list(zero.runs) == [cpu.make_run(row, SHOES, seed) for seed in (0, 1)]
        assert zero.values == (0.0,)
    # Not where another setting keeps it from being one: dropping a second term has no row.
    both = next(p for p in made("recon_c=0,1", "recon_s=0,1").points if p.values == (0.0, 0.0))
    assert both.method == "munit-wo-c" and both.overrides == {"recon_s": "0"}
    assert both.runs[0].settings["recon_c"] == both.runs[0].settings["recon_s"] == 0.0
    # Rows that have settings of their own in a preset are others.
    assert all(p.method == "unit" for p in made("n_shared=1,2", method="unit").points)


def test_a_grid_has_all_combinations_of_two_settings() -> None:
    found = made("style_dim=8,2", "recon_c=5,1")
    assert [p.values for p in found.points] == [(2, 1.0), (2, 5.0), (8, 1.0), (8, 5.0)]
    assert [p.default for p in found.points] == [False, False, True, False]
    changes = [dict(p.preset.changes) for p in found.points]
    assert changes == [
        {"style_dim": "2"}, {"recon_c": "5", "style_dim": "2"}, {}, {"recon_c": "5"},
    ]  # fmt: skip
    assert found.name == "drawn-shoes-munit-style_dim-recon_c"
    assert [found.label(p) for p in found.points][1] == "style_dim=2, recon_c=5"
    assert len(made("lr_policy=step,constant", "dim=4,8").points) == 4


def test_trainings_come_seed_by_seed_each_once(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, tmp_path)
    told = {"method": "munit", "values": ["recon_c=0,1,5"], "metrics": ["diversity"]}
    jobs = Request("cpu", places, [3, 1], tasks=[SHOES], ablation=told).jobs().values()
    runs = [run for job in jobs if job.kind == "train" for run in job.runs]
    assert [run.seed for run in runs] == [3, 3, 3, 1, 1, 1]
    assert len({run.digest() for run in runs}) == 6


def test_pictures_may_differ() -> None:
    assert made("steps=5,10").one_set_of_pictures
    assert not made("train=100,200").one_set_of_pictures
    # The preset's own are those of its real pictures, whether it is among the points or not.
    assert not made("recon_c=0,1", "size=16,64").one_set_of_pictures


def test_usual_metrics_apply_and_others_can_be_asked_for() -> None:
    assert usual_metrics(TASKS[SHOES]) == ("diversity", "silhouette-iou")
    assert usual_metrics(TASKS["edges2shoes"]) == ("diversity",)
    for task in (TASKS[ANIMALS], TASKS["cifar-animals-vehicles"]):
        assert usual_metrics(task) == ("cis", "is")
    for task in TASKS.values():
        assert set(usual_metrics(task)) <= set(metrics_for(task, "cyclegan"))
        assert chosen_metrics(task, "munit", []) == usual_metrics(task)
    twice = ["fid", "fid", "style-mmd"]
    assert chosen_metrics(TASKS[SHOES], "munit", twice) == ("fid", "style-mmd")
    for metric, reason in {"quality-judged": "compares the methods", "fud": "mean fid"}.items():
        with pytest.raises(UserError, match=reason):
            chosen_metrics(TASKS[SHOES], "munit", [metric])
    with pytest.raises(UserError, match="none of cyclegan on"):  # which encodes no styles
        chosen_metrics(TASKS[SHOES], "cyclegan", ["style-mmd"])
    # The truth of photographs is not known, and animals come in no pairs.
    assert "truth-distance" in metrics_for(TASKS[SHOES], "unit")
    assert "truth-distance" not in metrics_for(TASKS["edges2shoes"], "unit")
    assert "content-mmd" in metrics_for(TASKS[ANIMALS], "unit")
    assert "content-retrieval-rank" not in metrics_for(TASKS[ANIMALS], "unit")
    assert translations_of("cis", "munit") == ("a2b", "b2a")
    assert translations_of("cis", "bicyclegan") == ("a2b",)
    assert translations_of("diversity", "munit") == (None,)


def test_axes_are_logarithmic_where_values_span_it_with_zero_apart() -> None:
    (axis,) = made("recon_c=0,0.1,1,10").axes
    places = positions(axis)
    assert [places[v] for v in (0.1, 1.0, 10.0)] == pytest.approx([-1, 0, 1])
    assert -2.5 < places[0.0] < -1.5
    (axis,) = made("dim=8,16,24").axes
    assert list(positions(axis).values()) == [8, 16, 24]
    (axis,) = made("recon_c=0,1").axes  # one number above 0 spans nothing
    assert list(positions(axis).values()) == [0, 1]
    (axis,) = made("cycle_b=none,10,1", method="cyclegan").axes
    assert list(positions(axis).values()) == [0, 1, 2] and axis.values == (None, 10.0, 1.0)
