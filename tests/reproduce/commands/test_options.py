"""Every option of every command, found in the parsers: what is empty, of a wrong type or contradicts
itself is refused in one line that names it, and nothing is written."""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny

from benchmarks.__main__ import main as benchmarks_main
from benchmarks.__main__ import parser as benchmarks_parser
from reproduce.commands.cli import main, parser
from reproduce.records.query import read_all
from reproduce.records.store import record_id

ROOT = Path(__file__).resolve().parents[3]
MAINS = {"reproduce": main, "benchmarks": benchmarks_main}
# What a command cannot do without; {world} is the folder of the fixture below.
NEEDED = {
    "number": "1", "numbers": "4", "task": "drawn-shoes", "tasks": "drawn-shoes", "method": "munit", "out": "out",
    "checkpoint": "{world}/run/last.safetensors", "checkpoints": "{world}/run/last.safetensors",
    "inputs": "{world}/own/testA", "test_inputs": "{world}/own/testA", "real": "{world}/own/testB",
    "outputs": "{world}/out/munit", "against": "{world}/out/munit", "probabilities": "{world}/p.npy",
    "pictures": "{world}/own/testA/00000.jpg", "study": "{world}/study", "reference": "munit",
    "results": f"{ROOT}/results", "record": "{record}", "values": "recon_x=1,2", "plan": "{world}/plan",
    "job": "table/1",
}  # fmt: skip
ALSO = {
    ("prepare", "method"): "munit={world}/out/munit", ("import", "results"): "{world}/votes.csv",
    ("modes", "classifier"): "{world}/c.pt",
}  # fmt: skip
WRONG = "~nobody-here/x"
PLACES = ("data", "runs", "results", "plan", "out", "raw")  # what is written goes there
FREE = ("modes",)  # any word will do
WORDS = (
    "16", "32", "0.3", "0.4", "aaaaaaaa", "bbbbbbbb", "a.npz", "b.npz", "10.0.0.1", "10.0.0.2",
    "{{input}}_{{sample}}", "{{input}}-{{sample}}",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """``words`` of a command line, and what its refusal must name: one of ``told``."""

    program: str
    name: str
    words: tuple[str, ...]
    told: tuple[str, ...]


def leaves(one: argparse.ArgumentParser, path: tuple[str, ...] = ()):
    """Every command that has no commands, with its parser."""
    groups = [a for a in one._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for name, sub in group.choices.items():
            yield from leaves(sub, (*path, name))
    if not groups:
        yield path, one


def needed(path: tuple[str, ...], action: argparse.Action) -> list[str]:
    value = ALSO.get((path[-1], action.dest)) or NEEDED[action.dest]
    return [*action.option_strings[-1:], *[value] * count(action)]


def count(action: argparse.Action) -> int:
    return action.nargs if isinstance(action.nargs, int) else 1


def is_needed(path: tuple[str, ...], action: argparse.Action) -> bool:
    left_out = not action.option_strings and action.nargs in ("*", "?")
    return action.required or (path[-1], action.dest) in ALSO or not (
        action.option_strings or left_out
    )  # fmt: skip


def values(one: argparse.ArgumentParser, action: argparse.Action) -> list[str]:
    """Two different ones that the action takes, or the words of a KEY=VALUE that is told twice."""
    if "=" in str(action.metavar):
        key = {"K": "steps", "T": "drawn-shoes", "N": "mine"}[str(action.metavar)[0]]
        key = "drawn-dog-breeds" if "figure" in one.prog and key == "drawn-shoes" else key
        return [f"{key}=a", f"{key}=b"]
    found = []
    for word in map(str, action.choices or WORDS):
        try:
            found.append((one._get_value(action, word), word)[1])
        except argparse.ArgumentError:
            continue
    return found[:2]


def by_itself(one: argparse.ArgumentParser, action: argparse.Action, value: str) -> bool:
    """Whether the parser refuses a value, whatever the command does with its options."""
    try:
        one._check_value(action, one._get_value(action, value))
    except argparse.ArgumentError:
        return True
    return action.nargs == 0


def cases() -> Iterator[Case]:
    """What parsers refuse by themselves, once for each type of option."""
    seen = set[tuple[object, ...]]()
    for program, top in (("reproduce", parser()), ("benchmarks", benchmarks_parser())):
        for path, one in leaves(top):
            yield from of_command(program, path, one, seen)


def of_command(
    program: str, path: tuple[str, ...], one: argparse.ArgumentParser, seen: set[tuple[object, ...]]
) -> Iterator[Case]:
    actions = [a for a in one._actions if a.dest != "help"]
    known = {option for action in actions for option in action.option_strings}
    safe = [word for word in ("--make", "--dry-run") if word in known]
    safe += [f"--results={ROOT}/results"] if path[0] in ("results", "rerun") else []

    def known_already(kind: str, action: argparse.Action) -> bool:
        read = getattr(action.type, "__qualname__", None)
        key = (kind, type(action), read, action.nargs, action.choices is None)
        return key in seen or seen.add(key) is not None

    def case(action: argparse.Action, kind: str, words: list[str], *told: str) -> Case:
        rest = [needed(path, a) for a in actions if is_needed(path, a) and a is not action]
        told = ("",) if action.dest in FREE else told
        name = (action.option_strings or [action.metavar or action.dest])[0]
        line = (*path, *words, *itertools.chain(*rest), *safe)
        if not action.option_strings:  # in the order of the others
            own = [words if a is action else needed(path, a) for a in actions if is_needed(path, a)]
            line = (*path, *itertools.chain(*own), *(() if words in own else words), *safe)
        return Case(program, f"{' '.join(path)} {name} {kind}", line, (str(name), *told))

    for action in actions:
        for kind, value in (("empty", ""), ("wrong", WRONG)):
            if by_itself(one, action, value) and known_already(kind, action):
                continue
            if action.option_strings and (action.nargs == 0 or count(action) == 1):
                words = [f"{action.option_strings[0]}={value}"]
            else:
                words = [*action.option_strings[:1], *[value] * count(action)]
            yield case(action, kind, words, *filter(None, [value]))
        if action.dest in PLACES and path not in (("demo",), ("store",)):  # which read
            words = [f"{action.option_strings[0]}={{world}}/a-file/x.npz"]
            yield case(action, "under a file", words, "a-file")
        if action.option_strings and action.nargs != 0:
            append = isinstance(action, argparse._AppendAction)
            if "=" in str(action.metavar) or not (append or known_already("twice", action)):
                option = action.option_strings[0]
                words = [[option, *[v] * count(action)] for v in values(one, action)]
                yield case(action, "twice", [*itertools.chain(*words)], "given twice")
    for group in one._mutually_exclusive_groups:
        for a, b in itertools.combinations(group._group_actions, 2):
            pair = [
                [x.option_strings[0], *[values(one, x)[0]] * count(x)]
                if x.nargs != 0 else x.option_strings[:1] for x in (a, b)
            ]  # fmt: skip
            yield case(b, f"with {a.dest}", [*itertools.chain(*pair)], "not allowed with")


@pytest.fixture(scope="module")
def world(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "all"
    shutil.copytree(studied, folder)
    (folder / "a-file").touch()
    words = ["table", "1", "--preset=quick", f"--plan={folder / 'plan'}"]
    assert main([*words, *tiny.places(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def record() -> str:
    """The id of a stored record."""
    every = read_all(ROOT / "results")
    return next(record_id(one) for one in every if one["task"] == "drawn-shoes")


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c.program} {c.name}") for c in cases()])
def test_it_is_refused(case, world, record, tmp_path, monkeypatch, refused_by):
    monkeypatch.chdir(tmp_path)
    words = [word.format(world=world, record=record) for word in case.words]
    error = refused_by(MAINS[case.program], words, printed=True)
    assert any(word in error for word in case.told), error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", MAINS)
@pytest.mark.parametrize("words", ["{} own --out out", "study serve --study x --host {}"])
def test_words_that_are_no_utf8_are_refused(program, words, refused_by):
    told = refused_by(MAINS[program], words.format(os.fsdecode(b"x\xff")).split())
    assert told.startswith("error: 'x\\udcff' is no name in UTF-8: rename it")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("table 2 --preset quick --human x=y.json", "--human fills the Quality of table 1"),
        ("all --dry-run --gpus-per-training 2", "add --device cuda"),
        ("data {world}/own --train 3", "--train is of pictures that are drawn"),
        ("data edges2shoes --source {world}/own --size 64", "--size is of pictures that are drawn"),
        ("data {world}/own --source {world}/own", "own holds pictures of its own, and --source"),
        ("report --seeds 99 --results {root}/results", "no record of seed 99"),
        ("report --results typo", "typo/cpu/records.jsonl holds no records"),
        ("table 1 --preset quick --plan {world} --dry-run", "is a folder: name a file"),
    ],
)
def test_options_that_contradict_are_refused(words, told, world, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    assert told in refused(words.format(world=world, root=ROOT).split())
    assert list(tmp_path.iterdir()) == []
