"""Stored costs as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.choices import ALL
from reproduce.analysis.table import DASH, Tables, of_texts
from reproduce.speed.machine import best

Record = Mapping[str, Any]
_MIB = 2**20
TITLES = {
    "step": "Training steps, beside the plain path (float32, eager)",
    "primitives": "Convolutions of a training step, each timed alone",
    "each-way": "What each way is worth: all ways against all but this one",
    "translate": "Translations, pictures read and prepared included",
    "diversity": "Diversity, beside the lpips package's loop over pairs",
    "modes": "IS and CIS, translations included",
    "data": "Time that a training waits for pictures",
}


_RATIO = "{ratio} [{ratio q1}, {ratio q3}]"  # quartiles
_WHAT = {key: f"{{{key}}}" for key in ("method", "px", "batch", "dim")}
# What is shown: headings, and how their cells are made of a row.
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
    """One row a measurement of ``kind`` (a key of ``TITLES``), plain values by column."""
    metric = "step" if kind == "each-way" else kind
    found = [r for r in records if r["metric"] == f"speed-{metric}"]
    if metric == "step":
        found = [r for r in found if bool(_left_out(r)) == (kind == "each-way")]
    # Bytes above what the process held before, and seconds of a step, by network and path.
    beside = _beside(records, "memory" if metric == "step" else "step")
    return [_ROWS[kind](r, beside) | _where(r) for r in sorted(found, key=_order)]


def _order(record: Record) -> tuple[str, ...]:
    about = record["protocol"]
    keys = ("device", "precision", "method", "protocol_name")
    numbers = (about["size"], about.get("width"), about.get("batch"))
    return (*(str(about.get(k)) for k in keys), *(f"{n or 0:06d}" for n in numbers))


def _left_out(record: Record) -> str:
    """The way that the second path lacks, where it lacks one alone; else nothing."""
    about = record["protocol"]
    other = about["against"]
    gone = set(about["ways"]) - set(other["ways"])
    alone = len(gone) == 1 and other["precision"] == about["precision"] and len(about["ways"]) > 1
    return next(iter(gone)) if alone else ""


def _beside(records: Sequence[Record], kind: str) -> dict[str, float]:
    """The values of a kind by network, ways and precision."""
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


def _where(record: Record) -> dict[str, Any]:
    return {"threads": record["environment"]["threads"], "device": record["environment"]["device"]}


def _how(record: Record) -> dict[str, Any]:
    about = record["protocol"]
    ways = set(about["ways"])
    named = ["all", *sorted(ways - ALL)] if ways >= ALL else sorted(ways)
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
        "pictures/s": 2 * about["batch"] / seconds,  # of both domains
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
    """The records of ``kind``; no table where there is none."""
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
