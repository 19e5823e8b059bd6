"""Observed quality of tiny trained runs, and that the observer tells good pictures from bad ones."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

import reproduce.analysis.preference_evidence
import reproduce.measuring.preference
from benchmarks.files import sha256_file
from benchmarks.metrics.observer import preferred
from benchmarks.metrics.preference_evidence import DEGRADATIONS, LEVELS
from benchmarks.pictures import to_bytes
from models.errors import UserError
from reproduce.analysis.preference_evidence import write_evidence
from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.kind import Found
from reproduce.measuring.kinds import measure_runs
from reproduce.measuring.preference import OTHERS, OWN, SAMPLES, WAYS, PreferenceKind
from reproduce.measuring.subject import Subject, open_pictures
from reproduce.measuring.submission import measure_row
from reproduce.records.store import REAL, Records
from reproduce.tasks.pictures import Preparation
from reproduce.training.trained import checkpoint_of

PRESET = load_preset("quick")
METHODS = ("munit", "unit", "cyclegan")
INPUTS = 8
RUNS = [tiny.run_of(method, steps=2, train=16, test=INPUTS) for method in METHODS]


def preferring(by: str, run: RunConfig, places: Places) -> PreferenceKind:
    return WAYS[by](open_pictures(run, places), places, PRESET.measure)


@pytest.fixture(scope="module")
def trained_places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    places = tiny.places_of(tmp_path_factory.mktemp("observed"))
    for run in RUNS:
        tiny.train_in_place(PRESET, run, places)
    return places


@pytest.fixture
def places(trained_places: Places, tmp_path: Path) -> Places:
    return replace(trained_places, results=tmp_path)


@pytest.fixture(scope="module")
def observer(trained_places: Places) -> PreferenceKind:
    return preferring("observed", RUNS[0], trained_places)


@pytest.fixture(scope="module")
def found(trained_places: Places) -> dict[str, Found]:
    """What is recorded of all runs."""
    return measure_runs(["observed"], PRESET, RUNS, trained_places)


@pytest.fixture(scope="module")
def photos(observer: PreferenceKind) -> Tensor:
    """The real pictures of the test inputs, uint8 (I, 3, H, W)."""
    source = observer.pictures.domains.test_b
    return to_bytes(torch.stack([observer.pictures.read(source, i) for i in range(INPUTS)]))


def one_by_one(pictures: Tensor) -> Iterator[Tensor]:
    return iter(pictures[:, None].float() / 127.5 - 1)


def test_all_methods_and_real_pictures_are_recorded_once(trained_places, observer, found):
    places = trained_places
    assert set(found) == {*METHODS, REAL}
    reference = sha256_file(checkpoint_of(PRESET, RUNS[0], places))
    for method, by_metric in found.items():
        quality, distance = by_metric["quality-observed"], by_metric["truth-distance"]
        assert quality["protocol"]["reference_sha256"] == reference
        assert quality["protocol"]["right"] == 64 and quality["method"] == method
        told = quality["protocol"]
        assert (told["extractor"], told["version"]) == ("lpips", "0.1")
        with np.load(places.results / quality["raw"], allow_pickle=False) as file:
            shares = preferred(file["distances"], file["reference"])
            assert 100 * shares.mean() == pytest.approx(quality["value"])
            mean = file["distances"].mean(axis=1, dtype=np.float64).mean()
            assert file["distances"].shape == (INPUTS, SAMPLES)
        assert mean == distance["value"]
        (seen,) = observer.see({REAL: observer.perfect()}, [observer.lpips], INPUTS)
    with np.load(places.results / found[REAL]["truth-distance"]["raw"]) as file:
        np.testing.assert_array_equal(file["distances"], seen[REAL].min(axis=2))
    # These networks learned nothing; their pictures are no shoes.
    assert found[REAL]["quality-observed"]["value"] == 100
    assert measure_runs(["observed"], PRESET, RUNS, places) == found
    assert len(Records(places.results, "quick").all()) == 2 * len(found)


def test_what_else_is_looked_at_changes_no_bit(places: Places, found: dict[str, Found]) -> None:
    alone = measure_runs(["observed"], PRESET, RUNS[1:2], places)
    # Without MUNIT there is nothing to prefer a method to.
    assert set(alone["unit"]) == set(alone[REAL]) == {"truth-distance"}
    for method in ("unit", REAL):
        one, two = (of[method]["truth-distance"] for of in (found, alone))
        assert one["value"] == two["value"] and one["raw_sha256"] == two["raw_sha256"]
    # What a later MUNIT is preferred to is looked at again, and nothing else is.
    measure_runs(["observed"], PRESET, RUNS[:2], places)
    assert len(Records(places.results, "quick").all()) == 2 + 2 * 3


def test_preference_over_a_reference_that_was_trained_anew_is_asked_again(places, tmp_path, found):
    again = replace(places, runs=shutil.copytree(places.runs, tmp_path / "runs"))
    longer = replace(RUNS[0], steps=3)
    shutil.rmtree(checkpoint_of(PRESET, longer, again).parent)
    reference = sha256_file(tiny.train_in_place(PRESET, longer, again))
    new = measure_runs(["observed"], PRESET, [longer, RUNS[1]], again)
    for method in ("unit", REAL):
        assert new[method]["quality-observed"]["protocol"]["reference_sha256"] == reference
        for metric, same in (("truth-distance", True), ("quality-observed", False)):
            raw = (of[method][metric]["raw_sha256"] for of in (found, new))
            assert (len(set(raw)) == 1) is same


def test_a_row_is_preferred_to_a_reference_whose_distances_were_kept(
    trained_places: Places, tmp_path: Path, found: dict[str, Found]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (INPUTS, 38, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", samples=noise)
    made, preset = [], replace(PRESET, measure=replace(PRESET.measure, inputs=INPUTS))
    for runs in (trained_places.runs, tmp_path / "none"):
        results = tmp_path / f"results-{runs.name}"
        shutil.copytree(trained_places.results, results)
        places = replace(trained_places, runs=runs, results=results)
        for _ in range(2):  # the second time it is on record
            row = measure_row(preset, RUNS, places, 1, "Mine", tmp_path / "mine.npz")
        made.append(row["quality-observed"])
        again = Records(results, "quick").all()
        assert sum(record["method"] == "Mine" for record in again) == len(row)
    one, two = made
    assert one["value"] == two["value"] < 50 and one["raw_sha256"] == two["raw_sha256"]
    assert one["protocol"] == two["protocol"] and one["interval"] == two["interval"]


def test_the_reference_is_set_against_other_samples_of_its_own(places, observer):
    assert not set(OWN) & set(OTHERS) and len(OWN) == len(OTHERS) == SAMPLES
    munit = Subject(PRESET, RUNS[0], places, observer.pictures)
    both = [next(observer.translations(munit, of)) for of in (OWN, OTHERS)]
    assert both[0].shape == both[1].shape == (SAMPLES, 3, 32, 32)
    assert not any(torch.equal(one, two) for one in both[0] for two in both[1])


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_the_more_a_real_picture_is_spoiled_the_farther_it_is(kind, observer, photos):
    levels = LEVELS[kind]
    shown = {str(v): one_by_one(DEGRADATIONS[kind](photos, v, 1)) for v in levels}
    (seen,) = observer.see(shown, [observer.lpips], INPUTS, right=16)
    nearest = [seen[str(v)].min(axis=2) for v in levels]
    means = [float(of.mean()) for of in nearest]
    assert means == sorted(means) and len(set(means)) == len(means)
    assert preferred(nearest[0], nearest[-1]).mean() == 1


def test_a_picture_of_the_right_input_is_nearer_than_one_of_another(observer, photos):
    shown = {"right": one_by_one(photos), "wrong": one_by_one(photos.roll(1, dims=0))}
    (seen,) = observer.see(shown, [observer.lpips], INPUTS, right=16)
    nearest = {key: of.min(axis=2) for key, of in seen.items()}
    assert preferred(nearest["right"], nearest["wrong"]).mean() > 0.9
    # More true pictures can only be nearer.
    assert (seen["right"][:, :, :8].min(axis=2) >= nearest["right"]).all()


def test_the_evidence_is_a_file_that_is_written_once(places, monkeypatch):
    monkeypatch.setattr(reproduce.analysis.preference_evidence, "INPUTS", 3)
    (path,) = write_evidence(PRESET, RUNS, places, "observed")
    assert path.name == "observed-drawn-shoes.md"
    text = path.read_text()
    assert re.search(r"\| real +\| +\| reference +\| +100\.0%", text) and "(the first 3)" in text
    assert text.count("| LPIPS 0.1, ") == 6 and "| squared error, 64" in text
    usual = next(line for line in text.splitlines() if line.startswith("| LPIPS 0.1, 64 "))
    assert [cell.strip() for cell in usual.split("|")[-3:-1]] == ["1.00", "1.00"]
    others = next(line for line in text.splitlines() if line.startswith("| LPIPS 0.1, 64 others"))
    assert others.split("|")[2:] != usual.split("|")[2:]
    # What learned nothing cannot get worse, and the file says so.
    assert "reference with blur, more and more of it" in text.split("unexpected result")[1]

    def never(*arguments: object) -> None:
        raise AssertionError("looked at again")

    monkeypatch.setattr(reproduce.measuring.preference, "true_pictures", never)
    assert write_evidence(PRESET, RUNS, places, "observed") == [path]
    assert path.read_text() == text


def test_a_judge_takes_photos_of_the_nearest_training_inputs(trained_places: Places) -> None:
    judge = preferring("judged", RUNS[0], trained_places)
    (inputs, photos), few = judge.pictures.domains.pairs, 4
    fixed = Preparation(32).at_test()
    known = judge.lpips.features(torch.stack([fixed(inputs.read(i)) for i in range(len(inputs))]))
    for number, right in enumerate(judge.right(few)):
        own = judge.lpips.features(fixed(judge.pictures.domains.test_a.read(number))[None])
        far = [float(judge.lpips.distance(own, k[None])) for k in known]
        nearest = sorted(range(len(far)), key=far.__getitem__)[:few]
        assert torch.equal(right, torch.stack([fixed(photos.read(i)) for i in nearest]))


def test_without_pairs_a_judge_takes_the_nearest_photos(places: Places, tmp_path: Path) -> None:
    own = replace(RUNS[0], task=str(tiny.data_set(tmp_path / "bags", count=4)))
    judge = preferring("judged", own, places)
    assert judge.pictures.domains.pairs is None
    shown = next(judge.right(4))
    photos = [judge.pictures.read(judge.pictures.domains.train_b, i) for i in range(4)]
    assert {p.numpy().tobytes() for p in shown} == {p.numpy().tobytes() for p in photos}


def test_pictures_whose_truth_is_unknown_are_refused(places: Places, tmp_path: Path) -> None:
    own = replace(RUNS[0], task=str(tiny.data_set(tmp_path / "bags", count=4)))
    with pytest.raises(UserError, match="truth is not known"):
        measure_runs(["observed"], PRESET, [own], places)
    with pytest.raises(ValueError, match="one task"):
        measure_runs(["observed"], PRESET, [RUNS[0], replace(RUNS[1], seed=1)], places)
