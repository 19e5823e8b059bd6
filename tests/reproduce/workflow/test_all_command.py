"""``all``: a preset of two steps a training, made from nothing by Snakemake in real processes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import time
from pathlib import Path

import pytest
from tiny import finish, start, until

from reproduce.commands.cli import main
from reproduce.experiments.preset import load_preset
from reproduce.records.store import Records
from reproduce.workflow.graph import stamps_folder

PRESET = """
extends: quick
about: Nothing is learned.
run: {size: 32, batch: 2, steps: 2, train: 12, test: 8, lr_policy: linear}
methods:
  munit: {dim: 4, n_res: 1, mlp_dim: 8, dis_dim: 4, dis_layers: 3, dis_scales: 1}
  unit: {dim: 4, n_downsample: 1, n_res: 1, dis_dim: 4, dis_layers: 3}
  cyclegan: {dim: 4, n_blocks: 1, dis_dim: 4, dis_layers: 2, depth: 5}
  bicyclegan: {dim: 4, depth: 5, enc_dim: 4, enc_blocks: 2, dis_dim: 4, dis_layers: 2}
measure: {protocol: paper, inputs: 4, samples: 38, scores: none,
          mode_inputs: 4, mode_samples: 3}
tables: {1: [drawn-shoes]}
figures: {}
"""


def words(root: Path, *more: str) -> list[str]:
    places = [f"--{name}={root / name}" for name in ("data", "runs", "results")]
    return ["all", f"--preset={root / 'tiny.yaml'}", "--no-progress", *places, *more]


def stamps_of(root: Path) -> Path:
    return stamps_folder(root / "runs", load_preset(str(root / "tiny.yaml")))


def told(root: Path) -> tuple[int, str]:
    """What ``all`` returns, and says on stderr."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
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
    assert oldest.stat().st_mtime_ns == when, "what was made is made once"
    return root


def out(root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert main(words(root, *more)) == 0
    return capsys.readouterr().out


def test_tables_and_figures_are_there(made: Path) -> None:
    folder = made / "results" / "tiny"
    names = {p.name for p in folder.iterdir()}
    assert names >= {"table1.md", "table1.csv", "figure4-drawn-shoes.png", "records.jsonl"}
    assert "MUNIT" in (folder / "table1.md").read_text()


def test_a_second_call_does_nothing_and_says_so_at_once(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    begin = time.monotonic()
    assert "up to date" in out(made, capsys)
    assert time.monotonic() - begin < 10
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()} == before


def test_one_measurement_deleted_is_one_measurement_redone(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamps = stamps_of(made)
    (path,) = stamps.glob("diversity.drawn-shoes.seed0.*.json")
    stamp = json.loads(path.read_text())
    raw = stamps / next(name for name in stamp["made"] if "munit-paper" in name)
    kept = raw.read_bytes()
    raw.unlink()

    listed = out(made, capsys, "--dry-run")
    lines = [line for line in listed.splitlines() if "/" in line]
    assert [line.split()[0] for line in lines] == [
        "diversity/drawn-shoes/seed0", "table/1", "claims", "report",
    ]  # fmt: skip
    assert "gone" in lines[0] and "made again" in lines[1] and "4 of" in listed
    assert not raw.exists(), "a dry run makes nothing"

    assert "Made 4 jobs" in out(made, capsys)
    assert raw.is_file() and len(raw.read_bytes()) == len(kept)


def test_an_option_that_changes_is_a_preset_of_its_own(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = out(made, capsys, "--dry-run", "--set=recon_x=5")
    assert "train/drawn-shoes/munit/seed0" in listed and "not made yet" in listed
    assert main(words(made, "--set=recon_y=5")) == 2
    assert "recon_x" in capsys.readouterr().err


def test_an_edited_preset_makes_stale_what_reads_it(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = made / "tiny.yaml"
    try:
        file.write_text(PRESET.replace("depth: 5, enc_dim: 4", "depth: 5, enc_dim: 8"))
        listed = out(made, capsys, "--dry-run")
    finally:
        file.write_text(PRESET)
    named = [line.split()[0] for line in listed.splitlines() if "/" in line]
    assert named == [
        "train/drawn-shoes/bicyclegan/seed0", "diversity/drawn-shoes/seed0",
        "theory/drawn-shoes/seed0", "figure/1/drawn-shoes", "table/1", "theory-figures", "curves",
        "claims", "report",
    ]  # fmt: skip
    assert "enc_dim changed" in listed
    assert "up to date" in out(made, capsys)


def test_seeds_are_in_order_and_by_default_those_on_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(PRESET)

    def planned(*more: str) -> list[int]:
        assert main(words(tmp_path, f"--plan={tmp_path / 'plan.json'}", *more)) == 0
        return json.loads((tmp_path / "plan.json").read_text())["request"]["seeds"]

    assert planned() == [0]
    assert "--seeds 0" in capsys.readouterr().err
    assert planned("--seeds", "1", "0") == [0, 1]
    assert "--seeds" not in capsys.readouterr().err
    records = Records(tmp_path / "results", "tiny")
    for seed in (5, 2, 5):
        names = {"preset": "tiny", "task": "drawn-shoes", "method": "munit", "metric": "x"}
        records.append({**names, "value": 0.5, "protocol": {}, "seed": seed})
    assert planned() == [2, 5]
    assert "--seeds 2 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--seeds", "0", "0"], "each once"),
        (["--device=tpu"], "tpu"),
        (["--source=drawn-boots=x"], "drawn-shoes"),
    ],
)
def test_bad_input_is_one_line(more, told, tmp_path, refused):
    (tmp_path / "tiny.yaml").write_text(PRESET)
    assert told in refused(words(tmp_path, *more))
    assert os.listdir(tmp_path) == ["tiny.yaml"]
