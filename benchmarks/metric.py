"""What a number is: a metric declares its name, unit, direction, protocol and limits.

Each file in ``benchmarks/metrics/`` declares its own; ``METRICS`` holds those that were imported.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from benchmarks.intervals import Interval
from models.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Direction = Literal["higher", "lower", "none"]
T = TypeVar("T", covariant=True)


METRICS: dict[str, Metric] = {}


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

    def __post_init__(self) -> None:
        if METRICS.setdefault(self.name, self) != self:
            raise ValueError(f"metric {self.name!r} is declared twice, differently")

    @property
    def heading(self) -> str:
        """The metric in words, with an arrow to where it is better."""
        return self.words + {"higher": " ↑", "lower": " ↓", "none": ""}[self.direction]

    @property
    def words(self) -> str:
        """The metric as a table calls it."""
        return self.title or self.name.replace("-", " ").capitalize()


class Accumulates(Protocol[T]):
    """What measures pictures that come one by one."""

    def update(self, input_id: str, sample: int, picture: Tensor) -> None:
        """Take translation number ``sample`` (3, H, W), in [-1, 1], of an input."""

    def finish(self) -> T:
        """What all that were taken say."""


@dataclass(frozen=True)
class Measurement:
    """A value of the metric ``name`` with its interval and everything needed to compare it. Raises
    UserError for a name that nobody declared and for a value outside the metric's limits."""

    name: str
    value: float
    interval: Interval | None
    protocol: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in METRICS:
            raise UserError(f"unknown metric {self.name!r}: known are {sorted(METRICS)}")
        least, greatest = METRICS[self.name].limits
        low, high = (
            -math.inf if least is None else least,
            math.inf if greatest is None else greatest,
        )
        if not (math.isfinite(self.value) and low <= self.value <= high):
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
