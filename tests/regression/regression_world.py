"""Stored results as the regression test finds them, and what it finds wrong with them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from regression_tolerances import EXACTLY, TRANSLATION, Tolerance
from stored import raw_file
from torch import Tensor

from benchmarks.pictures import as_saved
from models.errors import UserError
from models.method import Direction, Method
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.stored_manifest import WEIGHTS, Manifest, Row, read_manifest, table_rows
from reproduce.measuring.storing import LOADERS
from reproduce.records.store import Records
from reproduce.tasks.sources import Domains
from reproduce.training.checkpoints import load_method
from reproduce.training.single_pictures import DrawnTask, LazySource, digest
from reproduce.training.slim import probe, stored_probe
from reproduce.training.translate import Translation, stream

Record = dict[str, Any]
Pictures = dict[tuple[str, int], Tensor]  # by input and sample
RESULTS = Path(__file__).parents[2] / "results"
PRESET = "cpu"
SEED = 0  # of the runs whose weights are stored


class Damage(Exception):
    """Something without which nothing can be measured is not what it should be."""


@dataclass
class Findings:
    """By metric, what was compared and what is wrong."""

    compared: set[str] = field(default_factory=set)
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def close(
        self, metric: str, what: str, stored: float, found: float, allowed: Tolerance
    ) -> None:
        """A measured number should be near the stored one."""
        self.compared.add(metric)
        if not allowed.allows(stored, found):
            self.say(metric, f"{what}: stored {stored:.6g}, now {found:.6g}, allowed ±{allowed}")

    def same(self, metric: str, what: str, stored: object, found: object) -> None:
        """What was decided and not measured should be equal."""
        if stored != found:
            self.say(metric, f"{what}: stored {stored!r}, now {found!r}")

    def say(self, metric: str, words: str) -> None:
        """Something is wrong with a metric."""
        self.wrong.setdefault(metric, []).append(words)

    def all_wrong(self) -> list[str]:
        """Everything, for people."""
        return [f"{metric}: {words}" for metric, every in self.wrong.items() for words in every]


class CheckedSource(LazySource):
    """Test pictures, each compared with the digest that was stored when it is drawn."""

    def __init__(self, source: LazySource, part: str, digests: list[str]) -> None:
        super().__init__(Path(part), len(source), lambda index: np.asarray(source.read(index)))
        self._part, self._digests = part, digests

    def read(self, index: int) -> Image.Image:
        picture = super().read(index)
        if index >= len(self._digests) or digest(picture) != self._digests[index]:
            raise Damage(
                f"picture {self._part}/{self.ids[index]} is drawn otherwise than the one that was "
                "measured"
            )
        return picture


@dataclass(frozen=True)
class World:
    """The stored results of a preset in a folder, to be compared with what this code measures.

    ``preset``: how this code would measure.
    """

    results: Path
    preset: Preset

    @cached_property
    def manifest(self) -> Manifest:
        return read_manifest(self.results / self.preset.name / WEIGHTS)

    @cached_property
    def rows(self) -> dict[Row, dict[str, Record]]:
        """The newest records behind the tables, of what was stored."""
        records = Records(self.results, self.preset.name).all()
        every = table_rows(records, self.preset, SEED)
        return {row: by for row, by in every.items() if not self.left_out(row)}

    def left_out(self, row: Row) -> bool:
        """Whether its weights were not there when weights were stored, as the manifest says."""
        return self.manifest.leaves_out(row[0], row[1], SEED)

    def drawn(self, task: str) -> DrawnTask:
        """The pictures of a task, which may have been drawn otherwise."""
        about = self.manifest.pictures[task]
        return drawn_task(task, about["size"], about["train"], about["test"])

    def sources(self, task: str, drawn: DrawnTask) -> dict[str, CheckedSource]:
        """Its test pictures, by folder."""
        parts = self.manifest.pictures[task]["parts"]
        return {p: CheckedSource(drawn.sources[p], p, digests) for p, digests in parts.items()}

    def domains(self, task: str) -> Domains:
        """Training pictures, drawn when asked for, and test pictures, checked too."""
        drawn = self.drawn(task)
        of = self.sources(task, drawn)
        plain = drawn.sources
        return Domains(task, Path(task), plain["trainA"], plain["trainB"], of["testA"], of["testB"])

    def network(self, row: Row, record: Record) -> tuple[Method, RunConfig]:
        """The stored weights that a record is about; Damage where they are not."""
        task, method, _ = row
        file = self.manifest.find(kind="run", task=task, method=method, seed=SEED)
        if file is None:
            raise Damage(f"no weights of {method} on {task} are stored")
        if words := self.manifest.wrong(file):
            raise Damage(words)
        network, read = _loaded(lambda: load_method(self.manifest.folder / file.file))
        told = {
            "task": read.run.task,
            "method": read.run.method,
            "seed": read.run.seed,
            "config_sha256": read.run.digest(),
            "steps": read.step,
            "data_sha256": read.data,
            "checkpoint_sha256": read.stored.checkpoint_sha256 if read.stored else "",
        }
        # Every record of the row is about one network.
        for one in (record, *self.rows[row].values()):
            for key, value in told.items():
                if (one is record or key in one) and one[key] != value:
                    raise Damage(
                        f"{file.file} holds other weights than the record of {one['metric']} is "
                        f"about: {key} is {value}, the record's is {one[key]}"
                    )
        if self.manifest.pictures[task]["data_sha256"] != record["data_sha256"]:
            raise Damage(f"{task} has other pictures than the record is about")
        return network, read.run

    def check_translation(
        self, row: Row, network: Method, metrics: Iterable[str], findings: Findings
    ) -> None:
        """A network should still translate as it did when it was stored."""
        task, method, translation = row
        file = self.manifest.find(kind="run", task=task, method=method, seed=SEED)
        assert file is not None
        direction: Direction = "b2a" if translation == "b2a" else "a2b"
        stored = stored_probe(self.manifest.folder / file.file, direction)
        found = probe(network, direction, stored.shape[-1])
        change = float((found - stored).abs().mean())
        # That a network translates is no measurement of a metric: only a failure is noted.
        for metric in metrics if not TRANSLATION.allows(0.0, change) else ():
            findings.say(
                metric, f"change of a stored translation: {change:.3g}, allowed ±{TRANSLATION}"
            )

    def instrument(self, kind: str, numbers: str) -> Any:
        """A network that measures, by the sha256 of its numbers, which a record tells."""
        file = self.manifest.find(kind=kind, numbers=numbers)
        if file is None:
            raise Damage(f"the {kind} {numbers[:12]} that the record names is not stored")
        if words := self.manifest.wrong(file):
            raise Damage(words)
        found = _loaded(lambda: LOADERS[kind](self.manifest.folder / file.file))
        if found.sha256 != numbers:
            raise Damage(
                f"{file.file} is another {kind} ({found.sha256[:12]}) than the record names "
                f"({numbers[:12]})"
            )
        return found

    @cached_property
    def _scratch(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory()

    def raw(self, record: Record) -> Path:
        """The file of a record's raw values; Damage where it is not the one of the record."""
        try:
            return raw_file(self.results, record, Path(self._scratch.name))
        except UserError as error:
            raise Damage(str(error)) from None

    def arrays(self, record: Record) -> dict[str, NDArray[Any]]:
        """What is in that file."""
        return arrays_in(self.raw(record))


def arrays_in(path: Path) -> dict[str, NDArray[Any]]:
    """Of a file of raw values."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@cache
def drawn_task(name: str, size: int, train: int, test: int) -> DrawnTask:
    """A task's pictures, each drawn once for all that is measured on it."""
    return DrawnTask(name, size, train, test)


def shown(*words: Any, **more: Any) -> Iterator[Translation]:
    """What ``stream`` translates, in grey levels, as tables measure it."""
    for name, k, picture in stream(*words, **more):
        yield name, k, as_saved(picture[None])[0]


def check_record(record: Record, findings: Findings) -> None:
    """A record's own consistency."""
    if "config" in record:
        text = json.dumps(record["config"], sort_keys=True)
        found = hashlib.sha256(text.encode()).hexdigest()
        findings.same(
            record["metric"], "sha256 of the configuration", record["config_sha256"], found
        )


def check_value(
    record: Record, from_raw: float, findings: Findings, allowed: Tolerance = EXACTLY
) -> None:
    """A record's value should follow from its raw values."""
    metric = record["metric"]
    findings.close(
        metric, "record's value, from its raw values", from_raw, record["value"], allowed
    )


def check_protocol(
    metric: str, stored: Mapping[str, Any], found: Mapping[str, Any], findings: Findings
) -> None:
    """Everything that this code says of how it measures should be what the record says."""
    for key, value in found.items():
        findings.same(metric, f"protocol: {key}", stored.get(key), json.loads(json.dumps(value)))


def _loaded(load: Any) -> Any:
    try:
        return load()
    except UserError as error:
        raise Damage(str(error)) from None
