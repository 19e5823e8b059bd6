"""``all``: a preset of two steps a training, made from nothing by Snakemake in real processes."""

import contextlib
import io
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from steps_here import make_here
from tiny import NETWORKS, finish, places, start, until

from reproduce.commands.cli import main
from reproduce.experiments.preset import load_preset
from reproduce.records.store import Records
from reproduce.workflow.graph import stamps_folder

PRESET = f"""
extends: quick
run: {{size: 32, batch: 2, steps: 2, train: 12, test: 8, lr_policy: linear}}
{NETWORKS}
measure: {{protocol: paper, inputs: 2, samples: 4, scores: none}}
tables: {{1: [drawn-shoes]}}
figures: {{}}
"""


def words(root: Path, *more: str) -> list[str]:
    return ["all", f"--preset={root / 'tiny.yaml'}", "--no-progress", *places(root), *more]


def stamps_of(root: Path) -> Path:
    return stamps_folder(root / "runs", load_preset(str(root / "tiny.yaml")))


def told(root: Path) -> tuple[int, str]:
    """What ``all`` returns and says."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        return main(words(root)), said.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything, after the first go was killed amid its trainings."""
    root = tmp_path_factory.mktemp("all")
    (root / "tiny.yaml").write_text(PRESET)
    stamps, first = stamps_of(root), start(words(root), root / "log")
    # A stamp whose process has not ended yet is taken back by Snakemake: two run side by side.
    until(lambda: len(list(stamps.glob("train.*.json"))) >= 3, 240)
    plan = (stamps / "plan.json").read_bytes()
    code, said = told(root)
    assert code == 2 and said.count("error:") == 1, "two at once"
    assert "another" in said and str(stamps) in said
    assert (stamps / "plan.json").read_bytes() == plan
    first.kill()
    assert finish(first) == -signal.SIGKILL
    when, oldest = min((p.stat().st_mtime_ns, p) for p in stamps.glob("train.*.json"))
    code, said = told(root)
    assert code == 0 and "error" not in said, "killed, and given again at once"
    assert re.search(r"Made \d+ jobs", said)
    assert oldest.stat().st_mtime_ns == when, "what was made is made once"
    names = {p.name for p in (root / "results" / "tiny").iterdir()}
    assert names >= {"table1.md", "table1.csv", "figure4-drawn-shoes.png", "records.jsonl"}
    return root


def test_a_second_call_does_nothing_and_says_so_at_once(made: Path, said) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    begin = time.monotonic()
    assert "up to date" in said(words(made)).out
    assert time.monotonic() - begin < 10
    assert said(words(made, f"--plan={made / 'none.json'}")).out.count("up to date") == 1
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()} == before


def test_one_measurement_deleted_is_one_measurement_redone(made: Path, said) -> None:
    stamps = stamps_of(made)
    (path,) = stamps.glob("diversity.drawn-shoes.seed0.*.json")
    stamp = json.loads(path.read_text())
    assert not any(map(os.path.isabs, stamp["made"])), "all of it may be moved"
    raw = stamps / next(name for name in stamp["made"] if "munit-paper" in name)
    kept = raw.read_bytes()
    raw.unlink()

    listed = said(words(made, "--dry-run")).out
    lines = [line for line in listed.splitlines() if "/" in line]
    assert [line.split()[0] for line in lines] == [
        "diversity/drawn-shoes/seed0", "table/1", "claims", "report",
    ]  # fmt: skip
    assert "gone" in lines[0] and "made again" in lines[1] and "4 of" in listed
    assert not raw.exists(), "a dry run makes nothing"

    make_here(words(made), made / "plan.json")
    assert "up to date" in said(words(made)).out
    assert raw.is_file() and len(raw.read_bytes()) == len(kept)


def test_an_option_that_changes_is_a_preset_of_its_own(made: Path, said) -> None:
    listed = said(words(made, "--dry-run", "--set=recon_x=5")).out
    assert "train/drawn-shoes/munit/seed0" in listed and "not made yet" in listed
    assert "recon_x" in said(words(made, "--set=recon_y=5"), 2).err


def test_an_edited_preset_makes_stale_what_reads_it(made: Path, said) -> None:
    file = made / "tiny.yaml"
    try:
        file.write_text(PRESET.replace("depth: 5, enc_dim: 4", "depth: 5, enc_dim: 8"))
        listed = said(words(made, "--dry-run")).out
    finally:
        file.write_text(PRESET)
    named = [line.split()[0] for line in listed.splitlines() if "/" in line]
    assert named == [
        "train/drawn-shoes/bicyclegan/seed0", "diversity/drawn-shoes/seed0",
        "theory/drawn-shoes/seed0", "figure/1/drawn-shoes", "table/1", "theory-figures", "curves",
        "claims", "report",
    ]  # fmt: skip
    assert "enc_dim changed" in listed
    assert "up to date" in said(words(made)).out


def test_seeds_are_in_order_and_by_default_those_on_record(tmp_path: Path, said) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)

    def planned(*more: str) -> tuple[list[int], str]:
        told = said(words(tmp_path, f"--plan={tmp_path / 'plan.json'}", *more)).err
        return json.loads((tmp_path / "plan.json").read_text())["request"]["seeds"], told

    for given, seeds, noted in (((), [0], True), (("--seeds", "1", "0"), [0, 1], False)):
        found, told = planned(*given)
        assert found == seeds and ("--seeds 0" in told) is noted
    records = Records(tmp_path / "results", "tiny")
    for seed in (5, 2, 5):
        names = {"preset": "tiny", "task": "drawn-shoes", "method": "munit", "metric": "x"}
        records.append({**names, "value": 0.5, "protocol": {}, "seed": seed})
    found, told = planned()
    assert found == [2, 5] and "--seeds 2 5" in told
