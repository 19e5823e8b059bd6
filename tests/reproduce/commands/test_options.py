"""Every option of every command, found in the parsers: what is empty, of a wrong type or contradicts
itself is refused in one line that names it, and nothing is written."""

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
    by_place = not (action.option_strings or left_out)
    return action.required or (path[-1], action.dest) in ALSO or by_place


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
        ("", "required: COMMAND"),
        ("train munit --out run --task nowhere/at/all", "unknown task 'nowhere/at/all'"),
        ("train munit {train} --source nowhere", "nowhere does not exist"),
        ("train munit {train} --device gpu", "unknown device 'gpu': use cpu, cuda or mps"),
        ("train munit {train} --device cuda:99", "use --device cpu"),
        ("train munit {train} --device mps", "sees no Apple GPU"),
        ("train munit {train} --vgg x.pth", "--vgg is for the perceptual loss alone"),
        ("train munitt {train}", "unknown method 'munitt': did you mean munit?"),
        ("train munit {train} --set stepz=3", "munit has no setting 'stepz': did you mean steps?"),
        ("train munit {train} --set method=unit", "munit has no setting 'method'"),
        ("train munit {train} --set source=x", "munit has no setting 'source'"),
        ("train munit {train} --set steps=3x", "steps=3x is not a legal value"),
        ("train munit {train} --set steps=0", "use at least 1"),
        ("train munit {train} --set flip=maybe", "flip=maybe is not a legal value"),
        ("train munit {train} --set precision=fp8", "'fp8': use one of float32, bf16"),
        ("train munit {train} --set channels_a=4", "channels_a and channels_b must be 3 or 1"),
        ("train munit {train} --set size=33", "the nearest legal size is 34x34"),
        ("train munit {train} --set size=512", "come in 32 to 256 pixels; the nearest is 256"),
        ("train munit {train} --set size=1048576", "of 1048576 px needs"),
        ("train munit {train} --set resize=16", "resize 16 is smaller than the crop of 32"),
        ("train munit {train} --set resize=40 --set crop=left", "use 'random' or 'centre'"),
        ("train munit {train} --set size=64 --set perceptual=1", "needs VGG-16 weights"),
        ("train munit {train} --set dim=1000000000", "not enough memory"),
        ("train unit {train} --set recipe=release --set dropout=0.5", "set recipe=nips or"),
        ("train bicyclegan --out run --task {own}", "add a folder trainPairs"),
        ("train bicyclegan {train} --set depth=13", "use fewer layers"),
        ("train bicyclegan {train} --set batch=3", "batch=3 must be even"),
        ("table 1 --preset quick --task {own} --set batch=2 --inputs 5", "or measure 4 (--inputs"),
        ("table 1 --preset quick --task {own}", "batch=8 is more than the 4 training pictures"),
        ("table 1 --preset quick --task {own} --set train=9", "train=9 has no effect on"),
        ("table 1 --preset quick --task {own} --set enc_dim=9", "has a setting 'enc_dim'"),
        ("table 1 --preset quick --row =out", "write NAME=PATH"),
        ("table 1 --preset quick --row a/b=out", "a name has letters"),
        ("table 1 --preset quick --row real=out", "has a row of that name"),
        ("table 1 --preset quick --set steps", "write key=value, e.g."),
        ("table 1 --preset quick --set lr=1 --set lr=1", "lr is given twice"),
        ("table 1 --preset quick --set step=7", "did you mean steps"),
        ("table 1 --preset quick --set lr_step=5", "no effect with lr_policy=constant: leave"),
        ("table 1 --preset paper --set train=100", "on edges2shoes: it counts pictures to draw"),
        ("table 1 --jobs -1", "-1 is too small, use at least 0"),
        ("table 1 --preset quick --set size=34", "nearest legal size"),
        ("table 1 --preset quick --scores none --set test=1", "test=1"),
        ("table 1 --preset quick --protocol papr", "paper"),
        ("table 1 --preset quick --lpips-weights none.pth", "none.pth: no such file"),
        ("table 1 --preset quick --source drawn-shoes", "TASK=PATH"),
        ("table 1 --preset quick --stored --seeds 0 1 --seed=3", "--seed 3 and --seeds"),
        ("table 1 --preset quick --stored --seeds 1 2 1", "each once"),
        ("table 1 --stored --seeds 0 1 --human drawn-shoes=x.json", "one training"),
        ("table 1 --stored --human drawn-shoes=nowhere.json", "nowhere.json"),
        ("table 1 --stored --human tables=nowhere.json", "TASK=PATH"),
        ("table 1 --preset quick --plan {world} --dry-run", "is a folder: name a file"),
        ("table 2 --preset quick --task {own}", "sorted as train|test/<domain>/<class>"),
        ("table 2 --preset quick --task drawn-shoes", "cifar-animals-vehicles"),
        ("table 2 --preset quick --task cifar-animals", "cifar-animals-vehicles"),
        ("table 2 --preset quick --task ../x", "cifar-animals-vehicles"),
        ("table 2 --preset quick --human x=y.json", "--human fills the Quality of table 1"),
        ("table 3", "no table 3 here: use 1 or 2"),
        ("figure 4 3 --preset quick", "preset quick has no figure 3: known: 4, 5, 6"),
        ("figure 4 --preset quick --set stepz=1", "has a setting 'stepz': did you mean steps?"),
        ("figure 4 --preset quick --attribute Smiling", "drawn-dog-breeds has no attributes"),
        ("figure 4 --preset quick --source faces=x", "TASK=PATH with a task of drawn-dog-breeds"),
        ("figure 4 --preset paper --set train=6", "train=6 has no effect on dog-breeds"),
        ("ablate munit recon_c=1,2 --task drawn-shoes --metric quality-judged", "with the table"),
        ("ablate munit recon_c=1,2 --task drawn-shoes --metric cis", "none of munit on"),
        ("ablate munit recon_c=1,2 --task drawn-shoes --set recon_c=4", "--set too"),
        ("ablate munit test=2,8 --task drawn-shoes --preset quick", "test=2"),
        ("ablate munit size=32,33 --task drawn-shoes --preset quick", "nearest legal size"),
        ("ablate munit recon_d=0,1 --task drawn-shoes", "did you mean recon_x? known: activ"),
        ("ablate munit recon_c=0,x --task drawn-shoes", "recon_c=x is not a legal value"),
        ("ablate munit recon_c=1,0.5,1.0 --task drawn-shoes", "1 and 1.0 are the same value"),
        ("ablate munit recon_c=1 --task drawn-shoes", "two values or more"),
        ("ablate munit recon_c=1,,2 --task drawn-shoes", "a value is missing"),
        ("ablate munit recon_c --task drawn-shoes", "write KEY=VALUE,VALUE"),
        ("ablate munit recon_c=0,1 recon_c=2,3 --task drawn-shoes", "recon_c is given twice"),
        ("ablate munit dim=4,8 lr=1,2 gan=0,1 --task drawn-shoes", "one or two"),
        ("ablate munit seed=0,1 --task drawn-shoes", "seeds are given by --seeds"),
        ("ablate munit recon_c=0,1 --task drawn-shoes --seeds 1 1", "each once"),
        ("ablate munit gan_loss=lsgan,cross-entropy --task drawn-shoes --set gan=0", "with gan=0"),
        ("ablate munit lr_policy=step,constant lr_step=50,100 --task drawn-shoes", "has no effect"),
        ("ablate munit-wo-c recon_c=0,1 --task drawn-shoes", "none by definition; ablate munit"),
        ("ablate munit-wo-c recon_x=0,1 --task drawn-shoes --set recon_c=1", "munit-wo-c has none"),
        ("ablate bicyclegan lr=0.1,0.2 --task {own}", "learns from pairs"),
        ("ablate munit recon_x=1,2 --task {own} --metric cis", "none of munit on own-"),
        ("claims --task {own}", "the papers make no claims about your own pictures"),
        ("claims --results typo", "measure first"),
        ("claims --seeds 99 --results {root}/results", "no record of seed 99"),
        ("all --dry-run --gpus-per-training 2", "add --device cuda"),
        ("all --preset quick --seeds 0 0", "each once"),
        ("data {world}/own --train 3", "--train applies only to drawn tasks"),
        ("data edges2shoes --source {world}/own --size 64", "--size applies only to drawn tasks"),
        ("data {world}/own --source {world}/own", "own holds pictures of its own, and --source"),
        ("data housecats-dogs --imagenet {world}", "do not use ImageNet"),
        ("data drawn-shoes --pets {world}", "--pets has no effect on these pictures"),
        ("data dog-breeds --pets {world} --source y", "leave out --pets or --source"),
        ("data dog-breeds --attribute Smiling", "--attribute is for faces"),
        ("data edges2shoes --domains a b", "--domains is for class folders"),
        ("report --seeds 99 --results {root}/results", "no record of seed 99"),
        ("report --results typo", "typo/cpu/records.jsonl holds no records"),
        ("report --task {own}", "with the same --task and --set"),
        ("report --seeds 1 1", "give each once"),
        ("report --source faces=x --preset quick", "TASK=PATH with a task of drawn-cat-species"),
        ("demo --results typo --no-browser", "give a checkpoint"),
        ("demo {world}/a-file --no-browser", "a-file is no readable checkpoint"),
        ("translate {world}/run/last.safetensors {world}/own/testA --out out --size 33", "legal"),
        ("translate {world}/run/last.safetensors {world}/own/testA --out out --size big", "keep"),
        ("speed step --methods munot", "munit"),
        ("speed step --ways kernals", "did you mean kernels"),
        ("speed step --ways plain --each-way", "--ways all"),
        ("speed step --set size=64", "--size"),
        ("speed step --set perceptual=1", "VGG"),
        ("speed step --methods cyclegan --set depth=4", "depth=4 has no effect"),
        ("speed step --methods bicyclegan --size 64 --batch 1", "even"),
        ("speed step --precision half", "bf16"),
        ("speed translate --task edges2shoes", "drawn-shoes"),
        ("speed measure --protocol papers", "consecutive"),
        ("speed measure --size 4", "at least 8"),
        ("speed table", "speed all --quick"),
        ("results --columns id,metrc --results {root}/results", "did you mean metric?"),
        ("results --metric dversity --results {root}/results", "did you mean diversity?"),
        ("results --metric divers --results {root}/results", "did you mean diversity?"),
        ("results --method munti --results {root}/results", "did you mean munit?"),
        ("results --preset gpu --results {root}/results", "known: cpu"),
    ],
)
def test_words_that_do_not_fit_are_refused(words, told, world, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    own, train = f"{world}/own --no-progress", "--task drawn-shoes --preset quick --out run"
    assert told in refused(words.format(world=world, own=own, train=train, root=ROOT).split())
    assert list(tmp_path.iterdir()) == []
