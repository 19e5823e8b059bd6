"""Presets: all experiments (tables and figures x tasks x methods) at one scale.

The published hyper-parameters are the defaults of the methods' configurations (``models``, with
their sources); a preset (``presets/*.yaml``) changes scale: sizes, widths, steps, what is measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked

from benchmarks.console import path_of
from models.errors import UserError
from models.zoo import METHODS, nearest, parse_value, recipe
from reproduce.experiments.run import RunConfig, legal_keys, make_run, refuse_unread
from reproduce.records.yaml_file import read_yaml
from reproduce.tasks.specs import TASKS, TaskSpec

OUTSIDE_DIGESTS = "what a preset sets is named by its jobs and records"
PRESETS = Path(__file__).parent / "presets"

# Table 1 of the MUNIT paper, row by row.
TABLE1_METHODS = (
    "unit", "cyclegan", "cyclegan-noise", "munit-wo-x", "munit-wo-c", "munit-wo-s", "munit",
    "bicyclegan",
)  # fmt: skip
# Table 2, column by column.
TABLE2_METHODS = ("cyclegan", "cyclegan-noise", "unit", "munit")
TABLES: dict[int, tuple[str, ...]] = {1: TABLE1_METHODS, 2: TABLE2_METHODS}
FIGURES = (4, 5, 6)  # of the UNIT paper


_Number = Annotated[int | float, Field(ge=0)]
_Count = Annotated[int, Field(ge=1, strict=True)]
_Settings = dict[str, bool | int | float | str]


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Measuring:
    """How a preset measures: diversity's protocol, inputs and samples, and which other metrics.
    ValidationError for invalid values."""

    protocol: str
    inputs: _Count
    samples: _Count
    mode_inputs: _Count = 100  # inputs of IS and CIS
    mode_samples: _Count = 100  # translations of each of them
    # "quality": preference over MUNIT; "all": also fidelity and exact scores
    scores: Literal["none", "quality", "all"] = "all"

    def preferring(self, run: RunConfig) -> tuple[str, ...]:
        """The sources of Quality on the pictures of ``run``: an observer ("observed") on drawn
        pictures; a judge ("judged") on other pictures, and with all scores also on drawn ones."""
        drawn = run.task in TASKS and TASKS[run.task].kind == "drawn" and not run.source
        asked = {"observed": drawn, "judged": not drawn or self.scores == "all"}
        return tuple(who for who, yes in asked.items() if yes and self.scores != "none")


@dataclass(frozen=True)
class Preset:
    """One scale of all experiments."""

    name: str  # of its results and runs: the file's stem, with a digest of any overrides
    base: str  # its name on the command line, or the path of the user's file
    changes: Mapping[str, Any]  # the overrides
    about: str
    departs: str  # a caption sentence: differences from the published recipe apart from scale
    run: Mapping[str, Any]  # settings of every run
    methods: Mapping[str, Mapping[str, Any]]  # by family or method; methods take precedence
    tasks: Mapping[str, Mapping[str, Mapping[str, Any]]]  # by task, then as ``methods``, or "all"
    tables: Mapping[int, list[str]]  # tasks of each table
    figures: Mapping[int, str]  # task of each figure of the UNIT paper
    measure: Measuring
    # How often a training saves and logs (``training.loop.Logging``); affects no number.
    logging: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, TaskSpec] = field(default_factory=dict)  # tasks of the user's pictures

    @property
    def title(self) -> str:
        """The name without the digest of overrides."""
        return self.name.partition("+")[0]

    def words(self) -> list[str]:
        """The command-line words that select this preset with its overrides."""
        words = ["--preset", self.base]
        for key, value in self.changes.items():
            if key == "tasks":
                words += [word for task in value.split() for word in ("--task", task)]
            elif key in ("protocol", "inputs"):
                words += [f"--{key}", str(value)]
            elif key != "samples":  # they go with the protocol
                words += ["--set", f"{key}={value}"]
        return words

    @property
    def table_tasks(self) -> list[str]:
        """The tasks of all tables, in the tables' order."""
        return list(dict.fromkeys(t for _, tasks in sorted(self.tables.items()) for t in tasks))

    def spec(self, task: str) -> TaskSpec:
        """The specification of a task; UserError for an unknown task."""
        spec = self.own.get(task) or TASKS.get(task)
        if spec is None:
            raise UserError(f"unknown task '{task}': {nearest(task, TASKS)}")
        return spec

    def methods_of(self, table: int, task: str) -> tuple[str, ...]:
        """The methods in a table for a task; without training pairs, paired methods are excluded."""
        paired = self.spec(task).paired
        return tuple(m for m in TABLES[table] if paired or not recipe(m).method.paired)

    def unpaired(self) -> list[str]:
        """One sentence, without full stop, per table row left out for lack of training pairs."""
        return [
            f"{task} has no training pairs, so {METHODS[method].title.removesuffix(' (paired)')} is left out"
            for number, tasks in self.tables.items()
            for task in tasks
            for method in TABLES[number] if method not in self.methods_of(number, task)
        ]  # fmt: skip

    def make_run(
        self, method: str, task: str, seed: int = 0,
        overrides: Mapping[str, object] | None = None, source: str = "",
    ) -> RunConfig:  # fmt: skip
        """The run of ``method`` on ``task`` at this scale, with pictures from ``source`` if given;
        UserError for overrides without effect."""
        values = self._values(method, task) | {"seed": seed}
        return make_run(method, task, values, overrides or {}, source)

    def _values(self, method: str, task: str) -> dict[str, Any]:
        family = recipe(method).method.__name__.lower()
        values: dict[str, Any] = dict(self.run)
        for source in (self.methods, self.tasks.get(task, {})):
            for name in dict.fromkeys(("all", family, method)):  # the most specific comes last
                values |= dict(source.get(name, {}))
        return values

    def changed(self, settings: Mapping[str, object], measuring: Mapping[str, object]) -> Preset:
        """This preset with ``--set`` overrides and other measuring settings, under its own name, so
        that its numbers are not mistaken for the preset's."""
        changes = dict(sorted({**settings, **measuring}.items()))
        if not changes:
            return self
        measure = replace(self.measure, **measuring)  # type: ignore[arg-type]
        return replace(self._renamed(changes), measure=measure)

    def of_tasks(self, tasks: Sequence[str]) -> Preset:
        """This preset with only these tasks, each in the tables that can hold it, under its own
        name."""
        if not tasks:
            return self
        changes = dict(self.changes) | {"tasks": " ".join(tasks)}
        tables = {n: [task for task in tasks if n in self.spec(task).tables] for n in TABLES}
        return replace(
            self._renamed(changes),
            tables={number: held for number, held in tables.items() if held},
            figures={number: task for number, task in self.figures.items() if task in tasks},
        )

    def only(self, tables: Sequence[int] = (), figures: Sequence[int] = ()) -> Preset:
        """This preset with only these tables and figures of the UNIT paper; UserError for one that it
        lacks. Its numbers are the preset's, so it keeps the name."""
        for kind, asked, known in (
            ("table", tables, self.tables),
            ("figure", figures, self.figures),
        ):
            for number in asked:
                if number not in known:
                    hint = nearest(str(number), map(str, known))
                    raise UserError(f"preset {self.base} has no {kind} {number}: {hint}")
        return replace(
            self,
            tables={number: self.tables[number] for number in tables},
            figures={number: self.figures[number] for number in figures},
        )

    def _renamed(self, changes: Mapping[str, Any]) -> Preset:
        digest = hashlib.sha256(json.dumps(changes).encode()).hexdigest()[:8]
        return replace(self, name=f"{self.title}+{digest}", changes=changes)

    def table_runs(
        self, table: int, seed: int = 0, overrides: Mapping[str, object] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> list[RunConfig]:  # fmt: skip
        """All runs behind a table, each with the overrides that it reads; UserError for an override
        that no run reads. ``sources``: paths of tasks' pictures outside the data folder."""
        return self.only([table]).all_runs(seed, overrides, sources)[0][table]

    def all_runs(
        self, seed: int = 0, overrides: Mapping[str, object] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> tuple[dict[int, list[RunConfig]], dict[int, RunConfig]]:  # fmt: skip
        """The runs behind every table, and behind every figure of the UNIT paper; UserError for an
        override that none of them has or reads."""
        given, known, read = overrides or {}, set[str](), set[str]()
        unread: dict[str, str] = {}  # settings that a run does not read -> the first run's reason

        def run_of(method: str, task: str) -> RunConfig:
            source = (sources or {}).get(task, "")
            # Overrides as preset values, so that none is refused that another run may read.
            values = self._values(method, task) | {"seed": seed} | own_overrides(method, given)
            run = make_run(method, task, values, {}, source)
            known.update(legal_keys(method))
            for key, reason in run.unread().items():
                unread.setdefault(key, reason)
            own = {k: v for k, v in own_overrides(method, given).items() if k not in run.unread()}
            read.update(own)
            return self.make_run(method, task, seed, own, source)

        tables = {
            number: [run_of(m, task) for task in tasks for m in self.methods_of(number, task)]
            for number, tasks in sorted(self.tables.items())
        }
        figures = {number: run_of("unit", task) for number, task in sorted(self.figures.items())}
        for key in given:
            if key not in known:
                hint = nearest(key, known)
                raise UserError(f"no run of {self._contents()} has a setting '{key}': {hint}")
        refuse_unread({k: v for k, v in given.items() if k not in read}, unread)
        return tables, figures

    def runs_of(
        self, seeds: Sequence[int], overrides: Mapping[str, object] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> list[RunConfig]:  # fmt: skip
        """The distinct runs behind all tables and figures."""
        runs: dict[tuple[str, str, int], RunConfig] = {}
        for seed in seeds:
            tables, figures = self.all_runs(seed, overrides, sources)
            for run in (*(r for of_table in tables.values() for r in of_table), *figures.values()):
                runs.setdefault((run.task, run.method, run.seed), run)
        return list(runs.values())

    def _contents(self) -> str:
        """The tables or figures of this preset, in words."""
        if len(self.tables) + bool(self.figures) > 1:
            return "this preset"
        kind, numbers = ("table", self.tables) if self.tables else ("figure", self.figures)
        return f"{kind} {' or '.join(map(str, numbers))}"


def own_overrides(method: str, overrides: Mapping[str, object]) -> dict[str, object]:
    """The overrides that ``method`` has a setting for, without those that it ablates."""
    keys = legal_keys(method).keys() - set(recipe(method).ablates)
    return {key: value for key, value in overrides.items() if key in keys}


def fitting(table: int) -> list[str]:
    """The names of the tasks that a table can hold."""
    return [name for name, task in TASKS.items() if table in task.tables]


def preset_names() -> list[str]:
    """The names of the project's presets."""
    return sorted(p.stem for p in PRESETS.glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """The preset called ``name``, or the one in the user's file ``path/to/name.yaml``.

    UserError for an unknown name (with the nearest one), and for an invalid file.
    """
    if name in preset_names():
        return _preset(name, name, _read(PRESETS / f"{name}.yaml"))
    own = path_of(name)
    if own.suffix != ".yaml" or not own.is_file():
        raise UserError(
            f"unknown preset '{name}': {nearest(name, preset_names())}, or a .yaml file of your own"
        )
    if own.stem in preset_names() or "+" in own.stem:
        raise UserError(f"{name}: your own preset needs a name other than {own.stem}")
    return _preset(own.stem, str(own.resolve()), _read(own))


def _read(path: Path) -> dict[str, Any]:
    values = read_yaml(path, "write lines of 'key: value'")
    if not isinstance(values, dict):
        raise UserError(f"{path} has no lines of 'key: value': begin with 'extends: cpu'")
    return values


class _File(BaseModel):
    """The contents of a preset's file, after merging with the preset that it extends."""

    model_config = ConfigDict(extra="forbid", strict=True)
    about: str
    departs: str = ""
    run: _Settings
    methods: dict[str, _Settings]
    tasks: dict[str, dict[str, _Settings]] = {}
    tables: dict[int, list[str]]
    figures: dict[int, str]
    measure: Measuring
    logging: dict[Literal["save_minutes", "save_every", "keep", "grids"], _Number] = {}


# What is wrong with a value, by pydantic's error type.
_TAKEN = {
    **dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "takes lines of 'key: value'"),
    **dict.fromkeys(("extra_forbidden", "unexpected_keyword_argument"), "is not a key of a preset"),
    "list_type": "takes a list",
    "int_type": "takes a whole number", "float_type": "takes a number", "string_type": "takes text",
    "missing": "is missing",
    "greater_than_equal": "takes at least {ge}", "literal_error": "takes one of {expected}",
}  # fmt: skip


def _preset(name: str, base: str, values: dict[Any, Any]) -> Preset:
    while "extends" in values:
        name_of = str(values.pop("extends"))
        if name_of not in preset_names():
            hint = nearest(name_of, preset_names())
            raise UserError(f"{base}: extends: unknown preset '{name_of}': {hint}")
        values = _read(PRESETS / f"{name_of}.yaml") | values
    try:
        file = _File.model_validate({str(key): value for key, value in values.items()})
    except ValidationError as error:
        first = error.errors()[0]
        # For a setting, a union of types, pydantic lists each type that does not match.
        where = [
            str(at) for at in first["loc"] if at not in ("bool", "int", "float", "str", "[key]")
        ]
        taken = _TAKEN.get(first["type"], "takes another kind of value").format(
            **first.get("ctx", {})
        )
        given = "nothing" if first["input"] is None else f"{first['input']!r:.60}"
        given = "" if taken.startswith("is") else f", not {given}"
        raise UserError(f"{base}: {': '.join(where)} {taken}{given}") from None
    _check_names(base, file)
    _check_tables(base, file.tables, file.figures)
    return Preset(name=name, base=base, changes={}, **dict(file))


def _check_names(base: str, file: _File) -> None:
    """Refuse unknown tasks and methods."""
    methods = {"all", *METHODS, *(of.method.__name__.lower() for of in METHODS.values())}
    asked = [*file.tables.values(), file.figures.values(), file.tasks]
    for task in (task for tasks in asked for task in tasks):
        if task not in TASKS:
            raise UserError(f"{base}: unknown task '{task}': {nearest(task, TASKS)}")
    sections = {"run: ": {"all": file.run}} | {f"tasks: {t}: ": s for t, s in file.tasks.items()}
    for where, by_method in (sections | {"methods: ": file.methods}).items():
        for method, settings in by_method.items():
            if method not in methods:
                raise UserError(f"{base}: unknown method '{method}': {nearest(method, methods)}")
            told = f"{base}: {where}" + f"{method}: " * (where != "run: ")
            _check_settings(told, METHODS if method == "all" else (method,), settings)


def _check_settings(told: str, methods: Iterable[str], settings: Mapping[str, object]) -> None:
    """Refuse settings and values that none of the methods accepts. Whether values are compatible is
    checked later, for a whole run."""
    kinds = {key: kind for method in methods for key, kind in legal_keys(method).items()}
    for key, value in settings.items():
        if key not in kinds:
            raise UserError(f"{told}unknown setting '{key}': {nearest(key, kinds)}")
        try:
            parse_value(key, value, kinds[key])
        except UserError as error:
            raise UserError(f"{told}{error}") from None


def _check_tables(base: str, tables: Mapping[int, Sequence[str]], figures: Iterable[int]) -> None:
    """Refuse what could not be measured, before hours of training."""
    for number in figures:
        if number not in FIGURES:
            raise UserError(f"{base}: no figure {number}: use {', '.join(map(str, FIGURES))}")
    for number, tasks in tables.items():
        if number not in TABLES:
            raise UserError(f"{base}: no table {number!r}: use {', '.join(map(str, TABLES))}")
        for task in tasks:
            if task not in fitting(number):
                use = ", ".join(fitting(number))
                raise UserError(f"{base}: task {task} is not one of table {number}: use {use}")
        if len(set(tasks)) < len(tasks):
            raise UserError(f"{base}: table {number} has {', '.join(tasks)}: give each once")
