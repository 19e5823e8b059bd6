"""Declarations of metrics (name, unit, direction, protocol, limits) and measured values.

Each module in ``benchmarks/metrics/`` declares its metrics; ``METRICS`` holds those imported so
far.
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
    """A declaration of a metric. ``limits``: smallest and largest possible value, None if
    unbounded; ``digits``: decimal places in tables."""

    name: str
    unit: str
    direction: Direction
    protocol: str
    limits: tuple[float | None, float | None] = (None, None)
    title: str = ""  # if it differs from the name in words
    digits: int = 3

    def __post_init__(self) -> None:
        if METRICS.setdefault(self.name, self) != self:
            raise ValueError(f"metric {self.name!r} is declared twice, differently")

    @property
    def heading(self) -> str:
        """The metric in words, with an arrow in the better direction."""
        return self.words + {"higher": " ↑", "lower": " ↓", "none": ""}[self.direction]

    @property
    def words(self) -> str:
        """The metric's title in tables."""
        return self.title or self.name.replace("-", " ").capitalize()


class Accumulates(Protocol[T]):
    """Interface of metrics that take pictures one at a time."""

    def update(self, input_id: str, sample: int, picture: Tensor) -> None:
        """Add translation number ``sample`` (3, H, W), in [-1, 1], of an input."""

    def finish(self) -> T:
        """Return the result for all pictures added."""


@dataclass(frozen=True)
class Measurement:
    """A value of the metric ``name`` with its interval and all facts needed to compare it. Raises
    UserError for an undeclared name and for a value outside the metric's limits."""

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
        """Return JSON values: metric, value, unit, direction, interval, protocol."""
        metric = METRICS[self.name]
        return {
            "metric": self.name,
            "value": self.value,
            "unit": metric.unit,
            "direction": metric.direction,
            "interval": None if self.interval is None else asdict(self.interval),
            "protocol": dict(self.protocol),
        }
