"""Records of styles and contents, task by task, for the tables and figures of theory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.metrics.theory import contents, styles
from models.zoo import METHODS
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import newest
from reproduce.tasks.registry import TASKS

Record = Mapping[str, Any]
NAMES = frozenset(metric.name for metric in (*styles.METRICS, *contents.METRICS))


@dataclass(frozen=True)
class OfTask:
    """One task's records: method -> metric -> seed -> record."""

    task: str
    records: Mapping[str, Mapping[str, Mapping[int, Record]]]

    def methods(self, metric: str) -> list[str]:
        """Those with this metric, as in Table 1."""
        return [m for m in TABLE1_METHODS if metric in self.records.get(m, {})]

    def of(self, method: str, metric: str) -> dict[int, Record]:
        """By seed; empty where it was not measured."""
        return dict(self.records.get(method, {}).get(metric, {}))

    def mean(self, method: str, metric: str, *path: str) -> float | None:
        """Mean over seeds of a value, or of one that is told beside it under ``path``."""
        return mean_of(self.of(method, metric).values(), *path)

    def everyone(self, metric: str) -> list[Record]:
        """Every method's records of a metric."""
        return [r for m in self.methods(metric) for r in self.of(m, metric).values()]

    def null(self, metric: str) -> float | None:
        """What chance alone reaches; over both domains, if any method has both: it depends on
        their number."""
        records = self.everyone(metric)
        both = [r for r in records if len(r["protocol"].get("domains", "ab")) == 2]
        return mean_of(both or records, "null", "value")

    @property
    def title(self) -> str:
        """The task in words."""
        return TASKS[self.task].title if self.task in TASKS else self.task

    def domain(self, domain: str) -> str:
        """A domain in words."""
        words = TASKS[self.task].directions["a2b"] if self.task in TASKS else ""
        source, _, target = words.partition(" -> ")
        return ((source if domain == "a" else target) or domain).removeprefix("drawn ")


def told(record: Record, *path: str) -> float | None:
    """The value, or what is told beside it under ``path``."""
    value: Any = record["value"] if not path else record.get("theory")
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else float(value)


def mean_of(records: Iterable[Record], *path: str) -> float | None:
    """Mean over records of ``told``; None where none tells it."""
    values = [value for r in records if (value := told(r, *path)) is not None]
    return float(np.mean(values)) if values else None


def theory_of(
    preset: Preset, records: Sequence[dict[str, Any]], seeds: Sequence[int] | None = None
) -> list[OfTask]:
    """Every task with styles or contents among ``records``, those of the preset's tables first;
    each network's newest. ``seeds``: of all that there are."""
    own = [r for r in records if r["metric"] in NAMES]
    wanted = sorted(set(seeds) if seeds else {int(r["seed"]) for r in own})
    tasks: dict[str, dict[str, dict[str, dict[int, Record]]]] = {}
    for seed in wanted:
        for (task, method), by_metric in newest(records, seed).items():
            for metric in NAMES & by_metric.keys():
                of_method = tasks.setdefault(task, {}).setdefault(method, {})
                of_method.setdefault(metric, {})[seed] = by_metric[metric]
    order = [task for number in sorted(preset.tables) for task in preset.tables[number]]
    ranked = sorted(tasks, key=lambda t: (order.index(t) if t in order else len(order), t))
    return [OfTask(task, tasks[task]) for task in ranked]


def title(method: str) -> str:
    """A method as the figures call it."""
    return METHODS[method].title.replace(" (paired)", "†").replace(" reconstruction", "")
