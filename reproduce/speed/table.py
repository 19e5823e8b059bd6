"""Tables of the stored costs, and a short table for results/speed/README.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from models.choices import ALL
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import DASH, ENDS, Tables, in_words, of_texts
from reproduce.speed.machine import best

Record = Mapping[str, Any]
_MIB = 2**20
TITLES = {
    "step": "Training steps, compared with the plain path (float32, eager)",
    "primitives": "Convolutions of a training step, each timed alone",
    "each-way": "Gain of each optimisation: all of them compared with all but this one",
    "translate": "Translations, including reading and preparing pictures",
    "diversity": "Diversity, compared with a loop over pairs around the lpips package",
    "modes": "IS and CIS, including the translations",
    "data": "Time that a training waits for pictures",
}
_RATIO = "{ratio} [{ratio q1}, {ratio q3}]"  # quartiles
_WHAT = {key: f"{{{key}}}" for key in ("method", "px", "batch", "dim")}
# The columns of each table: heading -> format of its cells.
_COLUMNS = {
    "step": _WHAT | {
        "precision": "{precision}", "ways": "{ways}", "s/step": "{s/step}",
        "plain": "{plain s/step}", "ratio": _RATIO, "pictures/s": "{pictures/s}",
        "GFLOP (plain)": "{GFLOP} ({plain GFLOP})",
        "% of a matrix product's FLOP/s": "{% of product}",
        "% of a copy's bytes/s": "{% of copy}", "MiB (plain)": "{MiB} ({plain MiB})",
        "MiB ratio": "{MiB ratio}",
    },
    "primitives": _WHAT | {
        "precision": "{precision}", "ways": "{ways}", "convolutions": "{calls}",
        "s alone": "{s alone}", "GFLOP/s alone": "{GFLOP/s alone}",
        "GFLOP/s of a matrix product": "{GFLOP/s of product}", "s/step": "{s/step}",
        "% of the step": "{% of step}",
    },
    "each-way": _WHAT | {"without": "{way}", "ratio": _RATIO},
    "translate": _WHAT | {
        "pictures/s": "{pictures/s}", "plain": "{plain pictures/s}", "time ratio": "{ratio}",
        "pictures": "{fewest} … {most}", "MiB": "{MiB at fewest} … {MiB at most}",
    },
    "diversity": {
        "protocol": "{protocol}", "inputs": "{inputs}", "px": "{px}", "batch": "{batch}",
        "seconds": "{seconds}", "package": "{package s}", "ratio": _RATIO,
        "largest difference": "{furthest}", "MiB": "{MiB}",
    },
    "modes": {
        "method": "{method}", "px": "{px}", "inputs x samples": "{inputs} x {samples}",
        "seconds": "{seconds}", "MiB (a tenth of the samples)": "{MiB} ({MiB at a tenth})",
    },
    "data": _WHAT | {
        "workers": "{workers}", "s/step": "{s/step}", "waiting %": "{waiting %}",
        "% longer than with one batch over and over": "{% longer}",
        "% with nothing read ahead": "{% at once}",
    },
}  # fmt: skip


def rows(kind: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row per measurement of ``kind`` (a key of ``TITLES``): values by column name."""
    metric = "step" if kind == "each-way" else kind
    found = [r for r in records if r["metric"] == f"speed-{metric}"]
    if metric == "step":
        found = [r for r in found if bool(_left_out(r)) == (kind == "each-way")]
    # Bytes above what the process held before (or seconds of a step), by network and path.
    beside = _beside(records, "memory" if metric == "step" else "step")
    made = ((_ROWS[kind](r, beside), r["environment"]) for r in sorted(found, key=_order))
    return [row | {key: where[key] for key in ("threads", "device")} for row, where in made]


def _order(record: Record) -> tuple[str, ...]:
    about = record["protocol"]
    keys = ("device", "precision", "method", "protocol_name")
    numbers = (about["size"], about.get("width"), about.get("batch"))
    return (*(str(about.get(k)) for k in keys), *(f"{n or 0:06d}" for n in numbers))


def _left_out(record: Record) -> str:
    """The optimisation that the second path lacks, if it lacks exactly one; else an empty string."""
    about = record["protocol"]
    other = about["against"]
    gone = set(about["ways"]) - set(other["ways"])
    alone = len(gone) == 1 and other["precision"] == about["precision"] and len(about["ways"]) > 1
    return next(iter(gone)) if alone else ""


def _beside(records: Sequence[Record], kind: str) -> dict[str, float]:
    """The values of a kind by network, optimisations and precision."""
    found = [(r["protocol"], r["value"]) for r in records if r["metric"] == f"speed-{kind}"]
    return {_path(about, about): float(value) for about, value in found}


def _path(about: Record, path: Record) -> str:
    same = [about[k] for k in ("method", "size", "batch", "device", "threads")]
    settings = sorted(about["settings"].items())
    return repr([same, settings, list(path["ways"]), path["precision"]])


def _what(record: Record) -> dict[str, Any]:
    about = record["protocol"]
    named = {"method": about["method"], "px": about["size"], "batch": about.get("batch")}
    return named | {"dim": about["width"]}


def _how(record: Record) -> dict[str, Any]:
    about = record["protocol"]
    ways = set(about["ways"])
    named = ["all", *sorted(ways - ALL)] if ways >= ALL else sorted(ways)
    if record["measured"].get("first", {}).get("graphs") is False:
        named.append("eager")  # no CUDA graph could be recorded
    told = {"precision": about["precision"], "ways": ", ".join(named) or "plain"}
    return _what(record) | told


def _ratio(record: Record) -> dict[str, float]:
    ratio = record["measured"]["ratio"]
    return {"ratio": ratio["median"], "ratio q1": ratio["q1"], "ratio q3": ratio["q3"]}


def _step(record: Record, memories: Mapping[str, float]) -> dict[str, Any]:
    about, found = record["protocol"], record["measured"]
    first, second, machine = found["first"], found["second"], best(found["machine"])
    memory, plain_memory = (memories.get(_path(about, of)) for of in (about, about["against"]))
    flop, seconds = first["counts"]["flop"], first["median"]
    return _how(record) | {
        "s/step": seconds, "s/step q1": first["q1"], "s/step q3": first["q3"],
        "s/step min": first["min"], "plain s/step": second["median"], **_ratio(record),
        "pictures/s": 2 * about["batch"] / seconds,  # both domains
        "GFLOP": flop / 1e9, "plain GFLOP": second["counts"]["flop"] / 1e9,
        "% of product": 100 * flop / seconds / machine["flop_per_s"],
        "% of copy": 100 * first["counts"]["bytes"] / seconds / machine["bytes_per_s"],
        "MiB": memory and memory / _MIB, "plain MiB": plain_memory and plain_memory / _MIB,
        "MiB ratio": memory / plain_memory if memory and plain_memory else None,
    }  # fmt: skip


def _primitives(record: Record, steps: Mapping[str, float]) -> dict[str, Any]:
    about, found = record["protocol"], record["measured"]
    step, alone = steps.get(_path(about, about)), found["seconds"]
    return _how(record) | {
        "calls": found["calls"], "different": found["different"], "s alone": alone,
        "GFLOP": found["flop"] / 1e9, "GFLOP/s alone": found["flop"] / alone / 1e9,
        "GFLOP/s of product": best(found["machine"])["flop_per_s"] / 1e9, "s/step": step,
        "% of step": None if step is None else 100 * alone / step,
    }  # fmt: skip


def _each_way(record: Record, _: object) -> dict[str, Any]:
    return _what(record) | {"way": _left_out(record)} | _ratio(record)


def _translate(record: Record, _: object) -> dict[str, Any]:
    found = record["measured"]
    first, last = found["points"][0], found["points"][-1]
    return _what(record) | {
        "pictures/s": found["first"]["pictures_per_s"]["median"],
        "plain pictures/s": found["second"]["pictures_per_s"]["median"],
        "ratio": found["ratio"]["median"], "fewest": first["pictures"], "most": last["pictures"],
        "seconds": last["seconds"], "MiB at fewest": first["above_bytes"] / _MIB,
        "MiB at most": last["above_bytes"] / _MIB,
    }  # fmt: skip


def _diversity(record: Record, _: object) -> dict[str, Any]:
    about, found = record["protocol"], record["measured"]
    return {
        "protocol": about["protocol_name"], "inputs": about["inputs"], "px": about["size"],
        "batch": about["batch"], "seconds": found["seconds"], "package s": found["package_seconds"],
        **_ratio(record), "furthest": found["furthest"], "MiB": found["above_bytes"] / _MIB,
    }  # fmt: skip


def _modes(record: Record, _: object) -> dict[str, Any]:
    about, found = record["protocol"], record["measured"]
    return {key: about[key] for key in ("method", "inputs", "samples")} | {
        "px": about["size"], "seconds": found["seconds"],
        "MiB at a tenth": found["points"][0]["above_bytes"] / _MIB,
        "MiB": found["above_bytes"] / _MIB,
    }  # fmt: skip


def _data(record: Record, _: object) -> dict[str, Any]:
    about, found = record["protocol"], record["measured"]
    ahead = found["ahead"]
    return _what(record) | {
        "waiting %": 100 * ahead["share"], "% at once": 100 * found["at_once"]["share"],
        "s/step": ahead["total_s"] / about["steps"],
        "% longer": 100 * (ahead["total_s"] / found["resident"]["total_s"] - 1),
        "workers": about["workers"],
    }  # fmt: skip


_ROWS: dict[str, Callable[[Record, Mapping[str, float]], dict[str, Any]]] = {
    "step": _step, "primitives": _primitives, "each-way": _each_way, "translate": _translate,
    "diversity": _diversity, "modes": _modes, "data": _data,
}  # fmt: skip


def table(kind: str, records: Sequence[Record]) -> Tables:
    """The table of the records of ``kind``; empty if there are none."""
    found = rows(kind, records)
    names = tuple(dict.fromkeys(name for row in found for name in row))
    shown = _COLUMNS[kind] | {"threads": "{threads}", "device": "{device}"}
    cells = [{name: _cell(value) for name, value in row.items()} for row in found]
    lines = [list(shown), *([words.format_map(of) for words in shown.values()] for of in cells)]
    parts = (of_texts(TITLES[kind], lines, len(shown)),) if found else ()
    return Tables(parts, data=tuple(found), names=names)


def _cell(value: object) -> str:
    if value is None:
        return DASH
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


HEADINGS = ("what", "took", "beside it", "ratio of times", "memory, MiB (beside it)")
# Memory of steps: the GPU's if they run on one, else the process's.


def brief(records: Sequence[Record]) -> str:
    """A Markdown table per machine: training steps whose memory was measured too, their convolutions
    alone where timed, translations, metrics, and the wait for pictures."""

    def machine(record: Record) -> tuple[str, int]:
        return record["environment"]["device"], record["environment"]["threads"]

    parts = []
    for (device, threads), group in groupby(sorted(records, key=machine), machine):
        found = [*_lines(_longest(list(group)))]
        if found:
            text = of_texts("", [HEADINGS, *found], len(HEADINGS)).markdown()
            parts.append(f"On {device}, {threads} thread{'s' * (threads > 1)}:\n\n{text}\n")
    return "\n".join(parts)


def _longest(records: Sequence[Record]) -> list[Record]:
    """The records; of steps timed in series of several lengths, only the longest."""
    found: dict[str, Record] = {}
    for record in sorted(records, key=lambda r: int(r["protocol"].get("steps", 0))):
        about = {k: v for k, v in record["protocol"].items() if k != "steps"}
        found[json.dumps(about, sort_keys=True)] = record
    return list(found.values())


def _lines(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    for row in rows("step", records):
        if row["MiB"] is not None and row["ways"] == "all":
            yield (
                f"training step, {_network(row)}, {_cell(row['GFLOP'])} GFLOP", f"{row['s/step']:.3g} s",
                f"{row['plain s/step']:.3g} s, the plain path", _quartiles(row),
                f"{row['MiB']:.0f} ({row['plain MiB']:.0f})" if row["plain MiB"] else f"{row['MiB']:.0f}",
            )  # fmt: skip
    for row in rows("primitives", records):
        if row["s/step"] is not None:
            yield (
                f"convolutions alone of a training step, {_network(row)}, {_cell(row['GFLOP'])} GFLOP",
                f"{row['s alone']:.3g} s ({row['GFLOP/s alone']:.0f} GFLOP/s)",
                f"{row['s/step']:.3g} s, the step", f"{row['% of step'] / 100:.2f}", "",
            )  # fmt: skip
    for row in rows("translate", records):
        yield (
            f"translations, {_network(row)}", f"{row['pictures/s']:,.0f} a second",
            f"{row['plain pictures/s']:,.0f} a second, the plain path", f"{row['ratio']:.2f}", "",
        )  # fmt: skip
        yield (
            f"{row['most']:,} of them in one stream", f"{row['seconds']:.3g} s", "", "",
            f"{row['MiB at most']:.0f} ({row['MiB at fewest']:.0f} after {row['fewest']:,})",
        )  # fmt: skip
    for row in rows("diversity", records):
        yield (
            f"diversity, {row['inputs']} inputs x 19 {row['protocol']} pairs, {row['px']} px",
            f"{row['seconds']:.3g} s", f"{row['package s']:.3g} s, the lpips package's loop",
            _quartiles(row), f"{row['MiB']:.0f}",
        )  # fmt: skip
    for row in rows("modes", records):
        yield (
            f"IS and CIS, {row['inputs']} x {row['samples']} samples of {row['method']}, "
            f"{row['px']} px, translating included",
            f"{row['seconds']:.3g} s", "", "",
            f"{row['MiB']:.0f} ({row['MiB at a tenth']:.0f} with a tenth of the samples)",
        )  # fmt: skip
    for row in rows("data", records):
        yield (
            f"waiting for pictures, {_network(row)}", f"{row['waiting %']:.2g} % of the time",
            f"{row['% at once']:.2g} %, nothing read ahead", "", "",
        )  # fmt: skip


def _network(row: Mapping[str, Any]) -> str:
    precision = row.get("precision", "float32")
    short = "" if precision == "float32" else f", {precision}"
    return f"{row['method']}, {row['px']} px, batch {row['batch']}, dim {row['dim']}{short}"


def _quartiles(row: Mapping[str, Any]) -> str:
    return in_words(Estimate(row["ratio"], row["ratio q1"], row["ratio q3"]), ".2f", form=ENDS)
