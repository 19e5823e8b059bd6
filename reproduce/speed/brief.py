"""The costs that people ask about first, in one table: for the README."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import ENDS, in_words, of_texts
from reproduce.speed.table import Record, rows

HEADINGS = ("what", "took", "beside it", "ratio of times", "memory, MiB (beside it)")
# Of steps on a GPU memory is the GPU's, else the process's.


def brief(records: Sequence[Record]) -> str:
    """A Markdown table of each machine: steps whose memory was measured too, the convolutions of
    some of them alone, translations, measurements, waiting."""

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
    """Of steps that were timed twice, in series of different lengths, the longer."""
    found: dict[str, Record] = {}
    for record in sorted(records, key=lambda r: int(r["protocol"].get("steps", 0))):
        about = {k: v for k, v in record["protocol"].items() if k != "steps"}
        found[json.dumps(about, sort_keys=True)] = record
    return list(found.values())


def _lines(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    for row in rows("step", records):
        if row["MiB"] is not None and row["ways"] == "all":
            yield (
                f"training step, {_network(row)}", f"{row['s/step']:.3g} s",
                f"{row['plain s/step']:.3g} s, the plain path", _ratio(row),
                f"{row['MiB']:.0f} ({row['plain MiB']:.0f})" if row["plain MiB"] else f"{row['MiB']:.0f}",
            )  # fmt: skip
    for row in rows("primitives", records):
        if row["s/step"] is not None:
            yield (
                f"convolutions alone of a training step, {_network(row)}",
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
            _ratio(row), f"{row['MiB']:.0f}",
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


def _ratio(row: Mapping[str, Any]) -> str:
    return in_words(Estimate(row["ratio"], row["ratio q1"], row["ratio q3"]), ".2f", form=ENDS)
