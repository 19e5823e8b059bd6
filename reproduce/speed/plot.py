"""Plot costs against pixels, width, batch size and number of pictures. Time axes are logarithmic, so
costs that grow in proportion are parallel to the grey line."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from models.errors import UserError
from reproduce.report.figures import save

Record = Mapping[str, Any]
Points = list[tuple[float, float]]
PATHS = (("first", ""), ("second", ", plain"))
PIXELS = "pixels"
MEMORY = "MiB of memory"
TIMED = ("steps after the warm-up", "seconds")
_STEPS = (1, 2, 5, 10, 20, 50, 100)
_SIZE = (4.2, 3.4)  # inches per panel


def plot_all(records: Sequence[Record], folder: Path) -> list[Path]:
    """Write ``steps.png`` and ``pictures.png`` to ``folder``, as far as there are records for them.
    Returns their paths; raises UserError if there are none."""
    panels = {PIXELS: "size", "width (dim)": "dim", "batch": "batch"}
    each = {(label, "seconds a step"): series(records, key) for label, key in panels.items()}
    figures = {
        "steps.png": each | {TIMED: whole_trainings(records)},
        "pictures.png": {
            ("pictures", "seconds"): streams(records, "seconds"),
            ("pictures", MEMORY): streams(records, "above_bytes", 2**-20),
        },
    }
    made = []
    for name, found in figures.items():
        shown = {labels: lines for labels, lines in found.items() if lines}
        if shown.keys() - {TIMED}:
            size = _SIZE[0] * len(shown), _SIZE[1]
            figure, axes = plt.subplots(1, len(shown), figsize=size, squeeze=False)
            for axis, (labels, lines) in zip(axes[0], shown.items(), strict=True):
                _draw(axis, lines, *labels)
            figure.tight_layout()
            made.append(save(figure, folder / name))
    if not made:
        raise UserError(
            "no two records differ only in size, width, batch or number of pictures: measure some "
            "with python -m reproduce speed all --quick"
        )
    return made


def series(records: Sequence[Record], key: str) -> dict[str, Points]:
    """Lines of step times that differ only in ``key`` (size, plotted as pixels; batch; or dim), by
    name. The plain path has a separate line."""
    groups: dict[str, dict[float, Record]] = defaultdict(dict)
    for record in _steps(records):
        about = record["protocol"]
        settings = dict(about["settings"])
        widths = {k: settings.pop(k, None) for k in ("dim", "dis_dim", "enc_dim")}
        values = {"size": about["size"], "batch": about["batch"], "dim": about["width"]}
        place = values.pop(key)
        if key != "dim":
            values["widths"] = widths
        same = [about[k] for k in ("method", "precision", "device", "ways")]
        name = json.dumps([same, settings, values, _machine(record)], sort_keys=True)
        groups[name][place**2 if key == "size" else place] = record
    lines: dict[str, Points] = {}
    for points in groups.values():
        if len(points) > 1:
            name = _unused(_name(next(iter(points.values())), key), lines)
            for path, suffix in PATHS:
                medians = ((x, r["measured"][path]["median"]) for x, r in points.items())
                lines[name + suffix] = sorted(medians)
    return lines


def _steps(records: Sequence[Record]) -> list[Record]:
    """The records of steps compared with the plain path."""
    steps = (record for record in records if record["metric"] == "speed-step")
    return [record for record in steps if not record["protocol"]["against"]["ways"]]


def _machine(record: Record) -> list[object]:
    return [record["environment"][k] for k in ("device", "threads")]


def _unused(name: str, lines: Mapping[str, Points]) -> str:
    while name in lines:
        name += "'"
    return name


def _name(record: Record, key: str) -> str:
    about = record["protocol"]
    sizes = {"size": "{size} px", "batch": "batch {batch}", "dim": "dim {width}"}
    short = [] if about["precision"] == "float32" else [about["precision"]]
    return ", ".join(
        [about["method"], *(text.format(**about) for k, text in sizes.items() if k != key), *short]
    )


def whole_trainings(records: Sequence[Record]) -> dict[str, Points]:
    """Cumulative seconds of the timed steps, for the longest timing on each machine."""
    longest: dict[str, Record] = {}
    for record in _steps(records):
        machine = str(_machine(record))
        best = longest.get(machine, record)
        longest[machine] = max(best, record, key=lambda r: int(r["protocol"]["steps"]))
    lines: dict[str, Points] = {}
    for record in longest.values():
        name = _unused(_name(record, ""), lines)
        for path, suffix in PATHS:
            sums = itertools.accumulate(record["measured"][path]["seconds"])
            points = [(float(n), s) for n, s in enumerate(sums, 1)]
            if len(points) > 1:
                lines[name + suffix] = [p for p in points if p[0] in _STEPS or p is points[-1]]
    return lines


def streams(records: Sequence[Record], key: str, scale: float = 1.0) -> dict[str, Points]:
    """Lines of ``key``, times ``scale``, against the number of pictures, by name."""
    lines: dict[str, Points] = {}
    for record in records:
        about = record["protocol"]
        if record["metric"] not in ("speed-translate", "speed-modes"):
            continue
        what = f"batch {about['batch']}" if "batch" in about else "IS and CIS"
        name = _unused(f"{about['method']}, {about['size']} px, {what}", lines)
        points = [(p["pictures"], p[key] * scale) for p in record["measured"]["points"]]
        if len(points) > 1:
            lines[name] = sorted(points)
    return lines


def _draw(axis: Axes, lines: Mapping[str, Points], across: str, up: str) -> None:
    colours: dict[str, str] = {}
    for name, points in lines.items():
        base = name.removesuffix(", plain")
        colour = colours.setdefault(base, f"C{len(colours)}")
        style = {"ls": "--", "marker": "o", "mfc": "white"} if name != base else {"marker": "o"}
        axis.plot(*zip(*points, strict=True), color=colour, ms=4, lw=1.2, label=name, **style)  # type: ignore[arg-type]
    everything = [p for points in lines.values() for p in points]
    left, right = min(x for x, _ in everything), max(x for x, _ in everything)
    x, y = max(everything, key=lambda p: p[1])
    if up != MEMORY:  # memory should not grow
        # The grey line: in proportion, a little below the highest line.
        axis.plot([left, right], [0.6 * y * left / x, 0.6 * y * right / x], color="0.6", lw=0.8,
                  label="in proportion")  # fmt: skip
    axis.set(xscale="log", yscale="linear" if up == MEMORY else "log", xlabel=across, ylabel=up)
    places = sorted({x for x, _ in everything})
    squares = across == PIXELS
    axis.set_xticks(places, [f"{x**0.5:g}²" if squares else f"{x:g}" for x in places])
    axis.xaxis.set_minor_locator(NullLocator())
    if up == MEMORY:
        axis.set_ylim(0, 1.3 * y)
    else:
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", lw=0.3, color="0.9")
    axis.legend(fontsize=6)
