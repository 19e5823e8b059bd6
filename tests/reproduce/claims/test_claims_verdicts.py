"""Verdicts on results whose numbers are known: each of the four, and what may not matter."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from claims_world import DIVERSITY, PRESET, QUALITY, QUICK, SEEDS, SHOES, World

from reproduce.analysis.claims.statements import claims
from reproduce.analysis.claims.verdicts import verdicts
from reproduce.analysis.estimate import interval, tails
from reproduce.records.current import Current


def test_all_claims_hold_where_the_truth_is_the_papers(world: World) -> None:
    found = world.findings()
    theory = [f for f in found.values() if f.claim.id.startswith("theory")]
    others = [f for f in found.values() if f not in theory]
    assert {f.verdict for f in theory} == {"not measured"} and len(theory) == 3
    assert theory[0].note == "no record of style-mmd of MUNIT, edges, of drawn edges -> shoes"
    assert math.isnan(theory[0].value) and len(others) == 30
    assert {f.claim.id: f.verdict for f in others if f.verdict != "holds"} == {}
    for finding in others:
        assert finding.seeds == SEEDS and finding.p_corrected <= 0.05
        assert finding.claim.low <= finding.low <= finding.value <= finding.high
        assert finding.high <= finding.claim.high
    assert found["diversity.above-unit"].value == pytest.approx(0.109 - 0.011)
    assert found["diversity.near-zero-unit"].value == pytest.approx(0.011 / 0.109)
    assert found["quality.munit-wo-x"].value == pytest.approx(6)
    # The real data's nearest rival is w/o x.
    assert str(found["diversity.real"].part).count("munit-wo-x") == 1


def test_numbers_are_students_of_paired_differences(copied: World) -> None:
    for seed, (munit, other) in enumerate(((0.1, 0.05), (0.2, 0.16), (0.3, 0.24))):
        copied.diversity("munit", munit, seed, network=f"new {seed}")
        copied.diversity("munit-wo-s", other, seed, network=f"new s {seed}")
    found = copied.findings()["diversity.munit-wo-s"]
    differences = [-0.05, -0.04, -0.06]  # of numbers that differ much more
    assert found.p == pytest.approx(2 * tails(differences, -math.inf, 0.0)[0])
    tail = (1 - found.level) / 2
    assert (found.low, found.high) == pytest.approx(interval(differences, tail, tail))
    ratio = copied.findings()["diversity.bicyclegan"]
    logs = [math.log(0.104 * (1 + 0.01 * (s - 1)) / m) for s, m in enumerate((0.1, 0.2, 0.3))]
    assert ratio.value == pytest.approx(math.exp(sum(logs) / 3))


def test_the_opposite_fails(tmp_path: Path) -> None:
    world = World(tmp_path)
    for seed in SEEDS:
        shift = 1 + 0.01 * seed
        for method, mean in DIVERSITY.items():
            world.diversity(method, 0.01 / mean * shift, seed)  # as far below 0.1 as it was above
        world.diversity("real", 0.01, seed, protocol="real@300")
        for method, percent in QUALITY.items():
            lower = {"bicyclegan": 90}.get(method, 100 - percent)
            world.quality(method, lower + 0.2 * (seed - 1), seed)
        for method in ("unit", "cyclegan", "cyclegan-noise"):
            world.modes(method, 0.8 * shift, 0.9 * shift, seed)
        world.modes("munit", 0.01 * shift, 0.5 * shift, seed)
    found = {f.claim.id: f for f in world.findings().values() if f.seeds}
    assert len(found) == 30
    # 0.01 / 0.104 is still near 0.01 / 0.109.
    assert found.pop(f"diversity.bicyclegan.{SHOES}").verdict == "holds"
    assert {name: f.verdict for name, f in found.items() if f.verdict != "fails"} == {}
    assert all(f.high <= f.claim.low or f.low >= f.claim.high for f in found.values())


def test_one_training_decides_nothing(copied: World) -> None:
    found = copied.findings([1])
    alone = found["diversity.above-unit"]
    assert (alone.verdict, alone.seeds, alone.note) == ("undecided", (1,), "one training")
    assert alone.value == pytest.approx(0.098) and math.isnan(alone.low) and math.isnan(alone.p)
    assert found["diversity.near-zero-unit"].value == pytest.approx(0.011 / 0.109)


def test_comparable_is_neither_equal_nor_different(copied: World) -> None:
    """1 / 1.5625 is the margin: an interval across it decides nothing, one beyond it fails."""
    for mean, verdict in ((0.109 * 0.64, "undecided"), (0.109 * 0.4, "fails"), (0.3, "fails")):
        for seed in SEEDS:
            shift = 1 + 0.012 * (seed - 1)
            copied.diversity("bicyclegan", mean * shift, seed, network=f"{mean} {seed}")
        assert copied.findings()["diversity.bicyclegan"].verdict == verdict


def test_one_method_above_real_data_makes_that_claim_fail(copied: World) -> None:
    for seed in SEEDS:
        copied.diversity("munit-wo-c", 0.4 + 0.001 * seed, seed, network=f"new {seed}")
    found = copied.findings()["diversity.real"]
    assert found.verdict == "fails" and found.part is not None and found.high < 0
    assert [q.method for q in found.part.quantities] == ["real", "munit-wo-c"]
    # One as diverse as real data leaves open whether all are less.
    for seed in SEEDS:
        copied.diversity("munit-wo-c", 0.29 + 0.005 * seed, seed, network=f"newer {seed}")
    assert copied.findings()["diversity.real"].verdict == "undecided"


def test_real_pictures_are_the_same_at_every_seed(copied: World) -> None:
    copied.rewrite(lambda r: None if r["method"] == "real" and r["seed"] else r)
    found = copied.findings()["diversity.real"]
    assert found.seeds == SEEDS and found.value == pytest.approx(0.293 - 0.213)


def test_order_of_records_does_not_matter(copied: World) -> None:
    before = str(copied.findings())
    lines = copied.records.path.read_text().splitlines()
    random.Random(0).shuffle(lines)
    lines.sort(key=lambda line: '"shared"' not in line)  # before those that name it
    copied.records.path.write_text("\n".join(lines) + "\n")
    assert str(copied.findings()) == before


def test_a_newer_network_counts_and_takes_its_old_quality_along(copied: World) -> None:
    for seed in SEEDS:
        copied.diversity("munit", 0.05 + 0.001 * seed, seed, network=f"new {seed}")
    found = copied.findings()
    assert found["diversity.above-unit"].value == pytest.approx(0.051 - 0.011)
    # What was preferred to the old network was not compared with the new one.
    assert {f.verdict for n, f in found.items() if n.startswith("quality")} == {"not measured"}
    for seed in SEEDS:
        copied.quality("unit", 20 + 0.1 * seed, seed, reference=f"new {seed}")
    assert copied.findings()["quality.above-unit"].verdict == "holds"


@pytest.mark.parametrize("other", [{"sha256": "c"}, {"protocol": "all-pairs"}])
def test_what_was_measured_in_another_way_is_not_compared(copied: World, other: dict) -> None:
    copied.rewrite(lambda r: r | {"time": "2020-01-01"})
    for seed in SEEDS:
        for method, mean in (("munit", 0.05), ("unit", 0.01)):
            copied.diversity(method, mean + 0.0001 * seed, seed, **other)
    found = copied.findings()
    assert found["diversity.above-unit"].value == pytest.approx(0.04)
    for name in ("above-cyclegan", "munit-wo-s", "bicyclegan"):
        assert found[f"diversity.{name}"].verdict == "not measured", name
    real = found["diversity.real"]
    assert real.verdict == "not measured" and "others" in real.note


def test_only_seeds_that_all_methods_have_count(copied: World) -> None:
    copied.diversity("unit", 0.012, 7)
    copied.diversity("munit", 0.12, 8)
    assert copied.findings()["diversity.above-unit"].seeds == SEEDS
    assert "no record of diversity of MUNIT" in copied.findings([7])["diversity.above-unit"].note
    assert "no seed" in copied.findings([7, 8])["diversity.above-unit"].note


def test_people_count_more_than_the_observer_and_he_more_than_judges(copied: World) -> None:
    copied.quality("unit", 70.0, 1, by="observed")
    copied.quality("unit", 72.0, 2, by="observed")
    found = copied.findings()["quality.above-unit"]
    assert (found.seeds, found.value) == ((1, 2), 71.0)
    copied.value("quality-human", "unit", 60.0, 1)
    found = copied.findings()["quality.above-unit"]
    assert (found.seeds, found.value, found.verdict) == ((1,), 60.0, "undecided")


def test_theory_is_read_from_its_records_domain_by_domain(copied: World) -> None:
    for seed in SEEDS:
        domains = {"domains": {"a": 0.25 + 0.001 * seed, "b": 0.01 + 0.001 * seed}}
        copied.value("style-mmd", "munit", 0.13, seed, theory=domains)
        copied.value("content-domain-accuracy", "munit", 0.9 + 0.001 * seed, seed)
    found = copied.findings()
    assert found["theory.styles-a"].verdict == "fails"
    assert found["theory.styles-a"].value == pytest.approx(0.251)
    assert found["theory.styles-b"].verdict == "holds"
    assert found["theory.contents"].verdict == "fails"
    copied.rewrite(lambda r: r | {"theory": {}})
    assert copied.findings()["theory.styles-a"].verdict == "not measured"


def test_more_claims_make_each_harder(world: World) -> None:
    stated = [c for c in claims(QUICK) if c.id.startswith("diversity.munit-wo-s")]
    many = [replace(stated[0], id=f"diversity.{i}") for i in range(40)]
    evidence = Current.stored(world.results, PRESET)
    (alone,), crowd = verdicts(stated, evidence), verdicts(many, evidence)
    assert alone.p == crowd[0].p and crowd[0].p_corrected == pytest.approx(40 * alone.p)
    assert crowd[0].low < alone.low and crowd[0].high > alone.high
    assert alone.level == 0.95
