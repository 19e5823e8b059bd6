"""The whole comparison, row by row and task by task: what the test and its damages both run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import torch
from regression_table1 import Bench, check_method, check_real
from regression_table2 import ModesBench, check_modes
from regression_theory import THEORY, check_theory
from regression_tolerances import excluded
from regression_world import Damage, Findings, Record, World, check_record

from models.errors import UserError
from reproduce.experiments.preset import load_preset
from reproduce.measuring.stored_manifest import Row
from reproduce.records.store import REAL


def check_row(
    world: World, row: Row, bench: Bench | ModesBench | None = None, only: Sequence[str] = ()
) -> Findings:
    """Everything that is on record about one row of a table, measured again.

    ``bench``: made before, for several rows of one task; ``only``: how the names of some metrics
    begin, if not all are to be measured.
    """
    findings = Findings()
    task, method, _ = row
    records = {
        metric: record
        for metric, record in world.rows.get(row, {}).items()
        if excluded(metric) is None and (not only or metric.startswith(tuple(only)))
    }
    if not records:
        findings.say("row", f"nothing is on record about {method} on {task}")
        return findings
    try:
        for record in records.values():
            check_record(record, findings)
        of_theory = {name: record for name, record in records.items() if name in THEORY}
        check_theory(world, of_theory, findings)
        if others := {name: r for name, r in records.items() if name not in THEORY}:
            _check_measured(bench or bench_of(world, row), method, others, findings)
    except (Damage, UserError) as error:
        for metric in records:
            findings.say(metric, str(error))
    for metric in records:
        if metric not in findings.compared and metric not in findings.wrong:
            findings.say(metric, "is on record, and was not measured again")
    return findings


def _check_measured(
    bench: Bench | ModesBench, method: str, records: dict[str, Record], findings: Findings
) -> None:
    if isinstance(bench, ModesBench):
        check_modes(bench, method, records, findings)
    elif method == REAL:
        check_real(bench, records, findings)
    else:
        check_method(bench, method, records, findings)


def bench_of(world: World, row: Row) -> Bench | ModesBench:
    """What a row is measured with."""
    task, _, direction = row
    if direction is None:
        return Bench(world, task)
    return ModesBench(world, task, "b2a" if direction == "b2a" else "a2b")


def check_all(results: Path, preset: str, processes: int) -> dict[Row, Findings]:
    """All rows, a task and direction at a time in so many processes."""
    world = World(results, load_preset(preset))
    groups = list(dict.fromkeys((task, direction) for task, _, direction in world.rows))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(groups)), mp_context=context) as pool:
        found = pool.map(partial(_check_group, results, preset), groups)
        return {row: findings for of_group in found for row, findings in of_group.items()}


def _check_group(results: Path, preset: str, group: tuple[str, str | None]) -> dict[Row, Findings]:
    torch.set_num_threads(1)
    world = World(results, load_preset(preset))
    rows = [row for row in world.rows if row[::2] == group]
    try:
        bench = bench_of(world, rows[0])
    except (Damage, UserError) as error:
        broken = Findings()
        broken.say(group[0], str(error))
        return dict.fromkeys(rows, broken)
    return {row: check_row(world, row, bench) for row in rows}
