"""Table 2 from nothing to print, with runs that learn nothing and classifiers that only claim to
know; and what would be measured wrongly is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reading import csv_rows
from steps_here import make_here, records_of, results_of, weights_of
from stored_judges import TINY, store_classifiers
from tiny import last, places

from benchmarks.metrics.content_confusion import CONTENT_CONFUSION, confusion
from benchmarks.metrics.mode_scores import load_mode_scores
from reproduce.commands.cli import main
from reproduce.experiments.places import Places
from reproduce.experiments.preset import TABLE2_METHODS, load_preset
from reproduce.experiments.run import parse_settings
from reproduce.measuring.content_readers import FACTORS, content_of
from reproduce.measuring.modes import mode_classifier
from reproduce.measuring.subject import Pictures, open_pictures
from reproduce.tasks.modes import open_modes, truth_folder

TASK = "drawn-housecats-dogs"
CONTENT = CONTENT_CONFUSION.name
PRESET = """
extends: quick
about: A few samples of a few inputs.
measure: {protocol: paper, inputs: 8, samples: 38, mode_inputs: 3, mode_samples: 11}
"""


def words(root: Path) -> list[str]:
    small = [f"--set={setting}" for setting in TINY]
    (root / "mini.yaml").write_text(PRESET)
    preset = f"--preset={root / 'mini.yaml'}"
    return ["table", "2", preset, "--no-progress", *places(root), *small]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("table2")
    store_classifiers(root)
    make_here(words(root), root / "plan.json")
    return root


def test_prints_both_directions_once(made: Path, said) -> None:
    before = records_of(made).path.read_text()
    printed = said(words(made)).out
    assert printed.count("| house cats -> dogs ") == printed.count("| dogs -> house cats ") == 4
    assert "1.231" in printed and "1.034" in printed  # the paper's MUNIT
    assert records_of(made).path.read_text() == before, "measured again"
    assert {p.name for p in results_of(made).glob("*.*")} >= {
        "table2.md", "table2.csv", "table2.tex", f"modes-{TASK}.png", "records.jsonl",
    }  # fmt: skip


def test_records_name_classifier_direction_and_raw_probabilities(made: Path) -> None:
    records = records_of(made).all()
    cis = [r for r in records if r["metric"] == "cis"]
    assert {(r["method"], r["translation"]) for r in cis} == {
        (m, d) for m in TABLE2_METHODS for d in ("a2b", "b2a")
    }
    for r in cis:
        assert r["protocol"]["accuracy"] == 1.0 and len(r["protocol"]["sha256"]) == 64
        target = {"a2b": "dogs", "b2a": "house cats"}[r["translation"]]
        assert r["protocol"]["domain"] == target
        scores = load_mode_scores(made / "results" / r["raw"])
        assert scores.probabilities.shape == (3, 11, 4)
        assert r["value"] == pytest.approx(scores.sums.scores()[1], abs=1e-15)
        assert set(r["modes"]) == set(r["protocol"]["modes"])
    unit = next(r for r in cis if r["method"] == "munit")
    assert "husky" in unit["modes"] or "siamese" in unit["modes"]
    real = [r for r in records if r["method"] == "real" and r["metric"] == "is"]
    assert {r["translation"] for r in real} == {"a2b", "b2a"}


def test_records_of_content_name_what_was_read(made: Path) -> None:
    every = [r for r in records_of(made).all() if r["metric"] == CONTENT]
    content = {(r["method"], r["translation"]): r for r in every}
    assert set(content) == {(m, d) for m in (*TABLE2_METHODS, "real") for d in ("a2b", "b2a")}
    for (method, direction), r in content.items():
        with np.load(made / "results" / r["raw"]) as raw:
            shown = (8, 1) if method == "real" else (3, 10)
            assert raw["predictions"].shape == (*shown, len(FACTORS))
            kept, truth = raw["predictions"], raw["truth"]
        assert r["value"] == pytest.approx(confusion(kept, truth).mean(), abs=1e-12)
        # The truth is that of the inputs: of real pictures, which are none's, their own.
        part = "testA" if (direction == "a2b") != (method == "real") else "testB"
        (folder,) = (p for p in (made / "data").iterdir() if (p / "testA").is_dir())
        modes = open_modes(folder)
        ids = sorted(name for of, name in modes.rows if of == part)[: len(truth)]
        assert np.allclose(truth, content_of(modes, part, ids))  # the scale is one


def test_a_weak_classifier_is_refused(made, tmp_path, refused):
    weak = store_classifiers(made, accuracy=0.9)
    try:
        plan = f"--plan={tmp_path / 'plan.json'}"
        elsewhere = last([*words(made), f"--results={tmp_path / 'results'}", plan])
        assert main(elsewhere) == 0
        error = refused(["step", f"modes/{TASK}/seed0", plan, "--threads=1"])
        assert "0.900" in error and "floor" in error
        assert not list(tmp_path.glob("results/*/records.jsonl"))
    finally:
        for path in weak:
            path.unlink()
        store_classifiers(made)


def test_tasks_that_share_a_domain_share_its_classifier(tmp_path: Path) -> None:
    run = load_preset("quick").table_runs(2, 0, parse_settings(TINY))[0]
    places = Places(tmp_path / "data", tmp_path, tmp_path, progress=False)
    cats_dogs, cats_cats = (
        open_pictures(replace(run, task=task), places)
        for task in ("drawn-housecats-dogs", "drawn-housecats-bigcats")
    )

    def paths(pictures: Pictures) -> list[Path]:
        return [mode_classifier(pictures, domain, places).path for domain in "ab"]

    (cats, dogs), (same_cats, big_cats) = paths(cats_dogs), paths(cats_cats)
    assert cats == same_cats and len({cats, dogs, big_cats}) == 3

    # Other pictures, or other modes for the same pictures, need another.
    picture = next((cats_cats.domains.folder / "trainA").iterdir())
    shown = picture.read_bytes()
    picture.write_bytes(shown + b"0")
    assert paths(cats_cats)[0] != cats
    picture.write_bytes(shown)
    rows = dict(cats_cats.modes.rows)
    key = next(k for k in rows if k[0] == "trainA" and rows[k]["mode"] == "tabby")
    rows[key] = {**rows[key], "mode": "black"}
    cats_cats.modes = replace(cats_cats.modes, rows=rows)
    assert paths(cats_cats)[0] != cats


def test_several_seeds_make_what_is_missing_and_print_means(made: Path, said) -> None:
    alone = said(words(made)).out
    weights = weights_of(made)
    figure = results_of(made) / f"modes-{TASK}.png"
    shown = figure.read_bytes()
    (folder,) = (p for p in (made / "data").iterdir() if p.name.startswith(TASK) and p.suffix == "")
    truth = {p: p.read_bytes() for p in truth_folder(folder).rglob("*") if p.is_file()}
    shutil.rmtree(truth_folder(folder))
    both = [*words(made), "--seeds", "0", "1"]
    make_here(both, made / "plan.json")
    printed = said(both).out
    assert {p: p.read_bytes() for p in truth} == truth, "drawn again"
    assert "means over 2 trainings (seeds 0, 1)" in printed and "one training" in alone
    now = weights_of(made)
    new = {path.parent.name for path in now.keys() - weights.keys()}
    assert new == {f"{method}-seed1" for method in TABLE2_METHODS}
    assert now | weights == now, "trained again"
    assert figure.read_bytes() == shown, "one training is shown"

    of = ("is", "unit", "a2b")
    values = [
        r["value"]
        for r in records_of(made).all()
        if (r["metric"], r["method"], r["translation"]) == of
    ]
    assert len(values) == 2
    row = next(r for r in csv_rows(results_of(made) / "table2.csv") if r["method"] == "unit")
    assert float(row["is"]) == pytest.approx(np.mean(values))
    assert float(row["is_deviation"]) == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert row["is_seeds"] == "2"

    before = records_of(made).path.read_text()
    assert said(both).out == printed
    assert records_of(made).path.read_text() == before, "measured again"
