"""Table 1 from nothing to print, with runs so short that they learn nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reading import csv_rows
from steps_here import make_here
from tiny import places

from benchmarks.__main__ import main as benchmarks
from reproduce.experiments.preset import TABLE1_METHODS
from reproduce.records.store import Records

TINY = ["steps=2", "train=8", "test=6", "batch=2", "dim=4", "dis_dim=4"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, runs and results of the tiniest Table 1."""
    root = tmp_path_factory.mktemp("table")
    make_here(words(root), root / "plan.json")
    return root


def results(root: Path) -> Path:
    """The one folder of results: not quick's own, since settings were overridden."""
    (folder,) = (root / "results").iterdir()
    assert folder.name.startswith("quick+")
    return folder


def words(root: Path) -> list[str]:
    asked = ["--preset=quick", "--inputs=2", "--scores=none", "--no-progress"]
    return ["table", "1", *asked, *places(root), *(f"--set={setting}" for setting in TINY)]


def records_of(root: Path) -> list[dict[str, Any]]:
    return Records(root / "results", results(root).name).all()


def test_prints_nine_rows(made: Path, said) -> None:
    records = results(made) / "records.jsonl"
    before = records.read_text()
    weights = {p: p.stat().st_mtime_ns for p in made.rglob("last.safetensors")}
    printed = said(words(made)).out
    rows = [line for line in printed.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 9
    assert rows[0].startswith("| UNIT ") and rows[-1].startswith("| Real data")
    assert "0.109" in rows[6] and "50.0%" in rows[6]  # the paper's MUNIT
    assert "Preset quick with batch=2, dim=4" in printed and "protocol paper-min64@2x19" in printed
    assert all(" ± " in row for row in rows)
    # A second call measured and trained nothing again.
    assert records.read_text() == before
    assert {p: p.stat().st_mtime_ns for p in made.rglob("last.safetensors")} == weights


def test_files_and_records(made: Path) -> None:
    folder = results(made)
    assert {p.name for p in folder.glob("*.*")} >= {
        "table1.md", "table1.csv", "table1.tex", "figure4-drawn-shoes.png", "records.jsonl",
    }  # fmt: skip
    records = records_of(made)
    diversity = [r for r in records if r["metric"].startswith("diversity")]
    assert {r["method"] for r in diversity} == {*TABLE1_METHODS, "real"}
    for r in records:
        assert r["protocol"] and r["environment"]["packages"]["torch"]
        if r["method"] != "real":
            assert len(r["checkpoint_sha256"]) == len(r["data_sha256"]) == 64
            assert r["config"]["steps"] == r["steps"] == 2
    assert all(r["metric"] == "diversity-lpips" for r in diversity)
    for row in csv_rows(folder / "table1.csv"):
        record = next(r for r in diversity if r["method"] == row["method"])
        assert float(row["diversity"]) == pytest.approx(record["value"], rel=1e-8)
        assert (made / "results" / record["raw"]).is_file()


def test_the_harness_gives_the_tables_number(made: Path, tmp_path: Path, said) -> None:
    """Of what ``translate`` writes, read back from its files and from an array of them."""
    munit = [r for r in records_of(made)
             if (r["method"], r["metric"]) == ("munit", "diversity-lpips")][-1]  # fmt: skip
    (weights,) = made.glob("runs/*/drawn-shoes/munit-seed0/last.safetensors")
    (inputs,) = made.glob("data/*/testA")
    out = tmp_path / "out"
    words = ["translate", weights, inputs, "--samples=38", f"--out={out}", "--no-progress"]
    said(words)
    names = [f"{i:05d}" for i in range(2)]
    pixels = [
        [np.asarray(Image.open(out / f"{name}_sample{k:02d}.png")) for k in range(38)]
        for name in names
    ]
    np.savez(tmp_path / "out.npz", samples=np.array(pixels), input_ids=names)
    values = []
    for outputs in (out, tmp_path / "out.npz"):
        words = ["diversity", outputs, "--inputs=2", "--json", "--no-progress"]
        (found,) = json.loads(said(words, program=benchmarks).out)["measured"]
        values.append(found["value"])
    assert values[0] == values[1] == pytest.approx(munit["value"], abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("--set=size=34", "nearest legal size"),
        ("--set=test=1", "test=1"),
        ("--protocol=papr", "paper"),
        ("--lpips-weights=none.pth", "none.pth: no such file"),
        ("--source=drawn-shoes", "TASK=PATH"),
    ],
)
def test_what_cannot_be_measured_is_not_trained(tmp_path, wrong, reason, refused):
    setting = wrong.split("=")[1]
    kept = [w for w in words(tmp_path) if not w.startswith(f"--set={setting}=")]
    assert reason in refused([*kept, wrong])
    assert not any(tmp_path.iterdir())
