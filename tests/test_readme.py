"""What the README says must be so: its tables come from records, its commands exist."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_csv, assert_same_text
from stored import needs_current_results

from benchmarks.cli import main as costs
from benchmarks.cli import parser as study_parser
from benchmarks.metrics.observer import preferred
from reproduce.analysis import table2_text
from reproduce.analysis.over_seeds import stored as records_of
from reproduce.analysis.score_table import wide_csv, wide_table
from reproduce.analysis.table2 import table2
from reproduce.analysis.table_text import comma_separated, latex, markdown
from reproduce.analysis.tables import table1
from reproduce.commands.cli import main, parser
from reproduce.experiments.preset import load_preset
from reproduce.records.store import Records, sha256_file

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


SEEDS = [0, 1, 2]  # of the preset whose results are stored


def assert_stored(name: str, made: str, preset: str = "cpu") -> None:
    """Text that is made here says what the stored file says, which another machine made."""
    stored = (ROOT / "results" / preset / name).read_text(encoding="utf-8")
    (assert_same_csv if name.endswith(".csv") else assert_same_text)(made, stored)


@needs_current_results
@pytest.mark.parametrize("number", ["1", "2"])
def test_tables_are_generated_from_the_stored_records(number: str, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(README, encoding="utf-8")
    words = ["table", number, "--preset=cpu", "--stored", f"--results={ROOT / 'results'}"]
    words += ["--seeds", *map(str, SEEDS)]
    assert main([*words, f"--readme={copy}"]) == 0
    assert_same_text(copy.read_text(encoding="utf-8"), README)


@needs_current_results
def test_claims_are_judged_from_the_stored_records(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(README, encoding="utf-8")
    results = tmp_path / "results"
    shutil.copytree(ROOT / "results" / "cpu", results / "cpu")
    assert main(["claims", "--preset=cpu", f"--results={results}", f"--readme={copy}"]) == 0
    assert_same_text(copy.read_text(encoding="utf-8"), README)
    for name in ("claims.md", "claims.csv", "claims.tex"):
        assert_stored(name, (results / "cpu" / name).read_text(encoding="utf-8"))
    block = README.split("<!-- claims-cpu -->")[1].split("<!-- /claims-cpu -->")[0]
    assert len(re.findall(r"\b(?:holds|fails|undecided)\b", block)) >= 40


@needs_current_results
def test_tables_are_full() -> None:
    block = README.split("<!-- table1-cpu -->")[1].split("<!-- /table1-cpu -->")[0]
    assert len([line for line in block.splitlines() if re.match(r"\| [A-Z]", line)]) == 2 * 10
    assert len(re.findall(r"\d ± \d", block)) >= 2 * 9
    block = README.split("<!-- table2-cpu -->")[1].split("<!-- /table2-cpu -->")[0]
    assert len(re.findall(r"\d ± \d", block)) == 3 * 7 * 4 + 2 * 7  # and real data's IS, confusion


@needs_current_results
def test_files_beside_the_records_say_the_same() -> None:
    preset = load_preset("cpu")
    by_translation, cells = records_of(preset, ROOT / "results", 1, SEEDS)
    found = by_translation[None]
    made = table1(preset, found, cells)
    assert_stored("table1.md", markdown(made))
    assert_stored("table1.csv", comma_separated(made))
    assert_stored("table1.tex", latex(made))
    wide = wide_table(preset, found, cells)
    assert_stored("table1-scores.md", wide)
    assert "FID" in wide
    assert_stored("table1-scores.csv", wide_csv(found, tuple(preset.tables[1]), cells))


@needs_current_results
def test_a_process_that_only_writes_the_table_knows_every_column() -> None:
    """As a job of the graph: nothing before it has imported the metrics."""
    code = (
        "import sys; from pathlib import Path; from reproduce.experiments.preset import load_preset; "
        "from reproduce.analysis.over_seeds import stored; from reproduce.analysis.score_table import wide_table; "
        "found, cells = stored(load_preset('cpu'), Path(sys.argv[1]), 1, [0]); "
        "sys.stdout.write(wide_table(load_preset('cpu'), found[None], cells))"
    )
    words = [sys.executable, "-c", code, str(ROOT / "results")]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "FID ↓" in shown and "Style consistency ↑" in shown


@needs_current_results
def test_every_claim_that_fails_has_a_cause() -> None:
    with (ROOT / "results" / "cpu" / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    failed = [row for row in rows if row["verdict"] == "fails"]
    assert failed and [row["claim"] for row in failed if not row["cause"]] == []


@pytest.mark.parametrize(
    ("tasks", "seeds"),
    [pytest.param([], SEEDS, marks=needs_current_results), (["cifar-animals-vehicles"], [0])],
)
def test_files_of_table_2_say_the_same(tasks: list[str], seeds: list[int]) -> None:
    preset = load_preset("cpu").of_tasks(tasks)
    made = table2(preset, *records_of(preset, ROOT / "results", 2, seeds))
    texts = {
        "md": table2_text.markdown(made),
        "csv": table2_text.comma_separated(made),
        "tex": table2_text.latex(made),
    }
    for suffix, text in texts.items():
        assert_stored(f"table2.{suffix}", text, preset.name)
    assert preset.name in README or not tasks


@needs_current_results
def test_raw_values_give_the_recorded_numbers() -> None:
    from benchmarks.metrics.diversity_result import DiversityResult
    from benchmarks.metrics.mode_scores import load_mode_scores

    checked: dict[str, int] = {}
    for record in Records(ROOT / "results", "cpu").all():
        if "raw" not in record:
            continue
        path = ROOT / "results" / record["raw"]
        assert sha256_file(path) == record["raw_sha256"], path
        family = record["metric"].split("-")[0]
        if family == "diversity":
            value = DiversityResult.load(path).value
        elif family == "quality":
            with np.load(path, allow_pickle=False) as seen:
                value = 100 * float(preferred(seen["distances"], seen["reference"]).mean())
        elif record["metric"] == "cis":
            value = load_mode_scores(path).sums.scores()[1]
        else:
            continue
        assert value == pytest.approx(record["value"], abs=1e-9)
        checked[family] = checked.get(family, 0) + 1
    assert checked["diversity"] >= 18 and checked["quality"] >= 16 and checked["cis"] >= 24


def test_costs_come_from_the_stored_records(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(README, encoding="utf-8")
    words = ["speed", "table", f"--results={ROOT / 'results'}", f"--readme={copy}"]
    assert costs(words) == 0
    assert copy.read_text(encoding="utf-8") == README
    block = README.split("<!-- speed -->")[1].split("<!-- /speed -->")[0]
    for what in ("training step, munit, 256 px", "10,000 of them", "IS and CIS", "waiting"):
        assert what in block


def test_pictures_exist() -> None:
    links = re.findall(r"!?\[[^\]]*\]\(([^)#]+)\)", README)
    assert any(link.endswith(".png") for link in links)
    for link in links:
        if "://" not in link:
            assert (ROOT / link).is_file(), link


def commands(program: str) -> list[list[str]]:
    """Every ``python -m PROGRAM`` of the README, as arguments."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    tails = [
        line.split(f"python -m {program} ", 1)[1]
        for line in lines
        if f"python -m {program} " in line
    ]
    return [shlex.split(tail, comments=True) for tail in tails]


@pytest.mark.parametrize("words", commands("reproduce"), ids=lambda words: words[0])
def test_commands_parse(words: list[str]) -> None:
    arguments = parser().parse_args(words)
    assert arguments.command == words[0]
    if "preset" in arguments:
        load_preset(arguments.preset)


@pytest.mark.parametrize("words", commands("benchmarks"), ids=lambda words: words[1])
def test_commands_of_the_study_parse(words: list[str]) -> None:
    assert study_parser().parse_args(words).step == words[1]


def test_both_commands_are_one_line_each() -> None:
    first, second = re.findall(r"```bash\n([^\n]*)\n```", README)[:2]
    assert first.endswith("reproduce table 1 --preset quick") and "tox" in second
    between = README.split("<!-- test-command -->")[1].split("<!-- /test-command -->")[0]
    assert second in between
