"""An ablation: one method on one task, trained with several values of one or two settings.

Each combination of values is a point. A point is equivalent to ``--set`` with these values: its runs
and records are named after the preset and its changes. A point with the preset's own settings is the
preset's run, and a point that is a row of the papers' tables (MUNIT with ``recon_c=0`` is MUNIT
w/o c) is that row's run; neither is trained twice.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.errors import UserError
from models.zoo import METHODS, nearest, parse_value, recipe
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RUN_KEYS, RunConfig, flat, legal_keys
from reproduce.tasks.specs import TaskSpec

MOST_KEYS = 2
PICTURES = ("task", "size", "train", "test")  # the fields that determine the pictures of a run
Value = float | str | bool | None


@dataclass(frozen=True)
class Axis:
    """A setting and its distinct values, numbers in ascending order; ``default``: the preset's
    value."""

    key: str
    values: tuple[Value, ...]
    default: Value

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)


@dataclass(frozen=True)
class Point:
    """One combination of ``values``, in the order of the axes.

    ``preset`` and ``method``: the names of its runs and records; ``overrides``: the ``--set`` values
    of its trainings; ``runs``: one per seed.
    """

    values: tuple[Value, ...]
    preset: Preset
    method: str
    overrides: Mapping[str, str]
    runs: tuple[RunConfig, ...]
    default: bool  # whether all values are the preset's


@dataclass(frozen=True)
class Ablation:
    """All points. ``preset``: with the overrides that all points share; ``own``: its own runs, one
    per seed, whether they are among the points or not."""

    preset: Preset
    method: str
    task: str
    seeds: tuple[int, ...]
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    own: tuple[RunConfig, ...]

    @property
    def spec(self) -> TaskSpec:
        """The specification of its task."""
        return self.preset.spec(self.task)

    @property
    def name(self) -> str:
        """The stem of its files, e.g. ``drawn-shoes-munit-recon_c``."""
        return "-".join((self.task, self.method, *(axis.key for axis in self.axes)))

    def label(self, point: Point) -> str:
        """A point in words, e.g. ``recon_c=0.1``."""
        told = zip(self.axes, point.values, strict=True)
        return ", ".join(f"{axis.key}={as_word(value)}" for axis, value in told)

    @property
    def one_set_of_pictures(self) -> bool:
        """Whether all points and the preset's own runs use the same pictures."""
        every = [run for point in self.points for run in point.runs]
        return len({pictures_of(run) for run in (*every, *self.own)}) == 1


def pictures_of(run: RunConfig) -> tuple[object, ...]:
    """The values that determine a run's pictures."""
    return tuple(getattr(run, field) for field in PICTURES)


def make_ablation(
    preset: Preset, method: str, task: str, words: Sequence[str], seeds: Sequence[int] = (0,),
    overrides: Mapping[str, str] | None = None, source: str = "",
) -> Ablation:  # fmt: skip
    """The ablation given by ``words``, each ``key=value,value,...``.

    ``overrides`` apply to all points. Raises UserError for keys and values that are invalid, given
    twice, or without effect.
    """
    overrides = dict(overrides or {})
    recipe(method)
    preset.spec(task)
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds {' '.join(map(str, seeds))}: give one or more, each once")
    if not 1 <= len(words) <= MOST_KEYS:
        raise UserError(
            f"{len(words)} settings: give one or two with their values, and fix others with --set"
        )
    for key in overrides:
        _check_key(method, key, "--set ")
    shared = _named(preset, overrides, task)
    own = tuple(preset.make_run(method, task, seed, overrides, source) for seed in seeds)
    axes = tuple(_axis(method, word, own[0]) for word in words)
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"{key} is given twice: give all its values at once")
        if key in overrides:
            raise UserError(f"{key} is given by --set too: leave it out there")

    def point(values: tuple[Value, ...]) -> Point:
        told = dict(zip(keys, map(as_word, values), strict=True))
        # Refuse settings without effect at this point, even with the preset's own value.
        preset.make_run(method, task, seeds[0], overrides | told, source)
        differ = [axis.key for axis, v in zip(axes, values, strict=True) if v != axis.default]
        mine: Mapping[str, str] = overrides | {key: told[key] for key in differ}
        runs = tuple(preset.make_run(method, task, seed, mine, source) for seed in seeds)
        row, mine, runs = _as_row(preset, method, mine, runs)
        return Point(values, _named(preset, mine, task), row, mine, runs, not differ)

    points = tuple(map(point, itertools.product(*(axis.values for axis in axes))))
    return Ablation(shared, method, task, tuple(seeds), axes, points, own)


def _named(preset: Preset, overrides: Mapping[str, str], task: str) -> Preset:
    """The preset that names runs with these overrides; for the user's own task, as with ``--task``."""
    changed = preset.changed(overrides, {})
    return changed.of_tasks([task]) if task in preset.own else changed


def as_word(value: Value) -> str:
    """``value`` as written on the command line; equal values give equal words."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _axis(method: str, word: str, own: RunConfig) -> Axis:
    key, equals, listed = word.partition("=")
    words = [part.strip() for part in listed.split(",")]
    if not equals or not key:
        raise UserError(f"{word}: write KEY=VALUE,VALUE,..., e.g. recon_c=0,0.1,1,10")
    _check_key(method, key, "")
    if "" in words:
        raise UserError(f"{word}: a value is missing between commas")
    kinds = {f.name: str(f.type) for f in dataclasses.fields(recipe(method).config)} | RUN_KEYS
    told: dict[Value, str] = {}
    for part in words:
        value: Value = parse_value(key, part, kinds[key])  # type: ignore[assignment]
        if value in told:
            raise UserError(f"{key}: {told[value]} and {part} are the same value: give it once")
        told[value] = part
    if len(told) < 2:
        raise UserError(f"{word}: give two values or more, or fix it with --set {word}")
    axis = Axis(key, tuple(told), flat(own)[key])
    return replace(axis, values=tuple(sorted(told))) if axis.numeric else axis  # type: ignore[type-var]


def _check_key(method: str, key: str, where: str) -> None:
    known = legal_keys(method).keys() - {"seed"}
    if key == "seed":
        raise UserError(f"{where}seed: seeds are given by --seeds, e.g. --seeds 0 1 2")
    if key not in known:
        raise UserError(f"{method} has no setting '{key}': {nearest(key, known)}")
    if key in recipe(method).ablates:
        raise UserError(f"{where}{key}: {method} has none by definition; ablate {_whole(method)}")


def _whole(method: str) -> str:
    """The full method of which ``method`` is an ablation."""
    this = recipe(method)
    without = dict.fromkeys(this.ablates, 0.0)
    for name, other in METHODS.items():
        same = other.config is this.config and not other.ablates
        if same and dict(other.settings) | without == dict(this.settings):
            return name
    raise ValueError(f"{method} ablates no method that there is")


def _as_row(
    preset: Preset, method: str, overrides: Mapping[str, str], runs: tuple[RunConfig, ...]
) -> tuple[str, Mapping[str, str], tuple[RunConfig, ...]]:
    """``runs`` renamed to another row of the papers' tables, if they are the same trainings."""
    this = recipe(method)
    for name, other in METHODS.items():
        if name == method or not other.ablates or other.config is not this.config:
            continue
        rest = {key: word for key, word in overrides.items() if key not in other.ablates}
        found = tuple(preset.make_run(name, r.task, r.seed, rest, r.source) for r in runs)
        if all(replace(f, method=r.method) == r for f, r in zip(found, runs, strict=True)):
            return name, rest, found
    return method, overrides, runs
