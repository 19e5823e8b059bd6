"""The theory of styles and content codes compared with measurements: records by task, and tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.metrics.theory import contents, styles
from models.zoo import METHODS
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import HALF, Column, Row, Table, Tables, in_words
from reproduce.analysis.tables import heading, scale
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import Current, Quantity
from reproduce.records.store import told
from reproduce.tasks.registry import TASKS

Record = Mapping[str, Any]
NAMES = frozenset(metric.name for metric in (*styles.METRICS, *contents.METRICS))
RANGE = "{value} ({low} to {high})"
STYLES = (styles.STYLE_MMD.name, styles.MEAN_NORM.name, styles.COV_ERROR.name)
CONTENTS = (contents.DOMAIN_ACCURACY.name, contents.CONTENT_MMD.name)
OF_PAIRS = (contents.PAIR_DISTANCE.name, contents.RETRIEVAL_RANK.name)


@dataclass(frozen=True)
class OfTask:
    """The current records of one task."""

    task: str
    current: Current

    def methods(self, metric: str) -> list[str]:
        """The methods that have this metric, in the order of Table 1."""
        return [method for method in TABLE1_METHODS if self.of(method, metric)]

    def of(self, method: str, metric: str) -> Mapping[int, Record]:
        """A method's records by seed; empty if it was not measured."""
        return self.current.records(Quantity(metric, method, self.task))

    def mean(self, method: str, metric: str, *path: str) -> float | None:
        """Mean over seeds of a metric's value, or of the record's number under ``path``."""
        return mean_of(self.of(method, metric).values(), *path)

    def everyone(self, metric: str) -> list[Record]:
        """Every method's records of a metric."""
        return [r for m in self.methods(metric) for r in self.of(m, metric).values()]

    def null(self, metric: str) -> float | None:
        """The value reached by chance. It depends on the number of domains, so only methods with
        both domains count, if there are any."""
        records = self.everyone(metric)
        both = [r for r in records if len(r["protocol"].get("domains", "ab")) == 2]
        return mean_of(both or records, "null", "value")

    @property
    def title(self) -> str:
        """The task's title."""
        return TASKS[self.task].title if self.task in TASKS else self.task

    def domain(self, domain: str) -> str:
        """The name of a domain."""
        words = TASKS[self.task].directions["a2b"] if self.task in TASKS else ""
        source, _, target = words.partition(" -> ")
        return ((source if domain == "a" else target) or domain).removeprefix("drawn ")


def mean_of(records: Iterable[Record], *path: str) -> float | None:
    """Mean of the values, or of the records' numbers under ``path``; None if no record has one."""
    place = ("theory", *path) if path else ("value",)
    values = [float(value) for r in records if (value := told(r, *place)) is not None]
    return float(np.mean(values)) if values else None


def theory_of(
    preset: Preset, records: Sequence[dict[str, Any]], seeds: Collection[int] | None = None
) -> list[OfTask]:
    """Every task with style or content metrics among ``records``, those of the preset's tables
    first. ``seeds``: only these; None or empty: all."""
    current = Current(records, seeds or None)
    tasks = dict.fromkeys((*preset.table_tasks, *sorted({record["task"] for record in records})))
    every = [OfTask(task, current) for task in tasks]
    return [of for of in every if any(map(of.methods, NAMES))]


def title(method: str) -> str:
    """A method's title in the figures."""
    return METHODS[method].title.replace(" (paired)", "†").replace(" reconstruction", "")


def theory_table(preset: Preset, tasks: Sequence[OfTask]) -> Tables:
    """Two tables per task, of styles and of content codes, with means over seeds. Empty tables are
    left out."""
    parts = [table for of in tasks for table in (_styles(of), _contents(of)) if table.rows]
    return Tables(tuple(parts), (_caption(preset, tasks),))


def _styles(of: OfTask) -> Table:
    columns = (
        Column("Styles of", "of", words=True),
        *(Column(f"Deviation, {of.domain(domain)}", domain, ".2f") for domain in "ab"),
        Column("MMD", STYLES[0]), Column("Mean", STYLES[1]), Column("Covariance error", STYLES[2]),
    )  # fmt: skip
    rows: list[Row] = [
        {"of": title(method)}
        | {domain: of.mean(method, STYLES[0], "deviation", domain) for domain in "ab"}
        | {metric: _value(of, method, metric) for metric in STYLES}
        for method in of.methods(STYLES[0])
    ]
    if rows:
        nulls = {metric: _at_most(of.null(metric)) for metric in STYLES}
        rows.append({"of": "N(0, I) itself", "a": "1", "b": "1", **nulls})
        collapsed = mean_of(of.everyone(STYLES[0]), "collapsed")
        ends = dict(zip(STYLES, (collapsed, "0", "1"), strict=True))
        rows.append({"of": "all styles 0", "a": "0", "b": "0", **ends})
    return Table(heading(of.task), columns, tuple(rows))


def _contents(of: OfTask) -> Table:
    ranks = of.everyone(OF_PAIRS[1])
    columns = [
        Column("Codes of", "of", words=True),
        Column("Domain accuracy", CONTENTS[0]), Column("MMD", CONTENTS[1]),
    ]  # fmt: skip
    if ranks:
        columns += [Column("Pair distance", OF_PAIRS[0]), Column("Retrieval rank", OF_PAIRS[1])]
        columns += [Column("Found first", "first", ".2f")]
    metrics = (*CONTENTS, *OF_PAIRS)
    rows: list[Row] = [
        {"of": title(method), "first": of.mean(method, OF_PAIRS[1], "first")}
        | {metric: _value(of, method, metric) for metric in metrics}
        for method in of.methods(CONTENTS[0])
    ]
    if rows:
        pixels = {metric: mean_of(of.everyone(metric), "pixels") for metric in metrics}
        found = mean_of(ranks, "first_pixels")
        rows.append({"of": "the pictures themselves", "first": found, **pixels})
        halves = mean_of(of.everyone(CONTENTS[0]), "same_domain")
        chance = (halves, _at_most(of.null(CONTENTS[1])), "1", "0.5")
        rows.append({"of": "one distribution", **dict(zip(metrics, chance, strict=True))})
    return Table(heading(of.task), tuple(columns), tuple(rows))


def _value(of: OfTask, method: str, metric: str) -> str | None:
    """Mean over seeds with their range; for one seed, its value with its interval."""
    found = list(of.of(method, metric).values())
    if not found:
        return None
    values = [float(record["value"]) for record in found]
    mean = sum(values) / len(values)
    if len(values) > 1:
        return in_words(Estimate(mean, min(values), max(values)), form=RANGE)
    ends = found[0]["interval"]
    half = (ends["high"] - ends["low"]) / 2 if ends else math.nan
    return in_words(Estimate(mean, mean - half, mean + half), form=HALF)


def _at_most(value: float | None) -> str | None:
    return None if value is None else f"≤ {value:.3f}"


def _caption(preset: Preset, tasks: Sequence[OfTask]) -> str:
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for of in tasks:
        found = {record["seed"] for name in NAMES for record in of.everyone(name)}
        by_seeds.setdefault(tuple(sorted(found)), []).append(of.task)
    over = "; ".join(
        ("mean over seeds " if len(seeds) > 1 else "seed ")
        + ", ".join(map(str, seeds))
        + (f" ({', '.join(names)})" if len(by_seeds) > 1 else "")
        for seeds, names in by_seeds.items()
    )
    spreads = {True: "ranges are over seeds", False: "± is half a 95% interval over pictures"}
    several = {len(seeds) > 1 for seeds in by_seeds}
    spread = "; ".join(words for of_several, words in spreads.items() if of_several in several)
    return (
        f"Preset {scale(preset)}, {over}; {spread}. "
        "Styles of test pictures compared with N(0, I): root mean square deviation of their components "
        "(1 if equal), kernel distance (MMD), mean (root mean square), and error of the covariance "
        "relative to I (0 if equal). The row N(0, I) itself: 95% quantile over samples of N(0, I) of "
        "the same size. BicycleGAN's styles are draws from its encoder's q(z|x), which a KL term pulls to "
        "N(0, I). Content codes: accuracy of a classifier that predicts the domain of held-out codes "
        "(chance 0.5), MMD between the domains, distance between codes of one content relative to "
        "different contents, share of other contents that are nearer, and how often the right one "
        "is the nearest. † is trained on pairs."
    )
