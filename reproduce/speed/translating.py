"""Measure translations per second of a stream, and its memory as the stream grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from models.choices import PLAIN
from models.method import Method
from reproduce.speed.drawn import network_of, pictures_of, repeated
from reproduce.speed.machine import forget_peak, held, peak, ratios, spread
from reproduce.speed.stepping import alternately
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource
from reproduce.training.translate import Translation, stream

ROUNDS = 7
_CHUNK = 2  # batches per round


def time_translation(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """Time reading and translating pictures, in batches of ``about["batch"]``.

    First the chosen optimisations and the plain path in turn, a few batches each; then as many
    pictures as the largest of ``about["counts"]``, with seconds and peak memory at each count.
    """
    base, fixed = held(about["device"]), Preparation(about["size"]).at_test()
    source = pictures_of(about).test_a
    fast, plain = (network_of(about, ways).eval() for ways in (about["ways"], PLAIN))
    few, many = (repeated(source, n) for n in (_CHUNK * about["batch"], max(about["counts"])))

    def pictures(network: Method, of: PictureSource) -> Iterator[Translation]:
        return stream(network, of, fixed, samples=1, batch_size=about["batch"])

    def translate_few(network: Method) -> None:
        for _ in pictures(network, few):
            pass

    works = partial(translate_few, fast), partial(translate_few, plain)
    for work in works:  # warm-up
        work()
        tick()
    taken = alternately(*works, ROUNDS, about["device"], tick)
    rates = [{"pictures_per_s": spread([len(few) / s for s in seconds])} for seconds in taken]
    del plain, works
    points = []
    forget_peak(about["device"])
    begin = time.perf_counter()
    for number, _ in enumerate(pictures(fast, many), 1):
        if number in about["counts"]:
            seconds, most = time.perf_counter() - begin, peak(about["device"])
            points.append({
                "pictures": number, "seconds": seconds, "peak_bytes": most,
                "above_bytes": most - base,
            })  # fmt: skip
            tick()
    return {"ratio": ratios(*taken), "first": rates[0], "second": rates[1], "points": points}
