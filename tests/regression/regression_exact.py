"""Exact scores of drawn pictures, measured again: content kept, styles covered."""

from __future__ import annotations

from typing import Any

import numpy as np
from regression_tolerances import CLASSES, COLOURS, KEPT_AS_FLOAT32, tolerance
from regression_world import SEED, Findings, Pictures, Record, World, check_protocol, check_value

from benchmarks.metric import Measurement
from benchmarks.metrics.exact import ExactTable, examine
from benchmarks.metrics.style_scores import CONSISTENCY
from reproduce.measuring.exact import ALWAYS, SAMPLES, SOMETIMES, STYLES, ExactKind
from reproduce.training.translate import Translation

EXACT = {metric.name for metric in (*ALWAYS, *SOMETIMES)}


def check_exact(
    world: World, task: ExactKind, records: dict[str, Record], pictures: Pictures, inputs: int,
    consistency: Measurement | None, findings: Findings,
) -> None:  # fmt: skip
    """Compare the exact scores among ``records`` with those of ``pictures`` of the first ``inputs``,
    and of ``consistency``, which is None for a method without noise."""
    classifier = task.classifier
    names = task.names[:inputs]
    wanted = [(name, k) for name in names for k in range(SAMPLES)]
    some: list[Translation] = [(name, k, pictures[name, k]) for name, k in wanted]
    found = examine(some, {name: task.known[name] for name in names}, classifier)
    now = _measured(found, task)
    if consistency is not None:
        now[CONSISTENCY.name] = consistency.value
    protocol = {k: v for k, v in task.protocol().items() if k != "accuracy"}
    for name, value in now.items():
        if name not in records:
            findings.say(name, "measured now, and not on record")
            continue
        record = records[name]
        more = {"K": STYLES} if name == CONSISTENCY.name else {}
        check_protocol(name, record["protocol"], protocol | more, findings)
        if name == CONSISTENCY.name:
            findings.close(name, "value", record["value"], value, tolerance(name))
            continue
        whole = _table(world.arrays(record), found.n_patterns)
        check_value(record, _measured(whole, task)[name], findings, KEPT_AS_FLOAT32)
        part = _first(whole, inputs)
        findings.same(name, "inputs", part.ids, found.ids)
        stored = _measured(part, task)[name]
        findings.close(name, f"mean over {inputs} inputs", stored, value, tolerance(name))
        _raw_values(name, part, found, findings)


def _raw_values(name: str, stored: ExactTable, found: ExactTable, findings: Findings) -> None:
    """Single pictures, of what a metric is made of."""
    if name.startswith("colour-"):
        change = float(np.abs(stored.colours - found.colours).mean())
        findings.close(name, "change of a colour", 0.0, change, COLOURS)
    elif name.startswith("pattern-"):
        share = float((stored.patterns != found.patterns).mean())
        findings.close(name, "share of patterns changed", 0.0, share, CLASSES)
    elif name == "category-kept":
        share = float((stored.kept != found.kept).mean())
        findings.close(name, "share of categories changed", 0.0, share, CLASSES)


def _measured(table: ExactTable, task: ExactKind) -> dict[str, float]:
    every = [*table.content(SEED, {}), *table.styles(task.style_truth, SEED, {})]
    return {m.name: m.value for m in every}


def _table(arrays: dict[str, Any], n_patterns: int) -> ExactTable:
    return ExactTable(
        tuple(map(str, arrays["input_ids"])), arrays["colours"].astype(np.float64),
        arrays["patterns"].astype(np.int64), arrays["categories"].astype(np.int64),
        arrays["parts"].astype(np.float64), arrays["kept"], n_patterns,
    )  # fmt: skip


def _first(table: ExactTable, inputs: int) -> ExactTable:
    return ExactTable(
        table.ids[:inputs], table.colours[:inputs], table.patterns[:inputs],
        table.categories[:inputs], table.parts[:inputs], table.kept[:inputs], table.n_patterns,
    )  # fmt: skip
