"""Fidelity and exact scores of tiny trained runs: records, caches, refusals; real pictures win."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import torch_fidelity

from benchmarks.classifiers import RECIPES, Classifier, SmallResNet, load_classifier
from models.errors import UserError
from models.init import initialise
from reproduce.checkpoints import load_method, read_checkpoint
from reproduce.cli import main
from reproduce.exact import ExactTask, measure_exact, measure_real_exact, same_styles
from reproduce.experiments import load_preset
from reproduce.fidelity import counts, measure_fidelity, measure_real_fidelity, reference
from reproduce.instruments import (
    RECIPE,
    Instruments,
    chosen,
    classifier_path,
    open_instruments,
    task_classifier,
)
from reproduce.places import REAL, Places, open_run_task
from reproduce.randomness import generator
from reproduce.results import Records
from reproduce.tasks.pictures import Preparation, save_png
from reproduce.translate import stream
from reproduce.truth import Truth, truth_of

PRESET = load_preset("quick")
SIZES = {"train": 150, "test": 12}  # 12 inputs in 12 samples: 144 pictures a side


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def checkpoints(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for method in ("munit", "cyclegan"):
        out = tmp_path_factory.mktemp(method) / "run"
        assert main(tiny.train_words(method, out, data, **SIZES)) == 0
        found[method] = out / "last.safetensors"
    return found


def run_of(checkpoint: Path):
    return read_checkpoint(checkpoint, weights_only=True).run


@pytest.fixture
def places(data: Path, tmp_path: Path) -> Places:
    return Places(data, tmp_path / "runs", tmp_path / "results", progress=False)


def store_classifier(run, places: Places, **accuracy: float) -> Path:
    """An untrained classifier where a trained one would be."""
    domains = open_run_task(run, places)
    truth = truth_of(domains, run.size)
    path = classifier_path(domains, truth, domains.fingerprint(), places.runs, RECIPES[RECIPE], 0)
    network = SmallResNet(RECIPES[RECIPE], truth.heads)
    initialise(network, "kaiming", torch.Generator().manual_seed(0))
    every = dict.fromkeys(truth.heads, 0.95) | accuracy
    Classifier(RECIPES[RECIPE], truth.heads, network, every, {}).save(path)
    return path


@pytest.fixture
def instruments(checkpoints, places) -> Instruments:
    run = run_of(checkpoints["munit"])
    store_classifier(run, places)
    return open_instruments(run, places)


def test_fidelity_is_recorded_once_and_is_that_of_the_saved_pictures(
    checkpoints, places, instruments, tmp_path
):
    checkpoint = checkpoints["munit"]
    run = run_of(checkpoint)
    found = measure_fidelity(PRESET, run, checkpoint, places, instruments)
    assert set(found) == {f"{s}-small-resnet-2" for s in ("fid", "kid", "precision", "recall")}
    record = found["fid-small-resnet-2"]
    assert record["protocol"]["protocol"] == "12x10-vs-120"
    assert record["protocol"]["resolution"] == [32, 32]
    assert record["method"] == "munit"
    assert record["interval"]["over"] == "inputs"
    assert (places.results / record["raw"]).is_file()

    records = Records(places.results, PRESET.name)
    assert len(records.all()) == 4
    assert measure_fidelity(PRESET, run, checkpoint, places, instruments) == found
    assert len(records.all()) == 4

    method, _ = load_method(checkpoint, "cpu")
    domains = instruments.domains
    pictures = stream(method, domains.test_a, Preparation(32), samples=10, seed=run.seed)
    for side in ("fake", "real"):
        (tmp_path / side).mkdir()
    for name, k, picture in pictures:
        save_png(picture, tmp_path / "fake" / f"{name}_sample{k:02d}.png")
    for i in chosen(120, 150, 0):
        domains.train_b.read(i).save(tmp_path / "real" / f"{domains.train_b.ids[i]}.png")
    (saved,) = (places.runs / "classifiers").glob("*.safetensors")
    expected = torch_fidelity.calculate_metrics(
        input1=str(tmp_path / "fake"), input2=str(tmp_path / "real"), feature_extractor=RECIPE,
        feature_extractor_weights_path=str(saved), fid=True, kid=True, prc=True,
        kid_subsets=1, kid_subset_size=120, cuda=False, cache=False, save_cpu_ram=True,
        verbose=False,
    )  # fmt: skip
    assert record["value"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    kid = expected["kernel_inception_distance_mean"]
    assert found["kid-small-resnet-2"]["value"] == pytest.approx(kid, rel=1e-3)
    assert found["recall-small-resnet-2"]["value"] == expected["recall"]


def test_real_pictures_are_nearest_to_real_pictures(checkpoints, places, instruments):
    run = run_of(checkpoints["munit"])
    real = reference(instruments)
    assert real.values.shape == (120, 64)
    best = measure_real_fidelity(PRESET, run, places, instruments, lambda: real)
    theirs = measure_fidelity(PRESET, run, checkpoints["munit"], places, instruments, lambda: real)
    assert best["fid-small-resnet-2"]["method"] == REAL
    assert best["fid-small-resnet-2"]["value"] < theirs["fid-small-resnet-2"]["value"]
    assert best["kid-small-resnet-2"]["value"] < theirs["kid-small-resnet-2"]["value"]
    assert best["precision-small-resnet-2"]["value"] > 0.5
    assert measure_real_fidelity(PRESET, run, places, instruments, lambda: real) == best


def test_exact_scores_are_recorded_once_and_real_pictures_score_best(
    checkpoints, places, instruments
):
    run = run_of(checkpoints["munit"])
    task = ExactTask(instruments)
    assert len(task.names) == 12
    theirs = measure_exact(PRESET, run, checkpoints["munit"], places, task)
    best = measure_real_exact(PRESET, run, places, task)
    assert set(best) - set(theirs) == {"silhouette-iou"}
    assert {"style-consistency", "parts-auc", "category-kept", "colour-distance"} <= set(theirs)
    for metric in ("parts-auc", "colour-entropy", "style-consistency"):
        assert best[metric]["value"] > theirs[metric]["value"]
    assert best["colour-distance"]["value"] < theirs["colour-distance"]["value"]
    assert best["silhouette-iou"]["value"] > 0.95
    assert best["style-consistency"]["value"] > 0.7
    assert theirs["parts-auc"]["protocol"]["protocol"] == "12x20-vs-150"
    with np.load(places.results / theirs["parts-auc"]["raw"], allow_pickle=False) as raw:
        assert raw["colours"].shape == (12, 20, 3)
        entropies = theirs["colour-entropy"]
        assert entropies["protocol"]["N"] == 12

    records = Records(places.results, PRESET.name)
    before = len(records.all())
    assert measure_exact(PRESET, run, checkpoints["munit"], places, task) == theirs
    assert measure_real_exact(PRESET, run, places, task) == best
    assert len(records.all()) == before


def test_a_deterministic_method_has_no_style_to_be_constant(checkpoints, places, instruments):
    run = run_of(checkpoints["cyclegan"])
    task = ExactTask(instruments)
    method, _ = load_method(checkpoints["cyclegan"], "cpu")
    noiseless = replace(method.config, dropout=False)
    plain = type(method)(noiseless, torch.Generator().manual_seed(0)).eval()
    assert plain.sampling_noise(32, 32) == {}
    assert task.consistency(same_styles(plain, task, Preparation(32), 0)) is None
    assert task.consistency(same_styles(method, task, Preparation(32), run.seed)) is not None


def test_one_style_is_the_same_noise_for_every_content(checkpoints, instruments):
    task = ExactTask(instruments)
    method, _ = load_method(checkpoints["munit"], "cpu")
    translated = {(n, k): p for n, k, p in same_styles(method, task, Preparation(32), 0)}
    assert len(translated) == 12 * 20
    fixed = Preparation(32).at_test()
    noise = method.draw_noise(1, 32, 32, generator(0, "one style", 3))
    for i in (0, 5):
        x = fixed(instruments.domains.test_a.read(i))[None]
        with torch.no_grad():
            expected = method.translate(x, "a2b", noise)[0]
        found = translated[instruments.domains.test_a.ids[i], 3]
        assert torch.allclose(found, expected, atol=1e-4)


def test_the_classifier_is_trained_once_kept_and_refused_when_it_knows_too_little(
    checkpoints, places
):
    run = run_of(checkpoints["munit"])
    domains = open_run_task(run, places)
    truth = truth_of(domains, run.size)
    assert isinstance(truth, Truth)
    short = replace(RECIPES[RECIPE], steps=3)
    with pytest.raises(UserError, match=r"accurate at category, under the floor of 0.9"):
        task_classifier(domains, truth, "data", places, short)
    path = classifier_path(domains, truth, "data", places.runs, short, 0)
    first = load_classifier(path)
    assert first.facts["data_sha256"] == "data"
    assert first.facts["train"] == first.facts["held_out"] == 150
    stamp = path.stat().st_mtime_ns
    with pytest.raises(UserError, match="under the floor"):
        task_classifier(domains, truth, "data", places, short)
    assert path.stat().st_mtime_ns == stamp
    others = {
        classifier_path(domains, truth, "data", places.runs, RECIPES[RECIPE], 0),
        classifier_path(domains, truth, "other", places.runs, short, 0),
        classifier_path(domains, truth, "data", places.runs, short, 1),
    }
    assert len(others | {path}) == 4


def test_the_reference_is_not_what_the_classifier_was_trained_on(instruments):
    domains = instruments.domains
    assert domains.pairs is not None
    trained_on = {domains.pairs[1].path(i) for i in range(len(domains.pairs[1]))}
    compared = {domains.train_b.path(i) for i in range(len(domains.train_b))}
    assert not trained_on & compared
    assert chosen(5, 9, 0) == chosen(5, 9, 0) == sorted(set(chosen(5, 9, 0)))
    assert chosen(9, 9, 1) == list(range(9))


def test_what_does_not_fit_is_refused(checkpoints, places, instruments, tmp_path):
    run = run_of(checkpoints["munit"])
    with pytest.raises(UserError, match="is at step 3 of 9: finish its training"):
        instruments.trained_method(replace(run, steps=9), checkpoints["munit"], "cpu")
    other = replace(instruments, data="0" * 64)
    with pytest.raises(UserError, match="are not those that .* was trained on"):
        measure_fidelity(PRESET, run, checkpoints["munit"], places, other)
    few = replace(instruments.domains, train_b=instruments.domains.test_b)
    assert counts(replace(instruments, domains=few)) == (12, 1)
    with pytest.raises(UserError, match="12 pictures for 64 features"):
        measure_fidelity(
            PRESET, run, checkpoints["munit"], places, replace(instruments, domains=few)
        )
    store_classifier(run, places, category=0.5)
    with pytest.raises(UserError, match="0.500 accurate at category"):
        open_instruments(run, places)


def test_pictures_that_are_not_drawn_need_inception(tmp_path, monkeypatch):
    folder = tiny.data_set(tmp_path / "own")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    run = replace(load_preset("quick").make_run("munit", str(folder)), size=32)
    places = Places(tmp_path / "data", tmp_path / "runs", tmp_path / "results", progress=False)
    with pytest.raises(UserError, match="inception.pth: no such file"):
        open_instruments(run, places, inception=tmp_path / "inception.pth")
