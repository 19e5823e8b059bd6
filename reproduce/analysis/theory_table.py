"""What theory says of styles and contents against what was measured, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.metrics.theory.contents import (
    CONTENT_MMD,
    DOMAIN_ACCURACY,
    PAIR_DISTANCE,
    RETRIEVAL_RANK,
)
from benchmarks.metrics.theory.styles import COV_ERROR, MEAN_NORM, STYLE_MMD
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import HALF, Column, Row, Table, Tables, in_words
from reproduce.analysis.tables import heading, scale
from reproduce.analysis.theory_results import OfTask, mean_of, theory_of, title
from reproduce.experiments.preset import Preset

RANGE = "{value} ({low} to {high})"
STYLES = (STYLE_MMD.name, MEAN_NORM.name, COV_ERROR.name)
CONTENTS = (DOMAIN_ACCURACY.name, CONTENT_MMD.name)
OF_PAIRS = (PAIR_DISTANCE.name, RETRIEVAL_RANK.name)


def theory_table(
    preset: Preset, records: Sequence[dict[str, Any]], seeds: Sequence[int] | None = None
) -> Tables:
    """Two tables a task, of styles and of content codes; means over ``seeds``, by default all that
    there are. No tables where nothing was measured."""
    tasks = theory_of(preset, records, seeds)
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
    ranks = of.everyone(RETRIEVAL_RANK.name)
    columns = [
        Column("Codes of", "of", words=True),
        Column("Domain accuracy", CONTENTS[0]), Column("MMD", CONTENTS[1]),
    ]  # fmt: skip
    if ranks:
        columns += [
            Column("Pair distance", OF_PAIRS[0]), Column("Retrieval rank", OF_PAIRS[1]),
            Column("Found first", "first", ".2f"),
        ]  # fmt: skip
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
    """Mean over seeds; of one seed with its interval, of several with the range of seeds."""
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
    seeds = {s for of in tasks for r in of.records.values() for by in r.values() for s in by}
    several = len(seeds) > 1
    spread = (
        "ranges are those of the seeds" if several else "± is half a 95% interval over pictures"
    )
    return (
        f"{scale(preset)}, {'mean over' if several else 'seed'} "
        f"{'seeds ' if several else ''}{', '.join(map(str, sorted(seeds)))}; {spread}. "
        "Styles of test pictures against N(0, I): root mean square deviation of their numbers (1 if "
        "equal), kernel distance (MMD), mean, and error of the covariance relative to I (0 if "
        "equal); 95% of samples of N(0, I) of as many pictures stay below the row of that name. "
        "BicycleGAN's styles are draws from its encoder's q(z|x), which a KL term pulls to N(0, I). "
        "Content codes: how often a classifier tells the domain of a code that it did not learn "
        "from (chance 0.5), MMD between the domains, distance between codes of one content "
        "relative to different contents, share of other contents that are nearer, and how often "
        "the right one is the nearest. † is trained on pairs."
    )
