"""The whole comparison, row by row and task by task: what the test and its damages both run."""

from collections.abc import Sequence

import numpy as np
from regression_table1 import Bench, check_method, check_real
from regression_table2 import ModesBench, check_modes
from regression_tolerances import excluded
from regression_world import Damage, Findings, Record, World, check_record, check_value

from benchmarks.metrics.theory.contents import DOMAIN_ACCURACY, PAIR_DISTANCE, RETRIEVAL_RANK, Pairs
from benchmarks.metrics.theory.styles import METRICS as STYLES
from benchmarks.metrics.theory.styles import Sample
from models.errors import UserError
from reproduce.measuring.stored_manifest import Row
from reproduce.records.store import REAL

THEORY = {metric.name for metric in (*STYLES, DOMAIN_ACCURACY, PAIR_DISTANCE, RETRIEVAL_RANK)}


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


def check_theory(world: World, records: dict[str, Record], findings: Findings) -> None:
    """Compare ``records`` of ``THEORY`` with what their raw values give: the weights of encoders that
    no translation reads are not stored, so codes are not encoded again."""
    styles = [known.name for known in STYLES]
    for metric, record in records.items():
        arrays = world.arrays(record)
        if metric in styles:
            told = record["theory"]["domains"]
            findings.same(metric, "domains", sorted(told), sorted(set(arrays) - {"meta"}))
            once, row = np.ones((1, len(arrays[min(told)]))), styles.index(metric)
            found = {d: float(Sample(arrays[d]).numbers(once)[row, 0]) for d in told}
            for domain, value in told.items():
                check_value(record | {"value": value}, found[domain], findings)
            check_value(record, float(np.mean(list(found.values()))), findings)
        elif metric == DOMAIN_ACCURACY.name:
            check_value(record, float(arrays["hits"].mean()), findings)
        else:
            of = Pairs(arrays["same"], arrays["others"], arrays["ranks"], arrays["first"])
            found_now = of.ratio if metric == PAIR_DISTANCE.name else float(of.ranks.mean())
            check_value(record, found_now, findings)


def bench_of(world: World, row: Row) -> Bench | ModesBench:
    """What a row is measured with."""
    task, _, direction = row
    if direction is None:
        return Bench(world, task)
    return ModesBench(world, task, "b2a" if direction == "b2a" else "a2b")


def check_all(world: World) -> dict[Row, Findings]:
    """All rows."""
    found: dict[Row, Findings] = {}
    for group in dict.fromkeys(row[::2] for row in world.rows):  # a task and direction
        rows = [row for row in world.rows if row[::2] == group]
        try:
            bench = bench_of(world, rows[0])
        except (Damage, UserError) as error:
            broken = Findings()
            broken.say(group[0], str(error))
            found |= dict.fromkeys(rows, broken)
        else:
            found |= {row: check_row(world, row, bench) for row in rows}
    return found
