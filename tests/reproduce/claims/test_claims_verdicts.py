"""Verdicts on results folders whose truth is known: each of the four, and what may not matter."""

from __future__ import annotations

import json
import math
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from claims_world import DIVERSITY, QUALITY, SHOES, World, checkpoint

from benchmarks.raw_files import save_arrays
from benchmarks.theory.kernels import collapsed
from models.errors import UserError
from reproduce.claims.verdicts import Finding
from reproduce.results import sha256_file


def numbers(findings: dict[str, Finding]) -> list[tuple[object, ...]]:
    return [(n, f.verdict, f.value, f.low, f.high, f.p_corrected) for n, f in findings.items()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What the paper says, at three seeds; not to be written to."""
    return World(tmp_path_factory.mktemp("paper")).everything()


@pytest.fixture
def copied(world: World, tmp_path: Path) -> World:
    """The same, to be written to."""
    shutil.copytree(world.results, tmp_path / "results")
    return World(tmp_path)


def test_all_claims_hold_where_the_truth_is_the_papers(world: World) -> None:
    found = world.findings()
    theory = [f for f in found.values() if f.claim.id.startswith("theory")]
    others = [f for f in found.values() if f not in theory]
    assert {f.verdict for f in theory} == {"not measured"} and len(theory) == 3
    assert theory[0].note == "no record of style-mmd of MUNIT, edges, of drawn edges -> shoes"
    assert math.isnan(theory[0].value) and len(others) == 24
    assert {f.claim.id: f.verdict for f in others if f.verdict != "holds"} == {}
    for finding in others:
        assert finding.seeds == (0, 1, 2) and finding.p_corrected <= 0.05
        assert finding.claim.low < finding.low <= finding.value <= finding.high < finding.claim.high
    assert found["diversity.above-unit"].value == pytest.approx(0.109 - 0.011, abs=1e-6)
    assert found["diversity.near-zero-unit"].value == pytest.approx(0.011 / 0.109, rel=1e-4)
    assert found["quality.munit-wo-x"].value == pytest.approx(6)
    # The real data's nearest rival is w/o x.
    assert str(found["diversity.real"].part).count("munit-wo-x") == 1
    assert found["diversity.above-unit"].level == pytest.approx(1 - 0.05 / 24, rel=1e-2)


def test_the_opposite_fails(tmp_path: Path) -> None:
    world = World(tmp_path)
    for seed in range(3):
        shift = 1 + 0.01 * seed
        for method, mean in DIVERSITY.items():
            # As far below 0.1 as it was above.
            world.diversity(method, 0.01 / mean * shift, seed)
        world.real(0.01, seed)
        for method, percent in QUALITY.items():
            lower = {"bicyclegan": 90}.get(method, 100 - percent)
            world.quality(method, lower + 2 * (seed - 1), seed)
        for method in ("unit", "cyclegan", "cyclegan-noise", "munit"):
            world.modes(method, method != "munit", seed, 4 if method != "munit" else 3)
    found = world.findings()
    verdicts = {f.claim.id: f.verdict for f in found.values() if f.seeds}
    assert len(verdicts) == 24
    # 0.01 / 0.104 is still near 0.01 / 0.109.
    assert verdicts.pop(f"diversity.bicyclegan.{SHOES}") == "holds"
    assert {name: v for name, v in verdicts.items() if v != "fails"} == {}
    for finding in found.values():
        if finding.verdict == "fails":
            claim = finding.claim
            assert finding.low >= claim.high or finding.high <= claim.low


def test_what_seeds_disagree_about_is_undecided(copied: World) -> None:
    for seed, mean in enumerate((0.09, 0.2, 0.11)):
        copied.diversity("munit-wo-c", mean, seed, network=f"new {seed}")
    found = copied.findings()["diversity.munit-wo-c"]
    assert found.verdict == "undecided" and found.low < 0 < found.high
    alone = copied.findings([1])["diversity.munit-wo-c"]
    assert alone.verdict == "holds" and alone.seeds == (1,)
    assert alone.high - alone.low < (found.high - found.low) / 3


def test_comparable_is_neither_equal_nor_different(copied: World) -> None:
    """1 / 1.5625 is the margin: an interval across it decides nothing, one beyond it fails."""
    for mean, verdict in ((0.109 * 0.64, "undecided"), (0.109 * 0.4, "fails"), (0.3, "fails")):
        for seed in range(3):
            shift = 1 + 0.01 * (seed - 1)
            copied.diversity("bicyclegan", mean * shift, seed, network=f"{mean} {seed}")
        assert copied.findings()["diversity.bicyclegan"].verdict == verdict


def test_one_method_above_real_data_makes_that_claim_fail(copied: World) -> None:
    for seed in range(3):
        copied.diversity("munit-wo-c", 0.4 + 0.001 * seed, seed, network=f"new {seed}")
    found = copied.findings()["diversity.real"]
    assert found.verdict == "fails" and found.part is not None
    assert [q.method for q in found.part.quantities] == ["real", "munit-wo-c"]
    assert found.high < 0
    # One as diverse as real data leaves open whether all are less.
    for seed in range(3):
        copied.diversity("munit-wo-c", 0.29 + 0.005 * seed, seed, network=f"newer {seed}")
    assert copied.findings()["diversity.real"].verdict == "undecided"


def test_pairs_of_real_pictures_drawn_with_any_seed_count(copied: World) -> None:
    copied.real(0.353, 1)
    found = copied.findings()["diversity.real"]
    assert found.value == pytest.approx(0.293 + 0.06 / 3 - 0.213, abs=1e-5)
    alone = copied.findings([1])["diversity.real"]
    assert alone.seeds == (1,) and alone.value == pytest.approx(0.353 - 0.213, abs=1e-5)


def test_order_of_records_does_not_matter(copied: World) -> None:
    lines = copied.records.path.read_text().splitlines()
    before = numbers(copied.findings())
    random.Random(0).shuffle(lines)
    copied.records.path.write_text("\n".join(lines) + "\n")
    # As text, in which NaN equals NaN.
    assert str(numbers(copied.findings())) == str(before)


def test_a_newer_network_counts_and_takes_its_old_quality_along(copied: World) -> None:
    for seed in range(3):
        copied.diversity("munit", 0.05, seed, network=f"new {seed}")
    found = copied.findings()
    assert found["diversity.above-unit"].value == pytest.approx(0.05 - 0.011, abs=1e-4)
    # What was preferred to the old network was not compared with the new one.
    assert {f.verdict for n, f in found.items() if n.startswith("quality")} == {"not measured"}
    for seed in range(3):
        copied.quality("unit", 20 + seed, seed, reference=f"new {seed}")
    assert copied.findings()["quality.above-unit"].verdict == "holds"


@pytest.mark.parametrize("other", [{"sha256": "c" * 64}, {"protocol": "all-pairs"}])
def test_what_was_measured_in_another_way_is_not_compared(copied: World, other: dict) -> None:
    lines = copied.records.path.read_text().splitlines()
    records = [json.loads(line) | {"time": "2020-01-01"} for line in lines]
    copied.records.path.write_text("".join(json.dumps(r) + "\n" for r in records))
    for seed in range(3):
        for method in ("munit", "unit"):
            copied.diversity(method, 0.05 if method == "munit" else 0.01, seed, **other)
    found = copied.findings()
    assert found["diversity.above-unit"].verdict == "holds"
    for name in ("above-cyclegan", "munit-wo-s", "bicyclegan"):
        assert found[f"diversity.{name}"].verdict == "not measured", name
    real = found["diversity.real"]
    assert real.verdict == "not measured" and "others" in real.note


def test_only_seeds_that_all_methods_have_count(copied: World) -> None:
    copied.diversity("unit", 0.012, 7)
    copied.diversity("munit", 0.12, 8)
    found = copied.findings()
    assert found["diversity.above-unit"].seeds == (0, 1, 2)
    assert found["diversity.above-cyclegan"].seeds == (0, 1, 2)
    assert copied.findings([7])["diversity.above-unit"].verdict == "not measured"
    assert "no record of diversity of MUNIT" in copied.findings([7])["diversity.above-unit"].note
    assert "no seed" in copied.findings([7, 8])["diversity.above-unit"].note


def test_people_count_more_than_judges(copied: World) -> None:
    copied.value("quality-human", "unit", 70.0, 2.0, seed=1)
    found = copied.findings()["quality.above-unit"]
    assert (found.verdict, found.seeds, found.value) == ("fails", (1,), 70.0)


def test_theory_is_read_from_its_records(copied: World) -> None:
    for seed in range(3):
        copied.styles("munit", {"a": 0.0, "b": 1.0}, seed)
        copied.value("content-domain-accuracy", "munit", 0.9 + 0.001 * seed, 0.005, seed)
    found = copied.findings()
    # Of edges, whose styles tell nothing, and of shoes: each domain for itself.
    assert found["theory.styles-a"].verdict == "fails"
    assert found["theory.styles-a"].value == pytest.approx(collapsed(8), abs=1e-9)
    assert found["theory.styles-b"].verdict == "holds"
    assert found["theory.styles-b"].value < 0.03
    assert found["theory.contents"].verdict == "fails"


def test_where_all_codes_are_told_apart_their_number_still_limits_what_is_known(
    copied: World,
) -> None:
    copied.value("content-domain-accuracy", "munit", 1.0, 0.0, N=4)
    few = copied.findings([0])["theory.contents"]
    assert few.value == 1.0 and few.verdict == "undecided"
    copied.value("content-domain-accuracy", "munit", 1.0, 0.0, seed=1, N=900)
    assert copied.findings([1])["theory.contents"].verdict == "fails"


def test_an_interval_that_ends_at_a_limit_counts_by_its_longer_side(copied: World) -> None:
    about = {"metric": "content-domain-accuracy", "value": 0.59, "protocol": {"protocol": "p"}}
    copied.records.append(
        {"preset": "quick", "task": SHOES, "method": "munit", "seed": 0}
        | about | {"interval": {"low": 0.58, "high": 0.99}}
    )  # fmt: skip
    found = copied.findings([0])["theory.contents"]
    assert found.verdict == "undecided" and found.high > 0.9


def test_styles_of_one_domain_come_from_raw_values(copied: World) -> None:
    raw = copied.styles("munit", {"a": 0.5, "b": 1.0})
    with np.load(raw) as arrays:
        swapped = {"a": arrays["b"], "b": arrays["a"]}
    save_arrays(raw, {}, swapped)
    with pytest.raises(UserError, match="is not the file that style-mmd of munit"):
        copied.findings([0])
    (record,) = (r for r in copied.records.all() if r["metric"] == "style-mmd")
    copied.records.append(record | {"raw_sha256": sha256_file(raw), "time": "9"})
    with pytest.raises(UserError, match=r"gives style-mmd 0\S* of domain a, its record 0\."):
        copied.findings([0])


def test_a_number_of_styles_that_tells_no_domains_says_nothing_of_one(copied: World) -> None:
    copied.value("style-mmd", "munit", 0.02, 0.002)
    assert copied.findings([0])["theory.styles-a"].verdict == "not measured"


def test_a_swapped_damaged_or_missing_raw_file_is_refused(copied: World) -> None:
    raw = copied.records.folder / "raw"
    one, other = (raw / f"diversity-{m}-0-{checkpoint(m, 0)[:12]}.npz" for m in ("unit", "munit"))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match=r"is not the file that .*unit on drawn-shoes, seed 0"):
        copied.findings()
    one.write_bytes(kept[:-7])
    with pytest.raises(UserError, match="sha256 differs"):
        copied.findings()
    one.unlink()
    with pytest.raises(UserError, match=r"missing: restore it"):
        copied.findings()
    one.write_bytes(kept)
    assert copied.findings()["diversity.above-unit"].verdict == "holds"


def test_a_value_that_its_raw_file_does_not_give_is_refused(copied: World) -> None:
    text = copied.records.path.read_text()
    record = next(r for r in map(json.loads, text.splitlines()) if r["metric"] == "quality-judged")
    copied.records.append(record | {"value": record["value"] + 1})
    with pytest.raises(UserError, match="its record"):
        copied.findings()
    copied.records.path.write_text(text)
    copied.records.append(record | {"raw": "../../elsewhere.npz"})
    with pytest.raises(UserError, match="lies outside"):
        copied.findings()


def test_more_claims_make_each_harder(world: World) -> None:
    from claims_world import PRESET

    from reproduce.claims.evidence import Evidence
    from reproduce.claims.statements import claims
    from reproduce.claims.statistics import Draws
    from reproduce.claims.verdicts import Court
    from reproduce.experiments import load_preset

    stated = [c for c in claims(load_preset(PRESET)) if c.id.startswith("diversity.munit-wo-s")]
    many = [replace(stated[0], id=f"diversity.{i}") for i in range(40)]
    evidence = Evidence(world.results, PRESET)
    (alone,) = Court(stated, evidence, Draws()).verdicts()
    crowd = Court(many, evidence, Draws()).verdicts()
    assert alone.p == crowd[0].p and crowd[0].p_corrected == pytest.approx(40 * alone.p)
    assert crowd[0].low < alone.low and crowd[0].high > alone.high
    assert alone.level == 0.95
