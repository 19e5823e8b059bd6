"""Prepare a study: draw its questions, copy their pictures, create its database.

The seed determines the inputs, samples, sides and order of the questions. Public ids are random and
stored only in the database, so they cannot be derived from the seed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from tqdm import tqdm

from benchmarks.files import whole_folder
from benchmarks.harness.arrays import ARRAYS, Range
from benchmarks.harness.layouts import find_layout, pictures_under, places_of
from benchmarks.harness.outputs import Outputs, open_outputs
from benchmarks.pictures import fitted, read, to_bytes
from benchmarks.study.folder import (
    DATABASE,
    PICTURES,
    SECRET,
    SETTINGS,
    Design,
    Settings,
    counted,
    new_id,
)
from benchmarks.study.sessions import first_side
from benchmarks.study.store import SCHEMA, connect, transaction
from models.errors import UserError

CATCH_CANDIDATES = 16  # a wrong answer belongs to the least similar of this many inputs
FEWEST_CATCHES = 10

Samples = Mapping[str, Collection[str]]  # input id -> ids of its translations by one method


@dataclass(frozen=True)
class Drawn:
    """One question: an input, a translation of it by ``method``, and one by the reference; or a
    catch trial: an input, and what its right and its wrong answer are."""

    method: str
    input: str
    first: str
    second: str
    kind: str = "real"


@dataclass(frozen=True)
class Plan:
    """The options of ``study prepare``. ``methods``: name -> folder or array of translations;
    ``pattern`` applies to the files of all folders, ``value_range`` to the floats of all arrays."""

    inputs: Path
    methods: Mapping[str, Path]
    reference: str
    questions: int = 500
    raters: int = 5
    per_rater: int = 20
    catch: float = 0.1
    exclude_below: float = 0.8
    seed: int = 0
    real: Path | None = None
    pattern: str | None = None
    value_range: Range | None = None


def prepare(plan: Plan, out: Path, *, progress: bool = False) -> Design:
    """Write the study ``out`` atomically; returns its design. Raises UserError if the folders do
    not match or there are too few translations."""
    if out.exists():
        raise UserError(f"{out} exists already: remove it, or choose another --out")
    material = _Material(plan)
    design = Design(
        methods=tuple(sorted(set(plan.methods) - {plan.reference})),
        reference=plan.reference, inputs=len(material.inputs), questions=plan.questions,
        raters=plan.raters, per_rater=plan.per_rater, catch=plan.catch,
        catch_right="translation" if plan.real is None else "real picture",
        exclude_below=plan.exclude_below, size=material.size, seed=plan.seed,
    )  # fmt: skip
    if design.real_per_session < 1:
        raise UserError(
            f"all {plan.per_rater} questions per session would be catch trials: raise --per-rater or "
            "lower --catch"
        )
    samples, drawn = material.translations, list[Drawn]()
    for method in design.methods:
        drawn += draw_questions(
            method, samples[method], samples[plan.reference], plan.questions, plan.seed
        )
    with whole_folder(out) as unfinished:
        (unfinished / PICTURES).mkdir()
        _write(unfinished, design, drawn, material, progress)
    return design


def _translations(
    path: Path, plan: Plan, names: Sequence[str]
) -> dict[str, dict[str, Callable[[], Image.Image]]]:
    """Return, for each input and sample, a function that reads the translation. Raises UserError
    for an input without translations."""
    if path.suffix.lower() in ARRAYS:
        outputs = open_outputs([path], None, plan.value_range).called(names, path)
        return {
            name: {f"{k:02d}": partial(_of, outputs, i, k) for k in range(outputs.samples)}
            for i, name in enumerate(names)
        }
    layout = find_layout([path], plan.pattern)
    files = list(layout.files.values())
    places = places_of(names, [*layout.files], layout.numbered, path)
    return {
        name: {k: partial(read, path) for k, path in files[place].items()}
        for name, place in zip(names, places, strict=True)
    }


def _of(outputs: Outputs, number: int, sample: int) -> Image.Image:
    pixels = to_bytes(outputs.read(number, sample)[None])[0]
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


class _Material:
    """The pictures from which questions are made."""

    def __init__(self, plan: Plan) -> None:
        if plan.reference not in plan.methods:
            raise UserError(
                f"--reference {plan.reference} is not one of the methods "
                f"({', '.join(sorted(plan.methods))}): name one of them"
            )
        if len(plan.methods) < 2:
            raise UserError("a study compares methods with the reference: give a second --method")
        self.plan = plan
        self.inputs = pictures_under(plan.inputs)
        if len(self.inputs) < 2:
            raise UserError(f"{plan.inputs} holds one picture: a study needs at least 2 inputs")
        names = list(self.inputs)
        self.translations = {
            method: _translations(path, plan, names) for method, path in plan.methods.items()
        }
        self.real = None if plan.real is None else pictures_under(plan.real)
        missing = [name for name in names if self.real is not None and name not in self.real]
        if missing:
            raise UserError(f"{plan.real} has no real picture of input '{missing[0]}': add it")
        self.size = next(iter(self.translations[plan.reference][names[0]].values()))().size

    def shown_input(self, name: str) -> Image.Image:
        """Return input ``name``, scaled and cropped as for the networks."""
        return fitted(read(self.inputs[name]), self.size)

    def translation(self, method: str, name: str, sample: str) -> Image.Image:
        """Return a translation; raises UserError if its size would reveal the method."""
        image = self.translations[method][name][sample]()
        if image.size != self.size:
            width, height = self.size
            raise UserError(
                f"{self.plan.methods[method]}: sample {sample} of input '{name}' has "
                f"{image.width}x{image.height} pixels, others {width}x{height}: all translations must "
                "have the same size"
            )
        return image

    def right(self, name: str) -> Image.Image:
        """Return the right answer of a catch trial: the real picture, or one by the reference."""
        if self.real is not None:
            return fitted(read(self.real[name]), self.size)
        reference = self.plan.reference
        sample = sorted(self.translations[reference][name])[0]
        return self.translation(reference, name, sample)


@dataclass
class _Rows:
    """Rows for the database, and the pictures written so far."""

    folder: Path
    design: Design
    material: _Material
    files: dict[tuple[str, ...], str] = field(default_factory=dict)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    questions: list[tuple[str | int, ...]] = field(default_factory=list)

    def picture(self, image: Callable[[], Image.Image], *key: str) -> str:
        """Return a new public id for one appearance of a picture; appearances share the file."""
        if key not in self.files:
            self.files[key] = new_id()
            write(self.folder / PICTURES / f"{self.files[key]}.png", image())
        self.pictures.append((new_id(), self.files[key]))
        return self.pictures[-1][0]

    def add(self, drawn: Drawn) -> None:
        """Add a question on a method, or a catch trial."""
        name, material = drawn.input, self.material
        if drawn.kind == "real":
            keys = (drawn.method, name, drawn.first), (self.design.reference, name, drawn.second)
            first, second = (
                self.picture(partial(material.translation, *key), "translation", *key)
                for key in keys
            )
        else:
            right = material.right(name)
            if drawn.second == "another":
                names = sorted(set(material.inputs) - {name})
                draws = counted(self.design.seed, "another", name)
                some = [names[k] for k in draws.permutation(len(names))[:CATCH_CANDIDATES]]
                own, away = thumbnail(right), dict[str, float]()
                for other in sorted(some):
                    away[other] = float(np.abs(thumbnail(material.right(other)) - own).mean())
                wrong = material.right(max(away, key=away.__getitem__))
            else:
                wrong = degraded(right, self.design.seed, name)
            first = self.picture(lambda: right, "right", name)
            second = self.picture(lambda: wrong, "wrong", name)
        above = self.picture(partial(material.shown_input, name), "input", name)
        told = drawn.kind, drawn.method, name, drawn.first, drawn.second
        self.questions.append((new_id(), len(self.questions), *told, above, first, second))


def _write(
    folder: Path, design: Design, drawn: list[Drawn], material: _Material, progress: bool
) -> None:
    rows = _Rows(folder, design, material)
    every = [*drawn, *_draw_catches(design, material)]
    for one in tqdm(every, unit="question", disable=not progress):
        rows.add(one)
    order = seat_order(design.methods, design.questions, design.raters, design.seed)
    seats = [
        (rows.questions[k][0], seat, position, (first_side(design.seed, k) + seat) % 2)
        for position, (k, seat) in enumerate(order)
    ]
    # Sorted by their random ids, so that the order of rows reveals nothing.
    filled: dict[str, list[tuple[Any, ...]]] = {
        "meta": [("design", design.model_dump_json()), ("name", new_id())],
        "pictures": [*sorted(rows.pictures)],
        "questions": sorted(rows.questions),
        "seats (question, seat, position, first_left)": seats,
    }
    with closing(connect(folder / DATABASE)) as connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        with transaction(connection):
            for table, values in filled.items():
                places = ", ".join("?" * len(values[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", values)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    settings = Settings(design=design).model_dump_json(indent=2) + "\n"
    (folder / SETTINGS).write_text(settings, encoding="utf-8")
    secret = os.open(folder / SECRET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(secret, "wb") as file:
        file.write(secrets.token_bytes(32))


def _draw_catches(design: Design, material: _Material) -> list[Drawn]:
    """Draw catch trials. Wrong answers alternate between another input's answer and the right
    answer degraded beyond recognition."""
    if not design.catch:
        return []
    wanted = max(FEWEST_CATCHES, round(design.catch * design.questions))
    names = sorted(material.inputs)
    draws = counted(design.seed, "catch")
    order = [names[k] for k in draws.permutation(len(names))][:wanted]
    return [
        Drawn("catch", name, "right", "another" if k % 2 == 0 else "spoilt", "catch")
        for k, name in enumerate(order)
    ]


def degraded(image: Image.Image, seed: int, name: str) -> Image.Image:
    """Return ``image``, so blurred and noisy that no attentive rater prefers it."""
    blurred = image.filter(ImageFilter.GaussianBlur(max(image.size) / 8))
    noise = counted(seed, "noise", name).normal(0, 64, (image.height, image.width, 3))
    pixels = np.clip(np.asarray(blurred, dtype=np.float64) + noise, 0, 255)
    return Image.fromarray(pixels.round().astype(np.uint8))


def thumbnail(image: Image.Image) -> np.ndarray:
    """Return 16x16 RGB values in [0, 255] for a rough comparison of pictures."""
    return np.asarray(image.resize((16, 16), Image.Resampling.BOX), dtype=np.float64)


def write(path: Path, image: Image.Image) -> None:
    """Write a PNG of the pixels alone, with a fixed time stamp: a picture shown to raters must not
    reveal its source."""
    # Converting through an array drops metadata (profiles, comments).
    Image.fromarray(np.asarray(image)).save(path, format="PNG")
    os.utime(path, (0, 0))


def draw_questions(
    method: str, samples: Samples, reference: Samples, count: int, seed: int
) -> list[Drawn]:
    """Draw ``count`` different questions on ``method`` against the reference. Inputs are used
    equally often; every question on an input uses another pair of samples. Raises UserError if
    there are too few pairs."""
    inputs = sorted(reference)
    own, theirs = ({name: sorted(of[name]) for name in inputs} for of in (samples, reference))
    pairs = {name: len(own[name]) * len(theirs[name]) for name in inputs}
    if count > sum(pairs.values()):
        raise UserError(
            f"{count} questions on {method} cannot be drawn: its translations and the "
            f"reference's make {sum(pairs.values())} pairs; reduce --questions, or translate more "
            "inputs or samples"
        )
    draws = counted(seed, "questions", method)
    orders = {name: draws.permutation(pairs[name]).tolist() for name in inputs}
    drawn: list[Drawn] = []
    while len(drawn) < count:
        for k in draws.permutation(len(inputs)).tolist():
            name = inputs[k]
            if orders[name] and len(drawn) < count:
                one, other = divmod(orders[name].pop(), len(theirs[name]))
                drawn.append(Drawn(method, name, own[name][one], theirs[name][other]))
    return drawn


def seat_order(
    methods: Sequence[str], count: int, raters: int, seed: int
) -> Iterator[tuple[int, int]]:
    """Yield seats in the order of assignment, as (question number, seat); each method has ``count``
    questions, numbered method by method. Every round asks each question once and alternates between
    methods, so that a session meets all of them."""
    for seat in range(raters):
        orders = [counted(seed, "order", m, seat).permutation(count).tolist() for m in methods]
        turns = counted(seed, "turns", seat)
        for _ in range(count):
            for k in turns.permutation(len(methods)).tolist():
                yield k * count + orders[k].pop(), seat
