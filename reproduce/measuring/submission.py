"""Table rows for submitted outputs, which were made elsewhere and are measured like all others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from benchmarks.console import path_of
from benchmarks.files import whole_folder
from benchmarks.harness.arrays import ARRAYS
from benchmarks.harness.outputs import Outputs, check_size, open_outputs
from models.errors import UserError
from models.method import DIRECTIONS, Direction
from models.zoo import METHODS
from reproduce.experiments.places import Places, facts_of
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.exact import SAMPLES as EXACT
from reproduce.measuring.fidelity import SAMPLES as FIDELITY
from reproduce.measuring.kind import Found, keep, key_of, measure
from reproduce.measuring.kinds import open_kinds, scores
from reproduce.measuring.preference import OWN, PreferenceKind
from reproduce.measuring.subject import Pictures, Subject, open_pictures
from reproduce.records.raw import raw_of
from reproduce.records.store import REAL, REFERENCE
from reproduce.records.yaml_file import read_yaml
from reproduce.tasks.pictures import save_png
from reproduce.training.translate import Translation

FILE = "submission.yaml"
_LINK = r"^https?://[A-Za-z0-9.:/?#@!$&()*+,;=%~_-]{1,500}$"
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+_-]{0,39}")
_OF_ALL = max(EXACT, FIDELITY, OWN[-1] + 1)  # samples that scores other than diversity use


def _printable(text: str) -> str:
    """Return text on one line; ValueError for control and invisible formatting characters."""
    for sign in text:
        if unicodedata.category(sign)[0] == "C" and not sign.isspace():
            raise ValueError(f"the character U+{ord(sign):04X} is not printable: leave it out")
    return " ".join(text.split())


_ONE = StringConstraints(strip_whitespace=True, min_length=1, max_length=300)
_MANY = StringConstraints(strip_whitespace=True, max_length=2000)
Line = Annotated[str, _ONE, AfterValidator(_printable)]


class Submission(BaseModel):
    """The contents of ``submission.yaml``, which describes outputs and is shown in the report."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Line
    link: Annotated[str, StringConstraints(pattern=_LINK)] | None = None
    paper: Line | None = None
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,40}$")] | None = None
    seed: int | None = Field(default=None, ge=0)
    notes: Annotated[str, _MANY, AfterValidator(_printable)] | None = None


def read_submission(folder: Path) -> dict[str, Any]:
    """Read ``submission.yaml`` in ``folder``; {} if there is none. Raises UserError for unknown
    fields and invalid values."""
    path = folder / FILE
    if not path.exists():
        return {}
    told = read_yaml(path, "correct it")
    try:
        return Submission.model_validate(told).model_dump(exclude_none=True)
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        fields = ", ".join(Submission.model_fields)
        wrong = first["msg"].removeprefix("Value error, ")
        wrong += ": put it in quotes" if first["type"] == "string_type" else ""
        raise UserError(f"{path}: {where}: {wrong} (fields: {fields})") from None


def parse_rows(words: Sequence[str]) -> dict[str, str]:
    """Parse ``NAME=PATH`` arguments to name -> absolute path; UserError for names in use."""
    rows: dict[str, str] = {}
    for word in words:
        label, equals, path = word.partition("=")
        if not (label and equals and path):
            raise UserError(f"--row {word}: write NAME=PATH, e.g. --row 'Mine=out/mine'")
        if not LABEL.fullmatch(label):
            raise UserError(
                f"--row {label}=...: a name has letters, digits, spaces and . + _ -, 40 at most"
            )
        taken = {*METHODS, *(method.title for method in METHODS.values()), REAL, "Real data"}
        if label.lower() in {name.lower() for name in taken}:
            raise UserError(f"--row {label}=...: the table has a row of that name, use another")
        # In file names, spaces become underscores.
        if label.replace(" ", "_") in {known.replace(" ", "_") for known in rows}:
            raise UserError(f"--row {label} is given twice: name each row once")
        rows[label] = str(path_of(path).resolve())
    return rows


def directions_of(number: int) -> tuple[Direction, ...]:
    """Return the directions that table ``number`` measures."""
    return ("a2b",) if number == 1 else DIRECTIONS


def asked(preset: Preset, number: int, inputs: int) -> tuple[int, int]:
    """Return how many of ``inputs`` test pictures a row of table ``number`` translates, and the
    samples of each."""
    measuring = preset.measure
    if number == 2:
        return min(measuring.mode_inputs, inputs), measuring.mode_samples
    if measuring.scores == "none":
        return measuring.inputs, measuring.samples
    return inputs, max(measuring.samples, _OF_ALL)


@dataclass(frozen=True)
class Row:
    """Outputs for one task of a table, checked except for the names of their inputs."""

    label: str
    outputs: Mapping[Direction, tuple[Path, Outputs]]
    submission: Mapping[str, Any]


def open_row(preset: Preset, run: RunConfig, number: int, label: str, path: Path) -> Row | None:
    """Open the outputs at ``path`` for the task of ``run``; None if they are for other tasks only.

    They are in a folder with the task's name or, if the table has one task, in ``path`` itself; for
    table 2 in its subfolders ``a2b`` and ``b2a``. Raises UserError for missing outputs, another
    size and too few samples.
    """
    tasks = preset.tables[number]
    folders = {task: path / Path(task).name for task in tasks}
    base = _found(path / Path(run.task).name)
    if base is None:
        if any(map(_found, folders.values())):
            return None
        if len(tasks) > 1 or not path.exists():
            names = " or ".join(map(str, folders.values()))
            raise UserError(f"{path} has no outputs for table {number}: put them in {names}")
        base = path
    outputs: dict[Direction, tuple[Path, Outputs]] = {}
    for direction in directions_of(number):
        where = base if number == 1 else _found(base / direction)
        if where is None:
            raise UserError(f"{base} has no {direction}: table 2 measures both directions")
        found = open_outputs([where])
        if found.size != (run.size, run.size):
            raise UserError(
                f"{where}: {found}; table {number} of preset {preset.title} is at "
                f"{run.size}x{run.size}: translate the pictures written by the command inputs"
            )
        _, samples = asked(preset, number, len(found.names))
        check_size(found, None, samples)
        outputs[direction] = where, found
    home = next((p for p in (base, path) if (p / FILE).exists()), path)
    return Row(label, outputs, read_submission(home if home.is_dir() else home.parent))


def _found(path: Path) -> Path | None:
    """Return the folder ``path``, or the array file of that name; None if neither exists."""
    there = (path, *(path.with_name(path.name + suffix) for suffix in ARRAYS))
    return next((p for p in there if p.exists()), None)


@dataclass(frozen=True, eq=False)
class Submitted(Subject):
    """Submitted outputs, measured in place of a trained run on the same pictures."""

    row: Row = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.row.label

    @property
    def trained(self) -> bool:
        return False

    @cached_property
    def outputs(self) -> dict[Direction, Outputs]:
        """The outputs by direction, under the names of the test inputs."""
        found: dict[Direction, Outputs] = {}
        for direction, (path, outputs) in self.row.outputs.items():
            names = self.pictures.source(direction).ids
            number = 1 if len(self.row.outputs) == 1 else 2
            if len(outputs.names) != len(names):  # outputs for all test inputs are accepted too
                names = names[: asked(self.preset, number, len(names))[0]]
            found[direction] = outputs.called(names, path)
            others = set() if outputs.numbered else set(outputs.names) - set(names)
            if others:
                raise UserError(
                    f"{path} translates '{min(others)}', which the command inputs does not write: "
                    "remove this translation"
                )
        return found

    @cached_property
    def sha256(self) -> str:
        told = "\n".join(f"{d} {o.sha256}" for d, o in sorted(self.outputs.items()))
        return sha256(told.encode()).hexdigest()

    @cached_property
    def facts(self) -> dict[str, Any]:
        return facts_of(self.preset, self.run, self.places, real=True) | dict(self.same)

    @property
    def same(self) -> Mapping[str, Any]:
        return {
            "method": self.name, "task": self.run.task, "submission": dict(self.row.submission),
            "outputs_sha256": self.sha256, "data_sha256": self.pictures.data,
        }  # fmt: skip

    def translations(
        self, samples: int | range, inputs: range | None = None, direction: Direction = "a2b",
        batch_size: int = 32,
    ) -> Iterator[Translation]:  # fmt: skip
        outputs = self.outputs[direction]
        if inputs is not None:  # protocols ask for 100 inputs, even if there are fewer
            inputs = range(inputs.start, min(inputs.stop, len(outputs.names)))
        return outputs.stream(samples, inputs)


def measure_row(
    preset: Preset, runs: Sequence[RunConfig], places: Places, number: int, label: str, path: Path
) -> Found:
    """Measure the outputs at ``path`` for the task of ``runs`` like the other rows of a table.

    Preference over MUNIT is measured if its checkpoint is available, or the distances of its
    translations are on record.
    """
    row = open_row(preset, runs[0], number, label, path)
    if row is None:
        return {}
    pictures, measuring = open_pictures(runs[0], places), preset.measure
    subject = Submitted(preset, runs[0], places, pictures, row=row)
    names: Sequence[str] = ("modes",) if number == 2 else ("diversity",)
    if number == 1 and measuring.scores == "all":
        names = scores(runs[0].task)
    found = measure(open_kinds(names, pictures, places, measuring), [subject])[label]
    if number == 1:
        (munit,) = (run for run in runs if run.method == REFERENCE)
        rival = Subject(preset, munit, places, pictures)
        subjects = [rival, subject] if rival.checkpoint.is_file() else [subject]
        for kind in open_kinds(measuring.preferring(munit), pictures, places, measuring):
            assert isinstance(kind, PreferenceKind)
            found |= kind.measure(subjects)[label]
            if rival not in subjects:
                found |= _against_recorded(kind, subject, munit)
    return found


def _against_recorded(kind: PreferenceKind, subject: Submitted, munit: RunConfig) -> Found:
    """Measure preference over ``munit`` by its recorded distances; {} if there are none."""
    records = kind.records(subject)
    about = {"method": REFERENCE, "seed": munit.seed, "config_sha256": munit.digest()}
    about["data_sha256"] = subject.pictures.data
    record = records.find(metric=kind.quality.name, **about)
    if record is None:
        return {}
    reference = str(record["checkpoint_sha256"])
    found = kind.recorded(subject, kind.wanted(subject, reference))
    if kind.quality.name in found:
        return found
    results = subject.places.results
    both = (found[kind.distance.name], "distances"), (record, "reference")
    arrays = [(raw_of(results, of) or {})[name] for of, name in both]
    seen, rival = (kind.observation(distances[:, :, None]) for distances in arrays)
    made = kind._made(subject, seen, rival, reference)[1:]
    return {key_of(record): record for record in keep(kind, subject, made, {})}


def write_inputs(
    pictures: Pictures, preset: Preset, number: int, out: Path
) -> list[tuple[Path, int]]:
    """Write the test inputs for a row of table ``number``, as networks see them, to the new folder
    ``out``. Returns each direction's folder and the number of samples per input."""
    if out.exists():
        raise UserError(f"{out} exists already: remove it, or choose another --out")
    folders = list[tuple[Path, int]]()
    with whole_folder(out) as part:
        for direction in directions_of(number):
            where, source = "" if number == 1 else direction, pictures.source(direction)
            count, samples = asked(preset, number, len(source))
            for i, name in enumerate(source.ids[:count]):
                path = part / where / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_png(pictures.read(source, i), path)
            folders.append((out / where, samples))
    return folders
