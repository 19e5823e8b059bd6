"""Rows of Table 2, measured again from stored weights."""

from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from regression_tolerances import CONTENTS, EXACTLY, PROBABILITIES, tolerance
from regression_world import SEED, Findings, Record, World, check_protocol, check_value, shown

from benchmarks.metrics.content_confusion import CONTENT_CONFUSION, ContentTable, confusion
from benchmarks.metrics.mode_scores import ModeScores, load_mode_scores, mode_scores, protocol_name
from benchmarks.networks.content_reader import ContentReader
from models.method import Direction
from reproduce.measuring.content_readers import content_of, content_scores
from reproduce.measuring.modes import CONTENT_SAMPLES, TARGET
from reproduce.records.store import REAL
from reproduce.tasks.modes import Modes
from reproduce.tasks.pictures import Preparation
from reproduce.training.translate import Translation

INPUTS = 10  # of the test inputs, with all samples
REAL_INPUTS = 40  # of the real test pictures


class ModesBench:
    """What all rows of one task and direction of Table 2 are measured with."""

    def __init__(self, world: World, task: str, direction: Direction) -> None:
        self.world, self.task, self.direction = world, task, direction
        self.rows = {row[1]: by for row, by in world.rows.items() if row[::2] == (task, direction)}
        self.drawn = world.drawn(task)
        self.sources = world.sources(task, self.drawn)
        self.target = TARGET[direction]
        self.part = "testA" if direction == "a2b" else "testB"
        self.real_part = f"test{self.target.upper()}"

    @cached_property
    def modes(self) -> Modes:
        """Of all test pictures of both domains: contents are compared with those of all others."""
        return self.drawn.modes({"testA": self.drawn.test, "testB": self.drawn.test})

    @cached_property
    def classifier(self) -> Any:
        return self.world.instrument("mode-classifier", self._numbers("is"))

    @cached_property
    def reader(self) -> ContentReader | None:
        """None where no content is on record."""
        known = any(CONTENT_CONFUSION.name in by for by in self.rows.values())
        if not known:
            return None
        reader: ContentReader = self.world.instrument(
            "content-reader", self._numbers(CONTENT_CONFUSION.name)
        )
        return reader

    def _numbers(self, metric: str) -> str:
        by = next(by for by in self.rows.values() if metric in by)
        return str(by[metric]["protocol"]["sha256"])


def check_modes(
    bench: ModesBench, method: str, records: dict[str, Record], findings: Findings
) -> None:
    """Compare ``records`` about a method, or real pictures, with what is measured now."""
    pictures: Iterable[Translation]
    if method == REAL:
        part, inputs, samples = bench.real_part, bench.drawn.test, 1
        pictures, some = _real(bench), REAL_INPUTS
    else:
        measure = bench.world.preset.measure
        part, inputs, samples = bench.part, measure.mode_inputs, measure.mode_samples
        first = next(iter(records.values()))
        row = bench.task, method, bench.direction
        network, run = bench.world.network(row, first)
        bench.world.check_translation(row, network, records, findings)
        pictures, some = shown(
            network, bench.sources[part], Preparation(run.size), samples=samples, inputs=INPUTS,
            direction=bench.direction, seed=run.seed, batch_size=64,
        ), INPUTS  # fmt: skip
    names = bench.sources[part].ids[:some]
    reader = bench.reader if CONTENT_CONFUSION.name in records else None
    content = None if reader is None else content_scores(reader, bench.modes, part, names)

    def watched() -> Iterator[Translation]:
        for name, k, picture in pictures:
            if content is not None and k < CONTENT_SAMPLES:
                content.update(name, k, picture)
            yield name, k, picture

    found = mode_scores(watched(), bench.classifier, bench.classifier.modes)
    told = {k: v for k, v in found.protocol.items() if k not in ("protocol", "N")}
    told |= {"N": min(inputs, bench.drawn.test), "protocol": protocol_name(inputs, samples)}

    @cache
    def stored(raw: Path) -> tuple[ModeScores, dict[str, float], ModeScores, dict[str, float]]:
        whole, first = load_mode_scores(raw), len(found.input_ids)
        part = ModeScores(whole.probabilities[:first], whole.input_ids[:first], whole.protocol)
        return whole, _values(whole), part, _values(part)

    now = _values(found)
    for name, record in records.items():
        if name == CONTENT_CONFUSION.name:
            if content is None or reader is None:
                findings.say(name, "no content is read now")
            else:
                _content(bench, record, reader, content.finish(), part, findings)
        else:
            check_protocol(name, record["protocol"], told, findings)
            whole, values, part, of_part = stored(bench.world.raw(record))
            check_value(record, values[name], findings)
            findings.same(name, "counts of modes", whole.distribution(), record["modes"])
            findings.same(name, "inputs", part.input_ids, found.input_ids)
            if part.probabilities.shape != found.probabilities.shape:
                continue  # which the protocol said
            change = float(np.abs(part.probabilities - found.probabilities).mean())
            findings.close(name, "change of a probability", 0.0, change, PROBABILITIES)
            what = f"of {len(found.input_ids)} inputs"
            findings.close(name, what, of_part[name], now[name], tolerance(name))


def _real(bench: ModesBench) -> Iterator[Translation]:
    source, fixed = bench.sources[bench.real_part], Preparation(bench.drawn.size).at_test()
    for i in range(REAL_INPUTS):
        yield source.ids[i], 0, fixed(source.read(i))


def _values(scores: ModeScores) -> dict[str, float]:
    return {m.name: m.value for m in scores.measurements(SEED)}


def _content(
    bench: ModesBench, record: Record, reader: ContentReader, found: ContentTable, part: str,
    findings: Findings,
) -> None:  # fmt: skip
    metric = CONTENT_CONFUSION.name
    told = {k: v for k, v in found.protocol.items() if k != "protocol"}
    told.pop("r2")  # of the reader, whose sha256 covers it
    check_protocol(metric, record["protocol"], told, findings)
    arrays = bench.world.arrays(record)
    predictions, truth = arrays["predictions"], arrays["truth"]
    value = float(confusion(predictions, truth).mean())
    check_value(record, value, findings)
    inputs, names = len(found.input_ids), tuple(map(str, arrays["input_ids"]))
    findings.same(metric, "inputs", names[:inputs], found.input_ids)
    true = reader.standardised(content_of(bench.modes, part, names))
    wrong = float(np.abs(true - truth).max())
    findings.close(metric, "true contents", 0.0, wrong, EXACTLY)
    change = float(np.abs(predictions[:inputs] - found.predictions).mean())
    findings.close(metric, "change of a factor", 0.0, change, CONTENTS)
    mixed = np.concatenate([found.predictions, predictions[inputs:]])
    before, now = (float(confusion(read, truth)[:inputs].mean()) for read in (predictions, mixed))
    findings.close(metric, f"mean over {inputs} inputs", before, now, tolerance(metric))
