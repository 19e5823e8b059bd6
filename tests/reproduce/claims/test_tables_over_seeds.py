"""Tables over several trainings: what they show, and one training as ever."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from claims_world import CATS, DIVERSITY, PRESET, QUALITY, QUICK, SEEDS, World
from reading import csv_rows

import benchmarks.metrics.fidelity  # noqa: F401  (declares its metrics)
from benchmarks.harness.published import AVERAGE
from benchmarks.metric import METRICS
from reproduce.analysis.estimate import Cells, over_trainings
from reproduce.analysis.table import Row, Tables
from reproduce.analysis.tables import table1, table2, tables_of
from reproduce.records.store import Records


def first(world: World, seeds: Sequence[int] = SEEDS) -> Tables:
    return tables_of(1, QUICK, world.results, seeds)["table1"]


def second(world: World, seeds: Sequence[int] = SEEDS) -> Tables:
    return tables_of(2, QUICK, world.results, seeds)["table2"]


def wider(world: World, seeds: Sequence[int] = SEEDS) -> Tables:
    return tables_of(1, QUICK, world.results, seeds)["table1-scores"]


def row(made: Tables, method: str, direction: str = "") -> Row:
    fitting = (r for r in made.data if r.get("direction", "") == direction)
    (found,) = (r for r in fitting if r["method"] == method)
    return found


def cells(made: Tables) -> dict[str, list[str]]:
    """The shown cells of the first table, by the first of a row."""
    return {line[0]: line for line in made.parts[0].lines}


def drop(world: World, seed: int, method: str, family: str) -> None:
    """Takes the records of one number at one seed away."""

    def kept(r: dict[str, Any]) -> dict[str, Any] | None:
        gone = (r["seed"], r["method"]) == (seed, method) and r["metric"].startswith(family)
        return None if gone else r

    world.rewrite(kept)


def test_rows_show_means_and_say_of_how_many_trainings(world: World) -> None:
    made = first(world)
    assert first(world, [2, 0, 1]) == made, "in whatever order"
    for method, mean in DIVERSITY.items():
        cell = row(made, method)["diversity"]
        assert cell.seeds == 3 and cell.value == pytest.approx(mean, rel=1e-6)
        assert cell == over_trainings([mean * f for f in (0.99, 1.0, 1.01)], (0.0, None))
    for method, percent in QUALITY.items():
        quality = row(made, method)["quality"]
        assert quality.note == "judged" and quality.value == pytest.approx(percent)
        assert quality.deviation == pytest.approx(0.2)
    text = made.markdown()
    assert "means over 3 trainings (seeds 0, 1, 2)" in text and "one training" not in text
    assert "(3 seeds)" not in text and "over trainings on the same pictures" in made.latex()
    unit = next(r for r in csv_rows(made.csv()) if r["method"] == "unit")
    assert (unit["diversity_seeds"], unit["quality_seeds"]) == ("3", "3")
    assert float(unit["diversity_deviation"]) == pytest.approx(0.00011, rel=1e-5)
    assert {line["is_seeds"] for line in csv_rows(second(world).csv())} == {"3"}


def test_a_cell_of_fewer_trainings_says_so(copied: World) -> None:
    drop(copied, 2, "unit", "diversity")
    for seed in (0, 1):
        drop(copied, seed, "cyclegan", "diversity")
    drop(copied, 1, "unit", "quality")
    drop(copied, 0, "real", "diversity")
    made = first(copied)
    unit, cyclegan = (row(made, method)["diversity"] for method in ("unit", "cyclegan"))
    assert (unit.seeds, unit.value) == (2, pytest.approx(0.011 * 0.995))
    assert (cyclegan.seeds, cyclegan.deviation) == (1, None)
    alone = row(first(copied, [2]), "cyclegan")["diversity"]
    assert cyclegan.value == pytest.approx(alone.value, rel=1e-6)
    assert (cyclegan.low, cyclegan.high) == (alone.low, alone.high)
    shown = cells(made)
    assert shown["UNIT"][4].endswith(" (2 seeds)") and "(judged, 2 seeds)" in shown["UNIT"][2]
    assert shown["CycleGAN"][4].endswith(" (1 seed)")
    # Real pictures are the same whatever the seed.
    assert "seed" not in str(shown["Real data"] + shown["MUNIT"])
    assert "(2 seeds)" not in second(copied).markdown()
    drop(copied, 1, "munit", "cis")
    assert second(copied).markdown().count("(2 seeds)") == 3
    # Directions of different trainings have no average.
    gone = {("a2b", 1), ("a2b", 2), ("b2a", 0), ("b2a", 1)}
    copied.rewrite(lambda r: None if (r.get("translation"), r["seed"]) in gone else r)
    *directions, average = (r["cis"] for r in second(copied).data if r["method"] == "unit")
    assert average is None and [cell.seeds for cell in directions] == [1, 1]


def test_one_training_is_shown_as_ever(world: World) -> None:
    """Whether it is asked for alone, or others have no records."""
    alone = [r for r in Records(world.results, PRESET).all() if r["seed"] == 1]
    made = table1(QUICK, Cells(alone))
    for seeds in ([1], [7, 1, 8]):
        asked = first(world, seeds)
        assert asked == made
        assert "one training each; 95% intervals are over inputs" in asked.markdown()
    made_2 = table2(QUICK, Cells(alone))
    assert second(world, [1]) == second(world, [1, 9]) == made_2
    assert not [name for name in made.names if "seeds" in name or "deviation" in name]
    nothing = Cells([])
    assert first(world, [5, 6]) == table1(QUICK, nothing)
    assert second(world, [5]) == table2(QUICK, nothing)


def test_the_average_of_table_2_is_taken_training_by_training(copied: World) -> None:
    values = {"a2b": (0.1, 0.2, 0.3), "b2a": (0.3, 0.5, 0.7)}
    for direction, of_seeds in values.items():
        for seed, value in enumerate(of_seeds):
            copied.value(
                "content-confusion", "munit", value, seed, task=CATS, translation=direction,
                protocol={"domain": direction, "r2": {"yaw": 0.9}},
            )  # fmt: skip
    average = row(second(copied), "munit", AVERAGE)["content_confusion"]
    # One training made both directions, so what it does to both does not average out.
    assert average.value == pytest.approx(0.35) and average.deviation == pytest.approx(0.15)


def test_the_row_of_real_pictures_has_the_interval_of_one_measurement(copied: World) -> None:
    copied.rewrite(lambda r: None if r["method"] == "real" else r)
    for seed, value in enumerate((0.29, 0.30, 0.31)):
        copied.diversity("real", value, seed, protocol="real@300")
    real = row(first(copied), "real")["diversity"]
    assert real.value == pytest.approx(0.30) and real.seeds == 3
    assert (real.low, real.high) == pytest.approx((0.29, 0.31))


def test_tables_say_how_near_they_are_to_the_paper(copied: World) -> None:
    near = (
        "Agreement with the paper on drawn-shoes (intervals over trainings): Diversity (9 numbers): "
        "Spearman 1.00 [1.00, 1.00], "
        "100 [100, 100]% of pairs in the paper's order; Quality (8 numbers): "
    )  # MUNIT counts as 50, whether it was set against itself or not
    assert near in first(copied).notes[1]
    for seed, percent in enumerate((10, 50, 90)):
        copied.quality("munit", percent, seed)
    made = first(copied)
    assert row(made, "munit")["quality"].deviation == pytest.approx(40)
    assert cells(made)["MUNIT"][2] == "50.0% (judged)"
    assert near in made.notes[1]
    assert "two samples of MUNIT against each other: 50.0 ± " in made.notes[0]
    _, text = second(copied).notes
    assert "CIS (8 numbers)" in text and "; IS (8 numbers)" in text
    assert text.count("mean absolute difference") == 2


def test_the_wider_table_shows_means_with_intervals(copied: World) -> None:
    fid = "fid-small-resnet-2"
    assert not wider(copied).parts, "one score is no table"
    of = {"munit": (10.0, 12.0, 14.0), "unit": (20.0, 30.0), "bicyclegan": (40.0,), "real": (1.0,)}
    for method, values in of.items():
        for seed, value in enumerate(values):
            copied.value(fid, method, value, seed, protocol={"sha256": "e"})
    made = wider(copied)
    assert made.parts[0].head == ["Method", "FID ↓", METRICS["quality-judged"].heading]
    assert f"\n- **FID**: {METRICS[fid].protocol}" in made.markdown()
    fids = {title: line[1] for title, line in cells(made).items()}
    assert fids["MUNIT"] == "12.0 ± 5.0"  # 4.303 * 2 / sqrt(3)
    assert fids["UNIT"].startswith("25.0 ± ") and fids["UNIT"].endswith(" (2 seeds)")
    assert fids["BicycleGAN †"] == "40.0 ± 0.0 (1 seed)"
    assert fids["Real data"] == "1.0 ± 0.0" and fids["CycleGAN"] == "—"
    assert "means over 3 trainings" in made.markdown()
    told = {(r["row"], r["metric"]): r for r in csv_rows(made.csv())}
    assert told["MUNIT", fid]["value_seeds"] == "3"
    assert float(told["MUNIT", fid]["value_deviation"]) == pytest.approx(2)
    alone = wider(copied, [0])
    assert "means over" not in alone.markdown() and "value_seeds" not in alone.csv()


def test_the_wider_table_holds_the_judge_against_the_observer(copied: World) -> None:
    for seed in SEEDS:
        for k, method in enumerate(QUALITY):
            copied.quality(method, 10.0 * k + seed, seed, by="observed")
            copied.quality(method, 5.0 * k + seed, seed, by="judged")
    made = wider(copied)
    text = made.markdown()
    assert "Quality, observed" in text and "Quality, judged" in text
    line = cells(made)["CycleGAN"]
    assert str(line).count("±") == 2 and line[1].startswith("11.0 ±")
    assert "correlation 0.99 over 21" in text or "correlation 1.00 over 21" in text


def test_qualities_measured_in_different_ways_are_not_averaged(copied: World) -> None:
    copied.rewrite(lambda r: r | {"time": "2020-01-01"})
    about = {"reference_sha256": "munit 1", "right": 64}
    copied.value("quality-judged", "unit", 42.0, 1, protocol=about)
    quality = row(first(copied), "unit")["quality"]
    assert (quality.value, quality.seeds) == (42.0, 1)


def test_preference_of_real_pictures_hangs_on_trainings(copied: World) -> None:
    for seed, percent in enumerate((50.0, 60.0, 70.0)):
        copied.quality("real", percent, seed, by="observed")
    quality = row(first(copied), "real")["quality"]
    assert replace(quality, note="") == over_trainings([50.0, 60.0, 70.0], (0.0, 100.0))
