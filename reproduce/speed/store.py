"""Take measurements of cost, and store or reuse their records in ``results/speed/records.jsonl``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models.errors import UserError
from reproduce.records.code import digest_of, modules_behind
from reproduce.records.environment import environment
from reproduce.records.store import Records, told
from reproduce.speed.worker import KINDS, measured

PRESET = "speed"  # the folder of the records
NOISE = "noise"  # the task in records of measurements on noise


@dataclass(frozen=True)
class Measurement:
    """One measurement: ``about`` has everything that determines its value on one machine, as JSON
    values; ``ticks``: units of the progress bar."""

    kind: str
    about: Mapping[str, Any]
    ticks: int

    @property
    def title(self) -> str:
        words = [str(self.about[k]) for k in ("method", "protocol_name") if k in self.about]
        words += [f"{k} {self.about[k]}" for k in ("size", "batch", "ways") if k in self.about]
        return " ".join([self.kind, *words])

    @property
    def protocol(self) -> dict[str, Any]:
        """The protocol as in a record, with tuples as lists."""
        about: dict[str, Any] = json.loads(json.dumps(dict(self.about)))
        return about | {"protocol": f"speed-{self.kind}"}


def take(
    measurements: Iterable[Measurement], results: Path, data: Path, *, again: bool, progress: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a record of each measurement: the stored one for the same code, environment and
    settings, or a new one. A repeated command continues where the first one ended.

    Also returns messages about measurements that failed (out of memory, for example), which do not
    stop the others.
    """
    records = Records(results, PRESET)
    found, failed = [], []
    for number, one in enumerate(todo := distinct(measurements), 1):
        record = None if again else stored(records, one)
        try:
            if record is None:
                begin = time.perf_counter()
                with tqdm(total=one.ticks, desc=f"{number}/{len(todo)} {one.title}", leave=False,
                          disable=not progress, dynamic_ncols=True) as bar:  # fmt: skip
                    made = measured(one.kind, {**one.about, "data": str(data)}, bar.update)
                record = append(records, one, made, time.perf_counter() - begin)
            found.append(record)
        except UserError as error:
            failed.append(f"{one.title}: {error}")
    return found, failed


def distinct(measurements: Iterable[Measurement]) -> list[Measurement]:
    """The measurements without duplicates."""
    return list({json.dumps(m.protocol, sort_keys=True): m for m in measurements}.values())


def stored(records: Records, one: Measurement) -> dict[str, Any] | None:
    """The newest record of a measurement on this machine with the present code, or None."""
    here = environment(one.about["device"]) | {"threads": one.about["threads"]}
    same = {f"environment__{k}": here[k] for k in ("device", "threads", "packages", "python")}
    return records.find(protocol=one.protocol, code=code_of(one.kind), **same)


@cache
def code_of(kind: str) -> str:
    """A digest of all code of this project that a measurement runs."""
    module = KINDS[kind][0].partition(":")[0]
    return digest_of(modules_behind([module, measured.__module__], through=True))


def append(
    records: Records, one: Measurement, made: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Append and return the record of ``made``: its ``measured`` result and ``environment``."""
    _, unit, path = KINDS[one.kind]
    return records.append({
        "metric": f"speed-{one.kind}", "value": told(made["measured"], *path), "unit": unit, "interval": None,
        "direction": "higher" if one.kind == "translate" else "lower",
        "protocol": one.protocol, "preset": PRESET, "task": one.about.get("task", NOISE),
        "method": one.about.get("method", "lpips"), "seed": 0, "size": one.about["size"],
        "code": code_of(one.kind), "seconds": round(seconds, 2), **made,
    })  # fmt: skip


def load(results: Path) -> list[dict[str, Any]]:
    """The newest record of every measurement on every machine; UserError if there are no records."""
    records = Records(results, PRESET)
    last: dict[str, dict[str, Any]] = {}
    for record in records.all():
        machine = [record["environment"][k] for k in ("device", "threads")]
        key = json.dumps([record["protocol"], machine], sort_keys=True)
        last.pop(key, None)  # the order is that of the newest
        last[key] = record
    if not last:
        raise UserError(
            f"{records.path} holds no records: run python -m reproduce speed all --quick first"
        )
    return list(last.values())
