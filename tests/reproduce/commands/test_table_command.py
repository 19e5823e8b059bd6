"""Table 1 from nothing to print, with runs so short that they learn nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reading import csv_rows
from steps_here import make_here, records_of, results_of, weights_of
from tiny import places

from benchmarks.__main__ import main as benchmarks
from reproduce.experiments.preset import TABLE1_METHODS

TINY = ["steps=2", "train=8", "test=6", "batch=2", "dim=4", "dis_dim=4"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, runs and results of the tiniest Table 1."""
    root = tmp_path_factory.mktemp("table")
    make_here(words(root), root / "plan.json")
    return root


def words(root: Path) -> list[str]:
    asked = ["--preset=quick", "--inputs=2", "--scores=none", "--no-progress"]
    return ["table", "1", *asked, *places(root), *(f"--set={setting}" for setting in TINY)]


def test_prints_nine_rows(made: Path, said) -> None:
    before = records_of(made).path.read_text(), weights_of(made)
    printed = said(words(made)).out
    rows = [line for line in printed.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 9
    assert rows[0].startswith("| UNIT ") and rows[-1].startswith("| Real data")
    assert "0.109" in rows[6] and "50.0%" in rows[6]  # the paper's MUNIT
    assert "Preset quick with batch=2, dim=4" in printed and "protocol paper-min64@2x19" in printed
    assert all(" ± " in row for row in rows)
    # A second call measured and trained nothing again.
    assert (records_of(made).path.read_text(), weights_of(made)) == before


def test_files_and_records(made: Path) -> None:
    folder = results_of(made)
    assert folder.name.startswith("quick+"), "settings were overridden"
    assert {p.name for p in folder.glob("*.*")} >= {
        "table1.md", "table1.csv", "table1.tex", "figure4-drawn-shoes.png", "records.jsonl",
    }  # fmt: skip
    records = records_of(made).all()
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
    munit = records_of(made).find(method="munit", metric="diversity-lpips")
    assert munit is not None
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
