"""What the README and its pages say must be so: tables come from records, commands exist."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_csv, assert_same_text
from stored import RECORDS, needs_current_results, raw_file, stored_tasks

from benchmarks.__main__ import parser as benchmarks_parser
from benchmarks.metrics.observer import preferred
from reproduce.analysis.claims.statements import claims
from reproduce.analysis.tables import tables_of
from reproduce.commands.cli import main, parser
from reproduce.experiments.preset import load_preset
from reproduce.records.store import Records

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "results/cpu/README.md").read_text(encoding="utf-8")
COSTS = (ROOT / "results/speed/README.md").read_text(encoding="utf-8")
PAGES = [
    "README.md", "CONTRIBUTING.md", "results/cpu/README.md", "results/cpu/recipe.md",
    "results/speed/README.md", "benchmarks/harness/README.md", "benchmarks/study/README.md", "reproduce/tasks/README.md",
    "reproduce/workflow/CLUSTERS.md",
]  # fmt: skip


def assert_stored(name: str, made: str) -> None:
    """Text that is made here says what the stored file says, which another machine made."""
    stored = (ROOT / "results" / name).read_text(encoding="utf-8")
    (assert_same_csv if name.endswith(".csv") else assert_same_text)(made, stored)


def rewritten(folder: Path, text: str, *words: str) -> str:
    """A page after a command has written into it."""
    copy = folder / "README.md"
    copy.write_text(text, encoding="utf-8")
    assert main([*words, f"--readme={copy}"]) == 0
    return copy.read_text(encoding="utf-8")


@needs_current_results
@pytest.mark.parametrize("number", [1, 2])
def test_tables_of_the_readme_are_generated_from_the_stored_records(number, tmp_path):
    words = "table", str(number), "--preset=cpu", "--stored", f"--results={ROOT / 'results'}"
    assert_same_text(rewritten(tmp_path, RESULTS, *words), RESULTS)


@needs_current_results
@pytest.mark.parametrize(("preset", "number"), [("cpu", 1), ("cpu", 2), ("showcase", 1)])
def test_stored_tables_are_generated_from_the_stored_records(preset: str, number: int) -> None:
    seeds = sorted({int(record["seed"]) for record in Records(ROOT / "results", preset).all()})
    for name, tables in tables_of(number, load_preset(preset), ROOT / "results", seeds).items():
        texts = {"md": tables.markdown(), "csv": tables.csv(), "tex": tables.latex()}
        for suffix, text in texts.items():
            if (name, suffix) != ("table1-scores", "tex"):
                assert_stored(f"{preset}/{name}.{suffix}", text)


@needs_current_results
def test_claims_are_judged_from_the_stored_records(tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(ROOT / "results" / "cpu", results / "cpu")
    words = "claims", "--preset=cpu", f"--results={results}"
    assert_same_text(rewritten(tmp_path, RESULTS, *words), RESULTS)
    for name in ("claims.md", "claims.csv", "claims.tex"):
        assert_stored(f"cpu/{name}", (results / "cpu" / name).read_text(encoding="utf-8"))
    block = RESULTS.split("<!-- claims-cpu -->")[1].split("<!-- /claims-cpu -->")[0]
    verdicts = re.findall(r"\| +(holds|fails|undecided|not measured) \|", block)
    assert len(verdicts) == len(claims(load_preset("cpu")))
    assert len(verdicts) - verdicts.count("not measured") >= 22 * len(stored_tasks(1))


@needs_current_results
def test_every_claim_that_fails_has_a_cause() -> None:
    with (ROOT / "results" / "cpu" / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["claim"] for row in rows if row["verdict"] == "fails" and not row["cause"]] == []


@needs_current_results
def test_a_process_that_only_writes_the_table_knows_every_column() -> None:
    """As a job of the graph: nothing before it has imported the metrics."""
    code = (
        "import sys; from pathlib import Path; from reproduce.experiments.preset import load_preset; "
        "from reproduce.analysis.tables import tables_of; "
        "made = tables_of(1, load_preset('cpu'), Path(sys.argv[1]), [0]); "
        "sys.stdout.write(made['table1-scores'].markdown())"
    )
    words = [sys.executable, "-c", code, str(ROOT / "results")]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "FID ↓" in shown and "Style consistency ↑" in shown


@needs_current_results
def test_raw_values_give_the_recorded_numbers(tmp_path: Path) -> None:
    from benchmarks.metrics.diversity import DiversityResult
    from benchmarks.metrics.mode_scores import load_mode_scores

    checked: dict[str, int] = {}
    for record in RECORDS:
        if "raw" not in record:
            continue
        path = raw_file(ROOT / "results", record, tmp_path)
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
    one, two = (len(stored_tasks(number)) for number in (1, 2))
    assert checked["diversity"] >= 9 * one and checked["quality"] >= 8 * one
    assert checked.get("cis", 0) >= 8 * two


def test_costs_come_from_the_stored_records(tmp_path: Path) -> None:
    words = "speed", "table", f"--results={ROOT / 'results'}"
    assert rewritten(tmp_path, COSTS, *words) == COSTS
    block = COSTS.split("<!-- speed -->")[1].split("<!-- /speed -->")[0]
    for what in ("training step, munit, 256 px", "10,000 of them", "IS and CIS", "waiting"):
        assert what in block


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES)
def test_what_pages_link_to_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"!?\[[^\]]*\]\(([^)#]+)[^)]*\)", text):
        if "://" not in link:
            assert ((ROOT / page).parent / link).exists(), link


def test_the_tree_is_there() -> None:
    tree = README.split("## Where things are")[1].split("```")[1]
    top = ""
    for line in tree.strip("\n").splitlines():
        name = line.split()[0]
        top = name if not line.startswith(" ") else top
        assert (ROOT / (top if name == top else top + name)).is_dir(), line


def test_the_table_of_commands_names_them_all() -> None:
    for made in (parser(), benchmarks_parser()):
        names = re.findall(r"^ {4}([a-z]+) ", made.format_help(), re.MULTILINE)
        table = README.split(f"| `{made.prog} ...`")[1].split("\n\n")[0]
        assert len(names) >= 2 and [n for n in names if f"`{n}" not in table] in ([], ["step"])
