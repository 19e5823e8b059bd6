"""Tables over several trainings: what they show, and one training as ever."""

from __future__ import annotations

import csv
import io
import math

import pytest
from claims_world import DIVERSITY, PRESET, QUALITY, SHOES, World
from seeds_world import (
    QUICK,
    SEEDS,
    T2,
    drop,
    first,
    rewrite,
    row,
    scores,
    second,
)

from reproduce import table2_text, table_text
from reproduce.experiments import TABLE2_METHODS
from reproduce.over_seeds import stored
from reproduce.results import Records, newest
from reproduce.score_table import wide_csv, wide_table
from reproduce.table2 import table2
from reproduce.tables import table1


def test_rows_show_means_and_say_of_how_many_trainings(world: World) -> None:
    made = first(world)
    assert made.seeds == SEEDS
    for method, mean in DIVERSITY.items():
        cell = row(made, method).diversity
        assert cell is not None and cell.seeds == 3
        assert cell.value == pytest.approx(mean, rel=1e-6)
        assert cell.deviation == pytest.approx(0.1 * mean, rel=1e-5)
        assert cell.low < mean * 0.95 and cell.high > mean * 1.05
    for method, percent in QUALITY.items():
        quality = row(made, method).quality
        assert quality is not None and quality.source == "judged"
        assert quality.cell.value == pytest.approx(percent)
        assert quality.cell.deviation == pytest.approx(2)
    text = table_text.markdown(made)
    assert "means over 3 trainings each (seeds 0, 1, 2)" in text and "one training" not in text
    assert "(3 seeds)" not in text and "trainings and inputs" in table_text.latex(made)


def test_a_cell_of_fewer_trainings_says_so(copied: World) -> None:
    drop(copied, 2, "unit", "diversity")
    for seed in (0, 1):
        drop(copied, seed, "cyclegan", "diversity")
    drop(copied, 1, "unit", "quality")
    drop(copied, 0, "real", "diversity")
    made = first(copied)
    shown = {r.method: r for r in made.rows}
    unit, cyclegan = shown["unit"].diversity, shown["cyclegan"].diversity
    assert unit is not None and (unit.seeds, unit.value) == (2, pytest.approx(0.011 * 0.95))
    assert cyclegan is not None and (cyclegan.seeds, cyclegan.deviation) == (1, None)
    alone = row(first(copied, [2]), "cyclegan").diversity
    assert alone is not None and cyclegan.value == pytest.approx(alone.value, rel=1e-6)
    assert (cyclegan.low, cyclegan.high) == (alone.low, alone.high)
    text = table_text.markdown(made)
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert "(2 seeds) |" in lines["UNIT"] and "(judged, 2 seeds)" in lines["UNIT"]
    assert "(1 seed) |" in lines["CycleGAN"]
    # Real pictures are the same whatever the seed.
    assert "seed" not in lines["Real data"] and "seed" not in lines["MUNIT"]
    made_2 = second(copied)
    drop(copied, 1, "munit", "cis")
    fewer = table2_text.markdown(second(copied))
    assert "(2 seeds)" not in table2_text.markdown(made_2) and fewer.count("(2 seeds)") == 3
    # Directions of different trainings have no average.
    rewrite(copied, [r for r in copied.records.all() if r["metric"] != "cis"
                     or r["seed"] == {"a2b": 0, "b2a": 2}[r["translation"]]])  # fmt: skip
    *directions, average = (r.scores["unit"].cis for r in second(copied).rows)
    assert average is None and [c and c.seeds for c in directions] == [1, 1]


def test_csv_tells_trainings_and_their_spread(world: World) -> None:
    rows = list(csv.DictReader(io.StringIO(table_text.comma_separated(first(world)))))
    unit = next(r for r in rows if r["method"] == "unit")
    assert (unit["diversity_seeds"], unit["quality_seeds"]) == ("3", "3")
    assert float(unit["diversity_deviation"]) == pytest.approx(0.0011, rel=1e-5)
    assert float(unit["quality_deviation"]) == pytest.approx(2)
    assert unit["silhouette_iou_seeds"] == unit["silhouette_iou_deviation"] == ""
    table = second(world)
    rows = list(csv.DictReader(io.StringIO(table2_text.comma_separated(table))))
    for line in rows:
        direction = next(r for r in table.rows if r.title == line["direction"])
        cell = direction.scores[line["method"]].inception
        assert cell is not None and cell.deviation is not None
        assert line["is_seeds"] == "3" and float(line["is_deviation"]) == cell.deviation
    assert len(rows) == 3 * len(TABLE2_METHODS)


def test_one_training_is_shown_as_ever(world: World) -> None:
    """Whether it is asked for alone, or others have no records."""
    everything = Records(world.results, PRESET).all()
    made = table1(QUICK, newest(everything, 1))
    for seeds in ([1], [7, 1, 8]):
        asked = first(world, seeds)
        assert asked == made
        assert "one training each, so the 95% intervals are over inputs" in table_text.caption(
            asked
        )
        for text in (table_text.markdown, table_text.comma_separated, table_text.latex):
            assert text(asked) == text(made)
    made_2 = table2(QUICK, {d: newest(everything, 1, d) for d in ("a2b", "b2a")})
    assert second(world, [1]) == second(world, [1, 9]) == made_2
    header = table_text.comma_separated(made).splitlines()[0]
    assert "seeds" not in header and "deviation" not in header
    assert first(world, [5, 6]) == table1(QUICK, {}) and second(world, [5]) == table2(QUICK, {})


def test_the_order_of_seeds_does_not_matter(world: World) -> None:
    assert first(world, [2, 0, 1]) == first(world)


def test_the_wider_table_shows_means_with_intervals(copied: World) -> None:
    fid, parts = "fid-small-resnet-2", "parts-auc"
    scores(copied, "munit", fid, (10.0, 12.0, 14.0), 0.0)
    scores(copied, "unit", fid, (20.0, 30.0), 0.0)
    scores(copied, "bicyclegan", fid, (40.0,), 0.0)
    scores(copied, "munit", parts, (0.6, 0.6, 0.6), 0.02)
    scores(copied, "real", fid, (1.0,), 0.0)
    found, cells = stored(QUICK, copied.results, 1, SEEDS)
    text = wide_table(QUICK, found[None], cells)
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    fids = {title: line.split("|")[2].strip() for title, line in lines.items()}
    value, _, half = fids["MUNIT"].split()
    assert value == "12.0"
    assert float(half) == pytest.approx(T2 * 2 / math.sqrt(3), rel=0.1)
    assert fids["UNIT"].startswith("25.0 ± ") and fids["UNIT"].endswith(" (2 seeds)")
    assert fids["BicycleGAN †"] == "40.0 (1 seed)" and fids["Real data"] == "1.0"
    assert lines["MUNIT"].endswith("| 0.60 ± 0.02 |")
    assert "means over 3 trainings each" in text
    rows = list(csv.DictReader(io.StringIO(wide_csv(found[None], [SHOES], cells))))
    told = {(r["row"], r["metric"]): r for r in rows}
    assert told["MUNIT", fid]["value_seeds"] == "3"
    assert float(told["MUNIT", fid]["value_deviation"]) == pytest.approx(2)
    assert told["BicycleGAN (paired)", fid]["low"] == ""
    alone = stored(QUICK, copied.results, 1, [0])
    assert "means over" not in wide_table(QUICK, alone[0][None], alone[1])
    assert "value_seeds" not in wide_csv(alone[0][None], [SHOES], alone[1])
