"""The experiments: tables and figures x tasks x methods, at the scale of a preset.

The published hyper-parameters are the defaults of the methods' configurations (``models``, with
their sources); a preset (``presets/*.yaml``) changes scale: sizes, widths, steps, what is measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from models.errors import UserError
from models.zoo import nearest, recipe
from reproduce.runs import RunConfig, legal_keys, make_run, refuse_unread

PRESETS = Path(__file__).parent / "presets"

# Table 1 of the MUNIT paper, row by row.
TABLE1_METHODS = (
    "unit", "cyclegan", "cyclegan-noise", "munit-wo-x", "munit-wo-c", "munit-wo-s", "munit",
    "bicyclegan",
)  # fmt: skip
# Table 2, column by column.
TABLE2_METHODS = ("cyclegan", "cyclegan-noise", "unit", "munit")
SCORES = ("none", "quality", "all")
TABLES: dict[int, tuple[str, ...]] = {1: TABLE1_METHODS, 2: TABLE2_METHODS}
# The UNIT paper's Figs. 4 to 6.
FIGURE_METHODS = ("unit",)


@dataclass(frozen=True)
class Measuring:
    """How a preset measures: diversity's inputs and samples a protocol and its LPIPS weights, and
    what is measured beside it."""

    protocol: str
    inputs: int
    samples: int
    lpips: str  # untrained, or imagenet
    mode_inputs: int = 100  # for IS and CIS, with
    mode_samples: int = 100  # translations of each
    scores: str = "all"  # "quality": judged preference; "all": fidelity and exact scores too

    def __post_init__(self) -> None:
        if self.scores not in SCORES:
            raise UserError(f"unknown scores '{self.scores}': use one of {', '.join(SCORES)}")
        if self.lpips not in ("untrained", "imagenet"):
            raise UserError(f"unknown LPIPS weights '{self.lpips}': use untrained or imagenet")


@dataclass(frozen=True)
class Preset:
    """One scale of all experiments."""

    name: str  # of its results and runs: the file's, and a mark of what was overridden
    base: str  # the file's
    changes: Mapping[str, Any]  # what was overridden
    about: str
    run: Mapping[str, Any]  # for every run
    methods: Mapping[str, Mapping[str, Any]]  # by family or method, the latter last
    tasks: Mapping[str, Mapping[str, Mapping[str, Any]]]  # by task, then as ``methods``, or "all"
    tables: Mapping[int, list[str]]  # tasks of each table
    figures: Mapping[int, str]  # task of each figure of the UNIT paper
    measure: Measuring

    def make_run(
        self, method: str, task: str, seed: int = 0,
        overrides: Mapping[str, object] | None = None, source: str = "",
    ) -> RunConfig:  # fmt: skip
        """The run of ``method`` on ``task`` at this scale, with pictures from ``source`` if given;
        overrides that nothing would read are refused."""
        values = self._values(method, task) | {"seed": seed}
        return make_run(method, task, values, overrides or {}, source)

    def _values(self, method: str, task: str) -> dict[str, Any]:
        family = recipe(method).method.__name__.lower()
        values: dict[str, Any] = dict(self.run)
        for source in (self.methods, self.tasks.get(task, {})):
            for name in dict.fromkeys(("all", family, method)):  # what is narrower comes last
                values |= dict(source.get(name, {}))
        return values

    def changed(self, settings: Mapping[str, object], measuring: Mapping[str, object]) -> Preset:
        """This preset with ``--set`` overrides and another way of measuring, under a name of its
        own: its numbers must not pass for the preset's."""
        changes = dict(sorted({**settings, **measuring}.items()))
        if not changes:
            return self
        measure = replace(self.measure, **measuring)  # type: ignore[arg-type]
        return replace(self._renamed(changes), measure=measure)

    def of_tasks(self, table: int, tasks: Sequence[str]) -> Preset:
        """This preset with other tasks in a table, under a name of its own too."""
        if not tasks:
            return self
        changes = dict(self.changes) | {"tasks": " ".join(tasks)}
        return replace(self._renamed(changes), tables={**self.tables, table: list(tasks)})

    def _renamed(self, changes: Mapping[str, Any]) -> Preset:
        digest = hashlib.sha256(json.dumps(changes).encode()).hexdigest()[:8]
        return replace(self, name=f"{self.base}+{digest}", changes=changes)

    def table_runs(
        self, table: int, seed: int = 0, overrides: Mapping[str, object] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> list[RunConfig]:  # fmt: skip
        """All runs behind a table, each with those overrides that it reads; what no run reads is
        refused. ``sources``: where the pictures of a task are, if not in the data folder."""
        if table not in self.tables:
            raise self._lacks("table", table, self.tables)
        what, methods = f"table {table}", TABLES[table]
        return self._all_runs(what, self.tables[table], methods, seed, overrides, sources)

    def figure_tasks(self, figures: Sequence[int]) -> dict[int, str]:
        """The task of each of these figures of the UNIT paper."""
        for figure in figures:
            if figure not in self.figures:
                raise self._lacks("figure", figure, self.figures)
        return {figure: self.figures[figure] for figure in figures}

    def figure_runs(
        self, figures: Sequence[int], seed: int = 0,
        overrides: Mapping[str, object] | None = None, sources: Mapping[str, str] | None = None,
    ) -> dict[int, RunConfig]:  # fmt: skip
        """The run behind each of these figures; otherwise as ``table_runs``."""
        tasks = self.figure_tasks(figures)
        what = f"figure {' or '.join(map(str, tasks))}"
        names = list(tasks.values())
        runs = self._all_runs(what, names, FIGURE_METHODS, seed, overrides, sources)
        return dict(zip(tasks, runs, strict=True))

    def _lacks(self, kind: str, number: int, known: Mapping[int, object]) -> UserError:
        hint = nearest(str(number), map(str, known))
        return UserError(f"preset {self.base} has no {kind} {number}: {hint}")

    def _all_runs(
        self, what: str, tasks: Sequence[str], methods: Sequence[str], seed: int,
        overrides: Mapping[str, object] | None, sources: Mapping[str, str] | None,
    ) -> list[RunConfig]:  # fmt: skip
        overrides = overrides or {}
        known = {key for method in methods for key in legal_keys(method)}
        for key in overrides:
            if key not in known:
                raise UserError(f"no run of {what} has a setting '{key}': {nearest(key, known)}")
        runs: list[RunConfig] = []
        read: set[str] = set()
        unread: dict[str, str] = {}
        for task in tasks:
            for method in methods:
                # As if a preset said it all: nothing is refused that another run may read.
                values = self._values(method, task) | {"seed": seed}
                values |= own_overrides(method, overrides)
                source = (sources or {}).get(task, "")
                run = make_run(method, task, values, {}, source)
                own = own_overrides(method, overrides, run)
                runs.append(self.make_run(method, task, seed, own, source))
                read |= set(own)
                unread = run.unread() | unread  # the first run's reason
        refuse_unread({k: v for k, v in overrides.items() if k not in read}, unread)
        return runs


def own_overrides(
    method: str, overrides: Mapping[str, object], run: RunConfig | None = None
) -> dict[str, object]:
    """Those of the overrides of many runs that ``method`` has a setting for, and that ``run``
    reads; an ablation stays one."""
    keys = legal_keys(method) - set(recipe(method).ablates)
    unread = {} if run is None else run.unread()
    return {k: v for k, v in overrides.items() if k in keys and k not in unread}


def preset_names() -> list[str]:
    """All presets there are."""
    return sorted(p.stem for p in PRESETS.glob("*.yaml"))


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))


def load_preset(name: str) -> Preset:
    """The preset called ``name``; UserError names the nearest one."""
    if name not in preset_names():
        raise UserError(f"unknown preset '{name}': {nearest(name, preset_names())}")
    values = _read(name)
    if "extends" in values:
        values = _read(values.pop("extends")) | values
    values["measure"] = Measuring(**values["measure"])
    return Preset(name=name, base=name, changes={}, **({"tasks": {}} | values))
