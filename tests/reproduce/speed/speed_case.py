"""The smallest measurements, and records like those that they leave."""

from pathlib import Path
from typing import Any

from models.choices import ALL
from reproduce.records.store import Records
from reproduce.speed.store import PRESET

MUNIT = {
    "dim": 2, "mlp_dim": 4, "style_dim": 3, "n_downsample": 1, "n_style_downsample": 2, "n_res": 1,
    "dis_dim": 2, "dis_layers": 2, "dis_scales": 1,
}  # fmt: skip
PLAIN = {"ways": [], "precision": "float32"}
SMALL = [f"--set={key}={value}" for key, value in MUNIT.items()]
ENVIRONMENT = {"device": "some processor", "threads": 2, "packages": {}, "python": "3.11"}
MACHINE = {"flop_per_s": 1e11, "bytes_per_s": 1e10, "call_s": 1e-5}


def about(**changes: Any) -> dict[str, Any]:
    """What a step's worker is told."""
    return {
        "method": "munit", "size": 16, "batch": 1, "width": 2, "settings": MUNIT,
        "device": "cpu", "threads": 1, "ways": sorted(ALL), "precision": "float32",
        "against": PLAIN, "steps": 2, "warmup": 1,
    } | changes  # fmt: skip


def step_record(size: int = 32, batch: int = 1, width: int = 8, **changes: Any) -> dict[str, Any]:
    """A made record: all ways take half of the plain path's time."""
    protocol = about(size=size, batch=batch, width=width, settings={"dim": width}, **changes)
    numbers = size * size * batch * width
    counts = {"flop": 4000 * numbers * width, "bytes": 3000 * numbers}
    taken = 1e-4 + numbers / 1e6
    path = dict.fromkeys(("median", "q1", "q3", "min", "max"), taken) | {"n": 1}
    plain = {k: 2 * v for k, v in path.items()}
    ratio = path | dict.fromkeys(("median", "q1", "q3", "min", "max"), 0.5)
    return {
        "metric": "speed-step", "value": taken, "unit": "s", "interval": None,
        "protocol": protocol | {"protocol": "speed-step"}, "preset": PRESET, "task": "noise",
        "method": "munit", "seed": 0, "code": "c0de", "environment": ENVIRONMENT,
        "measured": {
            "first": path | {"counts": counts, "seconds": [taken] * 12},
            "second": plain | {"counts": counts, "seconds": [2 * taken] * 12},
            "ratio": ratio, "machine": {"before": MACHINE, "after": MACHINE},
        },
    }  # fmt: skip


def memory_record(ways: list[str], value: int, **changes: Any) -> dict[str, Any]:
    protocol = about(size=32, width=8, settings={"dim": 8}, ways=ways, **changes)
    for key in ("against", "steps", "warmup"):
        del protocol[key]
    return step_record() | {
        "metric": "speed-memory", "value": value, "measured": {"above_bytes": value},
        "protocol": protocol | {"protocol": "speed-memory"},
    }  # fmt: skip


def stream_record(counts: list[int]) -> dict[str, Any]:
    protocol = about(batch=8, counts=counts) | {"protocol": "speed-translate"}
    points = [{"pictures": n, "seconds": n / 50, "above_bytes": 2**20} for n in counts]
    rate = {"pictures_per_s": {"median": 50.0}}
    return step_record() | {
        "metric": "speed-translate", "value": 50.0, "protocol": protocol,
        "measured": {"points": points, "first": rate, "second": rate, "ratio": {"median": 0.8}},
    }  # fmt: skip


def stored(results: Path, records: list[dict[str, Any]]) -> Path:
    for record in records:
        Records(results, PRESET).append(record)
    return results
