"""Pictures per second of a stream of translations, and its memory as the stream grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from models.choices import PLAIN
from models.method import Method
from reproduce.speed.drawn import Repeated, network_of, pictures_of
from reproduce.speed.machine import forget_peak, held, peak, ratios, spread
from reproduce.speed.stepping import alternately
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource
from reproduce.training.translate import stream

ROUNDS = 7
_CHUNK = 2  # batches a round


def time_translation(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """Reading, translating and handing on pictures one by one, ``about["batch"]`` at a time.

    First the ways asked for and the plain one alternately, a few batches each; then as many
    pictures as the last of ``about["counts"]``, with seconds and peak memory at each count.
    """
    base = held(about["device"])
    source = pictures_of(about).test_a
    fast, plain = (network_of(about, ways).eval() for ways in (about["ways"], PLAIN))
    fixed = Preparation(about["size"]).at_test()
    few = Repeated(source, _CHUNK * about["batch"])

    def whole(network: Method) -> Callable[[], None]:
        def work() -> None:
            for _ in stream(network, few, fixed, samples=1, batch_size=about["batch"]):
                pass

        return work

    works = whole(fast), whole(plain)
    for work in works:  # warm-up
        work()
        tick()
    taken = alternately(*works, ROUNDS, about["device"], tick)
    del plain, works
    return {
        "ratio": ratios(*taken),
        "first": _rates(taken[0], len(few)),
        "second": _rates(taken[1], len(few)),
        "points": _grow(about, fast, source, base, tick),
    }


def _rates(seconds: list[float], pictures: int) -> dict[str, Any]:
    return {"pictures_per_s": spread([pictures / s for s in seconds])}


def _grow(
    about: Mapping[str, Any], network: Method, source: PictureSource, base: int,
    tick: Callable[[], None],
) -> list[dict[str, float]]:  # fmt: skip
    """Seconds and peak memory after each of the counts, in one stream."""
    many, fixed = Repeated(source, max(about["counts"])), Preparation(about["size"]).at_test()
    points = []
    forget_peak(about["device"])
    begin = time.perf_counter()
    pictures = stream(network, many, fixed, samples=1, batch_size=about["batch"])
    for number, _ in enumerate(pictures, 1):
        if number in about["counts"]:
            seconds, most = time.perf_counter() - begin, peak(about["device"])
            points.append({
                "pictures": number, "seconds": seconds, "peak_bytes": most,
                "above_bytes": most - base,
            })  # fmt: skip
            tick()
    return points
