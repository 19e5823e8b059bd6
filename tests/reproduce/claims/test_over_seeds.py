"""Means over several trainings: closed forms, agreement with the claims, what counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from claims_world import CATS, DIVERSITY, PRESET, SHOES, World
from seeds_world import (
    QUICK,
    SAMPLING,
    SEEDS,
    T2,
    first,
    rewrite,
    row,
    scores,
    second,
)

from reproduce import table_text
from reproduce.claims.evidence import Evidence
from reproduce.claims.statements import Quantity, claims
from reproduce.claims.statistics import Draws, interval
from reproduce.claims.verdicts import Court
from reproduce.over_seeds import Means, _inputs_of, quantity_of, stored
from reproduce.results import Records
from reproduce.table2 import AVERAGE


def means(world: World, seeds: Sequence[int] = SEEDS) -> Means:
    return Means(Evidence(world.results, PRESET, seeds), [], Draws())


def ends(world: World, metric: str) -> tuple[float, float, float]:
    """Mean and 95 % interval of MUNIT's ``metric`` over all seeds."""
    value, draws = means(world).drawn(Quantity(metric, "munit", SHOES), SEEDS)
    return float(value[0]), *interval(draws, 0.025, 0.025)


def test_three_known_values_have_the_interval_of_student(tmp_path: Path) -> None:
    world, values = World(tmp_path), (0.7, 0.8, 1.2)
    for seed, value in enumerate(values):
        world.value("silhouette-iou", "munit", value, 0.0, seed)
    mean, low, high = ends(world, "silhouette-iou")
    half = T2 * np.std(values, ddof=1) / math.sqrt(3)
    assert mean == pytest.approx(0.9)
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=SAMPLING)


def test_what_the_inputs_leave_open_is_no_less_for_three_trainings(tmp_path: Path) -> None:
    """They all saw the same inputs: without spread between them, the interval is that of each."""
    world = World(tmp_path)
    for seed in SEEDS:
        world.value("silhouette-iou", "munit", 0.9, 0.05, seed)
    mean, low, high = ends(world, "silhouette-iou")
    assert (mean - low, high - mean) == pytest.approx((0.05, 0.05), rel=SAMPLING)


def test_trainings_and_inputs_add_up(tmp_path: Path) -> None:
    world, values, half = World(tmp_path), (0.5, 0.6, 0.7), 0.2
    for seed, value in enumerate(values):
        world.value("silhouette-iou", "munit", value, half, seed)
    mean, low, high = ends(world, "silhouette-iou")
    rng = np.random.default_rng(7)
    t = rng.standard_t(2, 400_000) * np.std(values, ddof=1) / math.sqrt(3)
    both = mean + t + rng.standard_normal(400_000) * half / 1.96
    assert [low, high] == pytest.approx(np.quantile(both, [0.025, 0.975]).tolist(), abs=0.015)
    assert high - mean > max(half, T2 * 0.1 / math.sqrt(3))


def test_more_trainings_that_differ_make_wider_intervals_than_one(world: World) -> None:
    three, one = first(world), first(world, [1])
    for method in DIVERSITY:
        wide, narrow = row(three, method).diversity, row(one, method).diversity
        assert wide is not None and narrow is not None and wide.half > 1.3 * narrow.half
    # Nobody trained real pictures.
    wide, narrow = row(three, "real").diversity, row(one, "real").diversity
    assert wide is not None and narrow is not None
    assert wide.half < narrow.half and wide.seeds == 3


def test_a_table_says_what_the_claims_say(world: World) -> None:
    stated = claims(QUICK)
    findings = Court(stated, Evidence(world.results, PRESET), Draws()).verdicts()
    table, checked = first(world), 0
    asked = [q for claim in stated for part in claim.parts for q in part.quantities]
    own = Means(Evidence(world.results, PRESET), asked, Draws())
    for finding in findings:
        if finding.part is None or finding.part.combine != "value":
            continue
        drawn = [own.drawn(q, SEEDS) for q in finding.part.quantities]
        value, draws = (np.mean([d[i] for d in drawn], axis=0) for i in (0, 1))
        # At the claim's level, which Holm's correction set.
        tail = (1 - finding.level) / 2
        assert (finding.value, finding.low, finding.high) == (
            value[0],
            *interval(draws, tail, tail),
        )
        checked += 1
        if finding.claim.id.startswith("quality"):
            (quantity,) = finding.part.quantities
            quality = row(table, quantity.method).quality
            assert quality is not None and quality.cell.value == finding.value
            assert (quality.cell.low, quality.cell.high) == interval(draws, 0.025, 0.025)
    assert checked == 7 + 4
    above = next(f for f in findings if f.claim.id.startswith("diversity.above-unit"))
    munit, unit = (row(table, method).diversity for method in ("munit", "unit"))
    assert munit is not None and unit is not None
    assert above.value == pytest.approx(munit.value - unit.value, abs=1e-15)


def test_the_average_of_table_2_is_drawn_training_by_training(copied: World) -> None:
    values = {"a2b": (0.1, 0.2, 0.3), "b2a": (0.3, 0.5, 0.7)}
    for direction, of_seeds in values.items():
        for seed, value in enumerate(of_seeds):
            confusion = {
                "metric": "content-confusion", "value": value,
                "interval": {"low": value, "high": value}, "task": CATS, "translation": direction,
                "protocol": {"protocol": "p", "domain": direction, "r2": {"yaw": 0.9}},
            }  # fmt: skip
            copied._append("munit", seed, confusion)
    made = second(copied)
    average = made.rows[-1].scores["munit"].confusion
    assert made.rows[-1].title == AVERAGE and average is not None
    assert average.value == pytest.approx(0.35)
    assert average.deviation == pytest.approx(0.15)
    # One training made both directions, so what it does to both does not average out.
    halves = [r.scores["munit"].confusion for r in made.rows[:-1]]
    assert all(cell is not None for cell in halves)
    assert average.half == pytest.approx(np.mean([c.half for c in halves if c]), rel=1e-6)
    assert average.half == pytest.approx(T2 * 0.15 / math.sqrt(3), rel=SAMPLING)
    unit = made.rows[-1].scores["unit"].cis
    assert unit is not None and unit.value == 0.0 and unit.seeds == 3


def test_real_pictures_measured_again_stand_as_they_are(copied: World) -> None:
    """Their number is one, whatever the seed, and so is its interval."""
    copied.modes("real", True)
    once = [r for r in copied.records.all() if r["method"] == "real" and "translation" in r]
    told = {"domain": "dogs", "accuracy": 0.99}
    others = [r for r in copied.records.all() if r not in once]
    again = [r | {"seed": s, "protocol": r["protocol"] | told} for s in SEEDS for r in once]
    rewrite(copied, others + again)
    for mine, alone in zip(second(copied).rows, second(copied, [0]).rows, strict=True):
        assert mine.real is not None and alone.real is not None
        assert (mine.real.seeds, mine.real.deviation) == (3, 0.0)
        for end in ("value", "low", "high"):
            assert getattr(mine.real, end) == getattr(alone.real, end)


def test_what_was_measured_in_another_way_is_no_part_of_a_mean(copied: World) -> None:
    rewrite(copied, [r | {"time": "2020-01-01"} for r in copied.records.all()])
    for seed in (0, 1):
        copied.diversity("munit", 0.2, seed, protocol="all-pairs")
    made = first(copied)
    munit = row(made, "munit").diversity
    assert made.protocol == "all-pairs" and row(made, "unit").diversity is None
    assert munit is not None and munit.seeds == 2 and munit.value == pytest.approx(0.2)


def test_equal_trainings_are_no_proof_that_all_are(copied: World) -> None:
    """Where other methods' trainings differ, those of one that happened not to may as well."""
    for method in ("unit", "cyclegan", "cyclegan-noise", "bicyclegan"):
        scores(copied, method, "parts-auc", (0.5, 0.6, 0.7), 0.01)
    scores(copied, "munit", "parts-auc", (0.6, 0.6, 0.6), 0.02)
    found, cells = stored(QUICK, copied.results, 1, SEEDS)
    cell = cells.cell(found[None][SHOES, "munit"]["parts-auc"])
    assert cell is not None and cell.deviation == 0.0 and cell.half > 0.04


def test_a_control_tells_nothing_of_how_methods_spread(copied: World) -> None:
    """MUNIT against itself is shown, and claimed by nobody."""
    before = row(first(copied), "unit").quality
    for seed, percent in enumerate((10, 50, 90)):
        copied.quality("munit", percent, seed)
    made = first(copied)
    assert row(made, "unit").quality == before
    control = row(made, "munit").quality
    assert control is not None and control.cell.deviation == pytest.approx(40)
    assert "Two samples of MUNIT against each other: 50.0 ± " in table_text.caption(made)


def test_a_record_s_quantity_is_the_claims(world: World) -> None:
    asked = {q for claim in claims(QUICK) for part in claim.parts for q in part.quantities}
    of_records = {quantity_of(r) for r in Records(world.results, PRESET).all()}
    measured = {q for q in asked if q.family in ("diversity", "quality", "cis", "is")}
    assert measured <= of_records


def test_tasks_from_one_domain_translate_the_same_inputs() -> None:
    cats = {
        (task, direction): _inputs_of(Quantity("is", "munit", f"drawn-{task}", direction))
        for task in ("housecats-bigcats", "housecats-dogs", "bigcats-dogs")
        for direction in ("a2b", "b2a")
    }
    assert cats["housecats-bigcats", "a2b"] == cats["housecats-dogs", "a2b"]
    assert cats["housecats-bigcats", "b2a"] == cats["bigcats-dogs", "a2b"]
    assert cats["housecats-dogs", "b2a"] == cats["bigcats-dogs", "b2a"]
    assert len(set(cats.values())) == 3
    shoes, bags = (Quantity("diversity", "munit", f"drawn-{t}") for t in ("shoes", "handbags"))
    assert _inputs_of(shoes) != _inputs_of(bags), "edges of other things"
