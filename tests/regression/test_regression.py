"""Every stored number of the tables, measured again from the stored weights.

Nothing is trained: test pictures are drawn one by one. ``regression_tolerances`` says by how much
a number may change, and why.
"""

import pytest
from regression_check import check_all
from regression_tolerances import excluded
from regression_world import PRESET, RESULTS, SEED, Findings, World
from stored import needs_current_results, stored_tasks

from reproduce.experiments.preset import load_preset
from reproduce.measuring.stored_manifest import MANIFEST, WEIGHTS, Row, read_manifest
from reproduce.records.store import REAL
from reproduce.training.slim import LIMIT

pytestmark = needs_current_results
STORED = (RESULTS / PRESET / WEIGHTS).is_dir()
ROWS = list(World(RESULTS, load_preset(PRESET)).rows) if STORED else []


@pytest.fixture(scope="module")
def found(world: World) -> dict[Row, Findings]:
    return check_all(world)


def _name(row: Row) -> str:
    return "-".join(part for part in row if part)


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_stored_row_is_what_the_stored_weights_give(row, world, found):
    findings = found[row]
    assert not findings.all_wrong(), "\n".join(findings.all_wrong())
    measured = {metric for metric in world.rows[row] if excluded(metric) is None}
    assert findings.compared == measured


@pytest.mark.parametrize("table", [1, 2])
def test_every_run_behind_a_table_is_stored_or_listed_as_left_out(table, world):
    made = stored_tasks(table)
    runs = [(r.task, r.method) for r in load_preset(PRESET).table_runs(table) if r.task in made]
    left_out = {run for run in runs if world.manifest.leaves_out(*run, SEED)}
    stored = set(runs) - left_out
    assert stored == {row[:2] for row in world.rows if row[1] != REAL} & set(runs)
    least = {1: {"unit", "cyclegan", "munit"}, 2: {"munit"}}[table]
    assert least <= {method for _, method in stored}


def test_stored_weights_are_the_listed_files_and_fit_a_repository() -> None:
    stored = [read_manifest(path.parent) for path in RESULTS.glob(f"*/{WEIGHTS}/{MANIFEST}")]
    assert {PRESET, "showcase"} <= {manifest.preset for manifest in stored}
    taken = 0
    for manifest in stored:
        assert [words for file in manifest.files if (words := manifest.wrong(file))] == []
        there = {p.relative_to(manifest.folder).as_posix() for p in manifest.folder.rglob("*.*")}
        assert there == {file.file for file in manifest.files} | {MANIFEST}
        taken += sum((manifest.folder / name).stat().st_size for name in there)
    assert taken <= LIMIT
