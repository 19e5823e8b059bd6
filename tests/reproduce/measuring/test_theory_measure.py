"""Styles and contents of tiny trained runs: records, raw values, what is skipped and refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from benchmarks.files import sha256_file
from benchmarks.metrics.theory import contents, styles
from models.errors import UserError
from models.zoo import METHODS
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring import codes as theory_measure
from reproduce.measuring.codes import encoded_by, scores_of
from reproduce.measuring.kinds import measure_runs
from reproduce.records.store import Records
from reproduce.tasks.pictures import Preparation
from reproduce.training.checkpoints import load_method
from reproduce.training.trained import checkpoint_of

PRESET = load_preset("quick")
SHOES, CATS = "drawn-shoes", "drawn-housecats-dogs"
STYLES = {metric.name for metric in styles.METRICS}
CONTENTS = {metric.name for metric in contents.METRICS}
OF_PAIRS = {metric.name for metric in contents.OF_PAIRS}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("theory")


@pytest.fixture
def places(root: Path, tmp_path: Path) -> Places:
    return replace(tiny.places_of(root), results=tmp_path / "results")


@pytest.fixture(scope="module")
def runs(root: Path) -> dict[tuple[str, str], RunConfig]:
    """Trained by (method, task)."""
    found = {}
    for method, task in (("munit", SHOES), ("unit", SHOES), ("bicyclegan", SHOES), ("munit", CATS)):
        run = tiny.run_of(method, task, steps=2, train=12, test=9)
        tiny.train_in_place(PRESET, run, tiny.places_of(root))
        found[method, task] = run
    return found


def measure_codes(run: RunConfig, places: Places):
    return measure_runs(["theory"], PRESET, [run], places)[run.method]


def opened(places: Places, run: RunConfig):
    """Its pictures, and its network."""
    return open_run_task(run, places), load_method(checkpoint_of(PRESET, run, places))[0]


def pictures(source, run: RunConfig) -> torch.Tensor:
    fixed = Preparation(run.size).at_test()
    return torch.stack([fixed(source.read(i)) for i in range(len(source))])


def test_what_each_method_encodes() -> None:
    found = {method: encoded_by(method) for method in METHODS}
    munits = {"munit", "munit-wo-x", "munit-wo-c", "munit-wo-s"}
    assert {m for m in found if found[m].get("styles") == "ab"} == munits
    assert {m for m in found if found[m].get("styles") == "b"} == {"bicyclegan"}
    assert {m for m in found if "contents" in found[m]} == munits | {"unit", "unit-release"}


def test_munit_on_pairs_has_every_number(runs, places) -> None:
    run = runs["munit", SHOES]
    found = measure_codes(run, places)
    assert set(found) == STYLES | CONTENTS
    stored = Records(places.results, "quick").all()
    assert [r["metric"] for r in stored] == [r["metric"] for r in found.values()]
    checkpoint = sha256_file(checkpoint_of(PRESET, run, places))
    for record in stored:
        assert (record["task"], record["method"], record["seed"]) == (SHOES, "munit", 0)
        assert record["checkpoint_sha256"] == checkpoint
        assert "translation" not in record
        assert sha256_file(places.results / record["raw"]) == record["raw_sha256"]
        assert record["interval"]["low"] <= record["value"] <= record["interval"]["high"]
    assert found["content-pair-distance"]["protocol"]["paired"]
    assert found["style-mmd"]["protocol"]["protocol"] == "styles@9"


def test_raw_styles_are_what_the_encoders_say(runs, places) -> None:
    run = runs["munit", SHOES]
    record = measure_codes(run, places)["style-mean-norm"]
    domains, method = opened(places, run)
    with np.load(places.results / record["raw"]) as arrays, torch.no_grad():
        for domain, source in (("a", domains.test_a), ("b", domains.test_b)):
            encoder = getattr(method, f"gen_{domain}").style
            assert arrays[domain] == pytest.approx(encoder(pictures(source, run)).numpy(), abs=1e-5)
        norms = [np.sqrt(np.square(arrays[d].mean(axis=0)).mean()) for d in "ab"]
    assert record["value"] == pytest.approx(np.mean(norms), rel=1e-4)


def test_raw_contents_give_their_records(runs, places) -> None:
    run = runs["unit", SHOES]
    found = measure_codes(run, places)
    assert set(found) == CONTENTS
    with np.load(places.results / found["content-domain-accuracy"]["raw"]) as arrays:
        assert found["content-domain-accuracy"]["value"] == arrays["hits"].mean()
        ratio = arrays["same"].mean() / arrays["others"].mean()
        assert found["content-pair-distance"]["value"] == pytest.approx(ratio)
        assert found["content-retrieval-rank"]["value"] == pytest.approx(arrays["ranks"].mean())
    domains, method = opened(places, run)
    with torch.no_grad():
        a = method.encode(pictures(domains.test_a, run), "a")
        b = method.encode(pictures(domains.test_b, run), "b")
    distances = (a[:, None] - b[None]).abs().mean((2, 3, 4))
    off = distances.sum() - distances.trace()
    truth = distances.diagonal().mean() / (off / 72)
    assert found["content-pair-distance"]["value"] == pytest.approx(float(truth), rel=1e-4)


def test_bicyclegans_styles_are_draws_by_picture(runs, places, monkeypatch) -> None:
    run = runs["bicyclegan", SHOES]
    domains, method = opened(places, run)
    with torch.no_grad():
        method.encoder.logvar.bias.add_(2.0)  # untrained, it says 0 throughout
    whole = scores_of("styles", method, run, domains)
    assert set(whole.arrays) == {"b"} and whole.ids == {"b": domains.test_b.ids}
    monkeypatch.setattr(theory_measure, "BATCH", 2)
    again = scores_of("styles", method, run, domains)
    assert again.arrays["b"] == pytest.approx(whole.arrays["b"], abs=1e-5)
    with torch.no_grad():
        mean, logvar = method.encoder(pictures(domains.test_b, run))
    eps = (whole.arrays["b"] - mean.numpy()) / (0.5 * logvar).exp().numpy()
    assert 0.7 < eps.std() < 1.3 and np.unique(eps.round(4)).size == eps.size
    other = scores_of("styles", method, replace(run, seed=1), domains)
    assert np.abs(other.arrays["b"] - whole.arrays["b"]).max() > 0.1


def test_equal_names_alone_are_no_pairs(runs, places) -> None:
    run = runs["munit", CATS]
    domains = open_run_task(run, places)
    assert domains.test_a.ids == domains.test_b.ids
    assert set(measure_codes(run, places)) == STYLES | CONTENTS - OF_PAIRS


def test_many_pictures_are_thinned_alike_in_both_domains(runs, places, monkeypatch) -> None:
    monkeypatch.setattr(theory_measure, "MOST", 8)
    run = runs["munit", SHOES]
    domains, method = opened(places, run)
    part = scores_of("contents", method, run, domains)
    assert part.ids["a"] == part.ids["b"] == domains.test_a.ids[:8]
    assert part.scored[0].measurement.protocol["N"] == 8


def test_runs_that_cannot_be_measured_are_refused(runs, places, tmp_path) -> None:
    run = runs["munit", SHOES]
    with pytest.raises(UserError, match="no checkpoint .*: train first"):
        measure_codes(run, replace(places, runs=tmp_path / "none"))
    with pytest.raises(UserError, match="is at step 2 of 7: finish its training"):
        measure_codes(replace(run, steps=7), places)
    with pytest.raises(UserError, match="the pictures of .* are not those"):
        measure_codes(replace(run, train=13), places)
