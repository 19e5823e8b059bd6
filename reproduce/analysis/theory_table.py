"""What theory says of styles and contents against what was measured, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.metrics.theory.contents import (
    CONTENT_MMD,
    DOMAIN_ACCURACY,
    PAIR_DISTANCE,
    RETRIEVAL_RANK,
)
from benchmarks.metrics.theory.styles import COV_ERROR, MEAN_NORM, STYLE_MMD
from reproduce.analysis.table_text import DASH, grid, heading
from reproduce.analysis.theory_results import OfTask, mean_of, theory_of, title
from reproduce.experiments.preset import Preset

STYLE_HEADS = ["Styles of", "Deviation, {a}", "Deviation, {b}", "MMD", "Mean", "Covariance error"]
CONTENT_HEADS = ["Codes of", "Domain accuracy", "MMD", "Pair distance", "Retrieval rank", "Found first"]  # fmt: skip


def theory_table(
    preset: Preset, records: Sequence[dict[str, Any]], seeds: Sequence[int] | None = None
) -> str:
    """Two Markdown tables a task, of styles and of content codes; means over ``seeds``, by default
    all that there are. Empty where nothing was measured."""
    tasks = theory_of(preset, records, seeds)
    parts = []
    for of in tasks:
        tables = [_grid(rows) for rows in (_styles(of), _contents(of)) if len(rows) > 1]
        parts += [f"### {heading(of.task)}", *tables]
    return "\n\n".join([*parts, _caption(preset, tasks)]) + "\n" if parts else ""


def _grid(rows: list[list[str]]) -> str:
    return grid([[cell.replace("(paired)", "†") for cell in row] for row in rows])


def _styles(of: OfTask) -> list[list[str]]:
    heads = [head.format(a=of.domain("a"), b=of.domain("b")) for head in STYLE_HEADS]
    metrics = (STYLE_MMD.name, MEAN_NORM.name, COV_ERROR.name)
    rows = [heads]
    for method in of.methods(STYLE_MMD.name):
        deviations = [of.mean(method, STYLE_MMD.name, "deviation", domain) for domain in "ab"]
        rows.append(
            [title(method), *(_number(d, 2) for d in deviations), *(_value(of, method, m) for m in metrics)]
        )  # fmt: skip
    every = of.everyone(STYLE_MMD.name)
    if every:
        nulls = [_number(of.null(metric)) for metric in metrics]
        rows.append(["N(0, I) itself", "1", "1", *(f"≤ {null}" for null in nulls)])
        rows.append(["all styles 0", "0", "0", _number(mean_of(every, "collapsed")), "0", "1"])
    return rows


def _contents(of: OfTask) -> list[list[str]]:
    metrics = (DOMAIN_ACCURACY.name, CONTENT_MMD.name, PAIR_DISTANCE.name, RETRIEVAL_RANK.name)
    first = RETRIEVAL_RANK.name
    rows = [list(CONTENT_HEADS)]
    for method in of.methods(DOMAIN_ACCURACY.name):
        found = _number(of.mean(method, first, "first"), 2)
        rows.append([title(method), *(_value(of, method, m) for m in metrics), found])
    if len(rows) > 1:
        pixels = [_number(mean_of(of.everyone(m), "pixels")) for m in metrics]
        found = _number(mean_of(of.everyone(first), "first_pixels"), 2)
        rows.append(["the pictures themselves", *pixels, found])
        halves = _number(mean_of(of.everyone(DOMAIN_ACCURACY.name), "same_domain"))
        null = _number(of.null(CONTENT_MMD.name))
        rows.append(["one distribution", halves, f"≤ {null}", "1", "0.5", DASH])
    paired = bool(of.everyone(first))
    return rows if paired else [row[:-3] for row in rows]


def _value(of: OfTask, method: str, metric: str) -> str:
    """Mean over seeds; of one seed with its interval, of several with the range of seeds."""
    found = list(of.of(method, metric).values())
    if not found:
        return DASH
    values = [float(record["value"]) for record in found]
    mean = sum(values) / len(values)
    if len(values) > 1:
        return f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})"
    interval = found[0]["interval"]
    half = (interval["high"] - interval["low"]) / 2 if interval else None
    return f"{mean:.3f}" if half is None else f"{mean:.3f} ± {half:.3f}"


def _number(value: float | None, digits: int = 3) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def _caption(preset: Preset, tasks: Sequence[OfTask]) -> str:
    seeds = {s for of in tasks for r in of.records.values() for by in r.values() for s in by}
    several = len(seeds) > 1
    spread = (
        "ranges are those of the seeds" if several else "± is half a 95% interval over pictures"
    )
    changed = f" with {' '.join(f'{k}={v}' for k, v in preset.changes.items())}" if preset.changes else ""  # fmt: skip
    return (
        f"Preset {preset.title}{changed}, {'mean over' if several else 'seed'} "
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
