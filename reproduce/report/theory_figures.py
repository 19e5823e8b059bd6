"""Figures on the theory: encoded styles against N(0, I), and content codes of the two domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation
from scipy import stats

from benchmarks.intervals import FloatArray
from benchmarks.metrics.theory import contents
from benchmarks.metrics.theory.styles import STYLE_MMD
from reproduce.analysis.theory import OfTask, Record, mean_of, theory_of, theory_table, title
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.records.raw import raw_of
from reproduce.report.figures import plain, save

WIDTH = 4.8  # inches: readable on a page of 390 px
COMPARED = ("munit", "munit-wo-s")  # with and without the style term
# Distinct for all kinds of colour vision (Okabe and Ito, 2008), and by their markers.
COLOURS = {"munit": "#0072B2", "munit-wo-s": "#D55E00"}
MARKERS = {"munit": "o", "munit-wo-s": "s"}
OTHERS, GUIDE = "#333333", "#888888"
BELOW = 0.24  # inches between an axis and its legend, for the tick labels
DODGE = 0.18  # of a row: offset between the points of several seeds
CHARTS = {
    contents.DOMAIN_ACCURACY.name: "Accuracy of a domain classifier of codes",
    contents.CONTENT_MMD.name: "MMD between the domains' codes",
    contents.PAIR_DISTANCE.name: "Distance of codes of one content\nrelative to different contents",
    contents.RETRIEVAL_RANK.name: "Share of other contents that are nearer",
}


def write_theory(preset: Preset, places: Places, seeds: Sequence[int] | None = None) -> list[Path]:
    """Write ``theory.md``, and for each measured task ``theory-styles-TASK.png`` and
    ``theory-content-TASK.png``, to the preset's results. Returns the paths."""
    folder = places.results / preset.name
    tasks = theory_of(preset, places.records(preset).all(), seeds)
    written = theory_table(preset, tasks).write(folder, "theory", "md")
    for of in tasks:
        name = Path(of.task).name
        if of.methods(STYLE_MMD.name):
            written.append(styles_figure(of, places.results, folder / f"theory-styles-{name}.png"))
        if of.methods(contents.DOMAIN_ACCURACY.name):
            written.append(content_figure(of, folder / f"theory-content-{name}.png"))
    return written


def styles_figure(of: OfTask, results: Path, path: Path) -> Path:
    """Draw QQ plots of every style component against N(0, 1), with and without the style term; means
    and deviations; the kernel distance of every method. Encoded styles are of the first seed."""
    shown = {m: found for m in COMPARED if (found := _encoded(of, m, results))}
    methods = of.methods(STYLE_MMD.name)
    chart = 0.75 + 0.27 * len(methods)
    heights = [1.9] * len(shown) + [1.5] * bool(shown) + [chart]
    figure = plt.figure(figsize=(WIDTH, sum(heights) + 0.9), layout="constrained")
    cells = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    for row, (method, styles) in enumerate(shown.items()):
        for column, domain in enumerate(sorted(styles)):
            panel = figure.add_subplot(cells[row, column])
            _qq(panel, styles[domain], COLOURS[method])
            _title(panel, f"{title(method)}: {of.domain(domain)}")
            panel.set_xlabel("quantiles of N(0, 1)", fontsize=8)
            panel.set_ylabel("encoded" if column == 0 else "", fontsize=8)
    for column, domain in enumerate("ab" if shown else ""):
        panel = figure.add_subplot(cells[len(shown), column])
        _moments(panel, {m: styles[domain] for m, styles in shown.items() if domain in styles})
        _title(panel, f"Mean ± deviation: {of.domain(domain)}")
        panel.set_xlabel("style number (grey: N(0, 1))", fontsize=8)
    panel = figure.add_subplot(cells[len(heights) - 1, :])
    _chart(panel, of, STYLE_MMD.name)
    every = of.everyone(STYLE_MMD.name)
    _guide(panel, of.null(STYLE_MMD.name), "N(0, I) itself")
    _guide(panel, mean_of(every, "collapsed"), "all styles 0", "--")
    _from(panel, 0.0)
    _title(panel, "MMD between encoded styles and N(0, I)")
    figure.suptitle(f"Styles of real test pictures\n{of.title}", fontsize=9.5)
    return save(figure, path)


def content_figure(of: OfTask, path: Path) -> Path:
    """Draw the content codes' metrics by method, with their values for pictures and by chance."""
    metrics = [metric for metric in CHARTS if of.methods(metric)]
    heights = [0.8 + 0.25 * len(of.methods(metric)) for metric in metrics]
    figure, panels = plt.subplots(
        len(metrics), 1, squeeze=False, figsize=(WIDTH, sum(heights) + 0.9), layout="constrained",
        height_ratios=heights,
    )  # fmt: skip
    for panel, metric in zip(panels[:, 0], metrics, strict=True):
        _chart(panel, of, metric)
        _guide(panel, mean_of(of.everyone(metric), "pixels"), "pictures themselves", "--")
        _guide(panel, *_chance(of, metric))
        _from(panel, 0.4 if metric == contents.DOMAIN_ACCURACY.name else 0.0)
        _title(panel, CHARTS[metric])
    figure.suptitle(f"Content codes of the two domains\n{of.title}", fontsize=9.5)
    return save(figure, path)


def styles_alt(of: OfTask) -> str:
    """The alternative text of the styles figure, with its numbers."""
    every = of.everyone(STYLE_MMD.name)
    words = f"Quantiles of encoded styles against N(0, 1) on {of.title}. "
    words += f"Kernel distance (MMD) from N(0, I): {_means(of, STYLE_MMD.name)}"
    words += f"; N(0, I) itself is below {of.null(STYLE_MMD.name):.3f}"
    words += f", and styles that are all 0 have {mean_of(every, 'collapsed'):.3f}."
    for method in (m for m in COMPARED if of.of(m, STYLE_MMD.name)):
        told = [
            f"{value:.2f} ({of.domain(domain)})"
            for domain in "ab"
            if (value := of.mean(method, STYLE_MMD.name, "deviation", domain)) is not None
        ]
        both = " and ".join(told)
        words += f" Deviation of {title(method)}'s styles: {both} where N(0, I) has 1."
    return words


def content_alt(of: OfTask) -> str:
    """The alternative text of the content figure."""
    words = f"Content codes of the two domains of {of.title}."
    for metric in (metric for metric in CHARTS if of.methods(metric)):
        pixels, (chance, name) = mean_of(of.everyone(metric), "pixels"), _chance(of, metric)
        words += f" {CHARTS[metric].replace(chr(10), ' ')}: {_means(of, metric)}"
        words += "" if pixels is None else f"; pictures themselves {pixels:.3f}"
        words += "." if chance is None else f"; {name} {chance:.3g}."
    return words


def _means(of: OfTask, metric: str) -> str:
    return ", ".join(f"{title(m)} {of.mean(m, metric):.3f}" for m in of.methods(metric))


def _chance(of: OfTask, metric: str) -> tuple[float | None, str]:
    if metric == contents.CONTENT_MMD.name:
        return of.null(metric), "one distribution"
    if metric == contents.PAIR_DISTANCE.name:
        return 1.0, "unrelated"
    return 0.5, "chance"


def _encoded(of: OfTask, method: str, results: Path) -> Mapping[str, FloatArray]:
    """Domain -> the styles (N, D) of a method's first seed."""
    records = of.of(method, STYLE_MMD.name)
    if not records:
        return {}
    record: Record = records[min(records)]
    arrays = raw_of(results, record)
    if arrays is None:
        return {}
    return {d: arrays[d].astype(np.float64) for d in record["protocol"]["domains"]}


def _qq(panel: Axes, styles: FloatArray, colour: str) -> None:
    count = len(styles)
    normal = stats.norm.ppf((np.arange(count) + 0.5) / count)
    for column in np.sort(styles, axis=0).T:
        panel.plot(normal, column, color=colour, lw=1, alpha=0.75)
    panel.plot([-3, 3], [-3, 3], color=GUIDE, ls="--", lw=1)
    panel.set(xlim=(-3, 3), ylim=(-3, 3), xticks=range(-2, 3, 2), yticks=range(-2, 3, 2))
    plain(panel)


def _moments(panel: Axes, styles: Mapping[str, FloatArray]) -> None:
    panel.axhspan(-1, 1, color="#E8E8E8", lw=0)
    panel.axhline(0, color=GUIDE, lw=0.8)
    for k, (method, points) in enumerate(styles.items()):
        place = 1 + np.arange(points.shape[1]) + (k - (len(styles) - 1) / 2) * 0.3
        panel.errorbar(
            place, points.mean(axis=0), yerr=points.std(axis=0), ls="none", ms=3, lw=1.3,
            color=COLOURS[method], marker=MARKERS[method],
        )  # fmt: skip
    panel.set(ylim=(-1.6, 1.6), yticks=(-1, 0, 1))
    plain(panel)


def _chart(panel: Axes, of: OfTask, metric: str) -> None:
    """One row per method, one point with its interval per seed."""
    methods = of.methods(metric)
    for row, method in enumerate(methods):
        records = of.of(method, metric)
        for k, seed in enumerate(sorted(records)):
            place, record = row + (k - (len(records) - 1) / 2) * DODGE, records[seed]
            value, interval = record["value"], record["interval"]
            ends = [[value - interval["low"]], [interval["high"] - value]] if interval else None
            panel.errorbar(
                [value], [place], xerr=None if ends is None else np.clip(ends, 0, None),
                ls="none", ms=4, lw=1.2, capsize=2, color=COLOURS.get(method, OTHERS),
                marker=MARKERS.get(method, "D"),
            )  # fmt: skip
    panel.set_yticks(range(len(methods)), [title(m) for m in methods])
    panel.set_ylim(len(methods) - 0.5, -0.5)
    panel.grid(axis="x", color="#DDDDDD", lw=0.6)
    plain(panel)


def _guide(panel: Axes, value: float | None, label: str, style: str = ":") -> None:
    if value is not None:
        panel.axvline(value, color=GUIDE, ls=style, lw=1.3, label=label)


def _from(panel: Axes, zero: float) -> None:
    """Start an axis at ``zero``, with room for the points at both ends, and put its legend below."""
    end = panel.dataLim.x1
    room = 0.02 * (end - zero)
    panel.set_xlim(zero - room, end + room)
    if panel.get_legend_handles_labels()[1]:
        below = ScaledTranslation(0, -BELOW, panel.figure.dpi_scale_trans)
        panel.legend(
            fontsize=7.5, ncols=2, frameon=False, loc="upper left", borderaxespad=0,
            bbox_to_anchor=(0, 0), bbox_transform=panel.transAxes + below,
        )  # fmt: skip


def _title(panel: Axes, text: str) -> None:
    panel.set_title(text, fontsize=8.5, loc="left")
