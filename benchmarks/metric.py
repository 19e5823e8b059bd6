"""What a number is: a metric declares its name, unit, direction, protocol and limits.

A metric's file registers its own declarations; ``METRICS`` then holds all that were imported.
A ``Measurement`` is one value of a declared metric, ready for a record.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from benchmarks.intervals import Interval
from models.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Direction = Literal["higher", "lower", "none"]
T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Metric:
    """A declaration. ``limits`` are the least and greatest possible value, None for unbounded;
    tables have ``digits`` after the point, under ``heading``."""

    name: str
    unit: str
    direction: Direction
    protocol: str
    limits: tuple[float | None, float | None] = (None, None)
    title: str = ""  # where it is not the name in words
    digits: int = 3

    @property
    def heading(self) -> str:
        """The metric in words, with an arrow to where it is better."""
        arrow = {"higher": " ↑", "lower": " ↓", "none": ""}[self.direction]
        return f"{self.words}{arrow}"

    @property
    def words(self) -> str:
        """The metric as a table calls it."""
        return self.title or self.name.replace("-", " ").capitalize()


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Declares ``metric``; two different declarations of one name are a programming error."""
    if METRICS.setdefault(metric.name, metric) != metric:
        raise ValueError(f"metric {metric.name!r} is declared twice, differently")
    return metric


class Accumulates(Protocol[T]):
    """What measures pictures that come one by one."""

    def update(self, input_id: str, sample: int, picture: Tensor) -> None:
        """Take translation number ``sample`` (3, H, W), in [-1, 1], of an input."""

    def finish(self) -> T:
        """What all that were taken say."""


def consume(metric: Accumulates[T], stream: Iterable[tuple[str, int, Tensor]]) -> T:
    """``metric`` of all of ``stream``."""
    for item in stream:
        metric.update(*item)
    return metric.finish()


def all_alike(seen: Collection[tuple[str, int]]) -> tuple[list[str], int]:
    """The inputs, sorted, and S, of pictures (input, sample) that came in any order.

    Raises UserError unless each input has samples 0 to S - 1.
    """
    ids = sorted({name for name, _ in seen})
    samples = len(seen) // max(1, len(ids))
    if not ids or set(seen) != {(name, k) for name in ids for k in range(samples)}:
        raise UserError(
            f"{len(seen)} translations are not samples 0 to S - 1 of each of {len(ids)} inputs: "
            "translate all alike"
        )
    return ids, samples


@dataclass(frozen=True)
class Measurement:
    """A value of the metric ``name`` with its interval and everything needed to compare it.

    Raises UserError for a name that nobody declared and for a value outside the metric's limits.
    """

    name: str
    value: float
    interval: Interval | None
    protocol: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in METRICS:
            raise UserError(f"unknown metric {self.name!r}: known are {sorted(METRICS)}")
        least, greatest = METRICS[self.name].limits
        inside = math.isfinite(self.value)
        inside = inside and (least is None or self.value >= least)
        inside = inside and (greatest is None or self.value <= greatest)
        if not inside:
            raise UserError(
                f"{self.name} = {self.value} is outside its limits [{least}, {greatest}]: "
                "check the pictures measured"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: metric, value, unit, direction, interval, protocol."""
        metric = METRICS[self.name]
        return {
            "metric": self.name,
            "value": self.value,
            "unit": metric.unit,
            "direction": metric.direction,
            "interval": None if self.interval is None else asdict(self.interval),
            "protocol": dict(self.protocol),
        }
