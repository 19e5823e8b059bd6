"""An ablation's numbers, table and figure, from records whose numbers are known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ablating import IOU, curve, fill, made, store, width
from reading import csv_rows
from scipy import stats

from models.errors import UserError
from reproduce.analysis.ablation import ablation_table, curves_of, write_ablation
from reproduce.records.store import Records, record_id


def test_with_one_seed_it_is_the_records_own_interval(tmp_path: Path) -> None:
    ablation = made("recon_c=1,5", seeds=[4])
    for point in ablation.points:
        store(tmp_path, point.preset, point.runs[0], 0.5, **width(0.4, 0.6))
    for mean in curve(ablation, tmp_path).means:
        assert mean is not None and mean.estimate.deviation is None
        assert (mean.estimate.low, mean.estimate.high) == (0.4, 0.6)
    text = ablation_table(ablation, [curve(ablation, tmp_path)]).markdown()
    assert "one training per point (seed 4)" in text and "over inputs, not seeds" in text


def test_only_records_of_these_very_runs_count(tmp_path: Path) -> None:
    ablation = made("recon_c=1,5", seeds=[0])
    own, other = ablation.points
    run = own.runs[0]
    wrong: dict[str, Any] = {"value": 9.0}
    store(tmp_path, own.preset, run, 0.1)
    store(tmp_path, own.preset, run, 0.3)  # the newest counts
    store(tmp_path, other.preset, other.runs[0], 0.6)
    earlier = replace(run, steps=5)  # of an earlier version of the preset
    store(tmp_path, own.preset, earlier, **wrong)
    store(tmp_path, own.preset, run, **wrong, config={"method": "munit"})
    store(tmp_path, own.preset, run, **wrong, task="drawn-handbags")
    store(tmp_path, own.preset, run, **wrong, translation="a2b")
    store(tmp_path, own.preset, run, **wrong, metric="silhouette-iou2")
    store(tmp_path, own.preset, replace(run, seed=1), **wrong)
    store(tmp_path, own.preset, run, **wrong, method="munit-wo-c")
    assert [m and m.estimate.value for m in curve(ablation, tmp_path).means] == [0.3, 0.6]
    with pytest.raises(UserError, match=r"no record of diversity .* without --stored"):
        curves_of(ablation, ["diversity"], tmp_path)


def test_what_was_measured_in_another_way_is_left_out(tmp_path: Path) -> None:
    ablation = made("recon_c=1,5,7", seeds=[0])
    for number, point in enumerate(ablation.points):
        judge = {"protocol": "paper", "sha256": ("b" if number == 1 else "a") * 64}
        store(tmp_path, point.preset, point.runs[0], 0.5, protocol=judge)
    assert [m is not None for m in curve(ablation, tmp_path).means] == [True, False, True]
    assert "—" in ablation_table(ablation, [curve(ablation, tmp_path)]).markdown().split("\n")[5]
    # Pictures of another size have a judge of their own; the caption says so.
    ablation = made("size=16,32", seeds=[0])
    for letter, point in zip("ab", ablation.points, strict=True):
        judge = {"protocol": "paper", "sha256": letter * 64}
        store(tmp_path, point.preset, point.runs[0], 0.5, protocol=judge)
    found = curve(ablation, tmp_path)
    assert all(found.means)
    assert "its own measuring networks" in ablation_table(ablation, [found]).markdown()


def test_real_pictures_are_those_that_were_measured_on(tmp_path: Path) -> None:
    ablation = made("recon_c=1,5", seeds=[0])
    fill(tmp_path, ablation, {(1.0,): [0.5], (5.0,): [0.6]})
    real: dict[str, Any] = {"method": "real", "config": None}
    run = ablation.own[0]
    assert curve(ablation, tmp_path).real is None
    store(tmp_path, ablation.preset, run, 0.9, **real)
    store(tmp_path, ablation.preset, run, 0.1, **real | {"data_sha256": "e" * 64})
    store(tmp_path, ablation.preset, run, 0.2, **real | {"size": 64})
    judge = {"protocol": "paper", "sha256": "b" * 64}
    store(tmp_path, ablation.preset, run, 0.3, **real | {"protocol": judge})
    found = curve(ablation, tmp_path)
    assert found.real is not None and found.real.estimate.value == 0.9
    assert ablation_table(ablation, [found]).parts[0].lines[-1] == ["real data", "0.9000"]


def test_the_csv_has_means_and_every_seed_with_its_record(tmp_path: Path) -> None:
    ablation = made("recon_c=0,1,5")
    values = {(0.0,): [0.1, 0.2, 0.4], (1.0,): [0.5, 0.6, 0.6], (5.0,): [0.7, 0.9]}
    fill(tmp_path, ablation, values)
    curves = curves_of(ablation, [IOU], tmp_path)
    paths = write_ablation(ablation, curves, tmp_path)
    assert [p.name for p in paths] == [f"{ablation.name}.{end}" for end in ("md", "csv", "json")]
    assert paths[0].parent == tmp_path / "cpu" / "ablations"
    assert paths[0].read_text(encoding="utf-8") == ablation_table(ablation, curves).markdown()
    rows = csv_rows(paths[1])
    means = [row for row in rows if row["seed"] == "mean"]
    assert [row["recon_c"] for row in means] == ["0", "1", "5"]
    assert [row["default"] for row in means] == ["false", "true", "false"]
    assert [row["method"] for row in means] == ["munit-wo-c", "munit", "munit"]
    assert [row["seeds"] for row in means] == ["3", "3", "2"]
    for row, of_seeds in zip(means, values.values(), strict=True):
        mean, error = np.mean(of_seeds), stats.sem(of_seeds)
        ends = np.clip(stats.t.interval(0.95, len(of_seeds) - 1, mean, error), 0, 1)
        told = [float(row[name]) for name in ("value", "low", "high")]
        assert told == pytest.approx([mean, *ends], abs=1e-8)
    # Differences are between the same seeds: 0.2 and 0.3.
    assert means[1]["difference"] == "" and float(means[2]["difference"]) == pytest.approx(0.25)
    assert float(means[2]["difference_high"]) == pytest.approx(0.25 + 12.7062 * 0.05, rel=1e-4)
    ids = {record_id(r) for p in ablation.points for r in Records(tmp_path, p.preset.name).all()}
    each = [row for row in rows if row["seed"] != "mean"]
    assert {row["record"] for row in each} == ids and len(each) == 8
    assert [float(row["value"]) for row in each] == [v for of in values.values() for v in of]
    assert means[2]["preset"] == each[-1]["preset"] == ablation.points[2].preset.name != "cpu"


def test_the_table_tells_default_rows_and_what_is_missing(tmp_path: Path) -> None:
    ablation = made("recon_c=0,1,5")
    fill(tmp_path, ablation, {(0.0,): [0.1] * 3, (1.0,): [0.5, 0.501, 0.499], (5.0,): [0.7, 0.9]})
    text = ablation_table(ablation, [curve(ablation, tmp_path)]).markdown()
    lines = text.split("\n")
    assert lines[0] == "### MUNIT by recon_c, drawn edges -> shoes"
    assert lines[4].startswith("| 0           |") and "0.1" in lines[4]
    assert lines[5].startswith("| 1 (default) |") and "0.500" in lines[5]
    assert lines[6].startswith("| 5           |") and "(2 seeds)" in lines[6]
    assert "means over 3 trainings per point (seeds 0, 1, 2)" in text
    assert "recon_c=0 is MUNIT w/o c reconstruction" in text
    # A constant 0.1 against 0.5 is another value; 0.8 of two far seeds might be the same.
    assert "*" in lines[4] and "*" not in lines[5] and "*" not in lines[6]
    without = made("recon_c=5,7")
    text = ablation_table(without, [curve(without, tmp_path)]).markdown()
    assert "The default, recon_c=1, is not one of the points." in text and "*:" not in text
    slower = replace(without, preset=without.preset.changed({"lr": "3e-4"}, {}))
    title = ablation_table(slower, []).parts[0].title
    assert title == "MUNIT by recon_c, drawn edges -> shoes, cpu with lr=3e-4"
