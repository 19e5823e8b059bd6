"""Every example that a ``--help`` prints and every command of a README runs: on tiny pictures and for
a step, as far as its plan where it takes hours, or up to the refusal of what is not here."""

import argparse
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from test_readme import PAGES

from benchmarks.__main__ import main as benchmarks_main
from benchmarks.__main__ import parser as benchmarks_parser
from reproduce.commands.cli import main, parser
from reproduce.speed import store

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = {"reproduce": (main, parser), "benchmarks": (benchmarks_main, benchmarks_parser)}
# Downloads, servers, and hours without a plan: their arguments are right.
ONLY_PARSED = (
    "data cifar", "data edges2shoes", "table 2 --preset cpu --task cifar", "fidelity", "demo", "study serve", "store --small-run",
)  # fmt: skip
# What is not here, and what is said then.
REFUSED = {
    "--row": "has no outputs for table 1", "path/to/celeba": "does not exist", "path/to/imagenet": "is not a folder",
    "oxford-iiit-pet": "is not a folder", "path/to/sorted": "path/to/sorted", "edges2shoes.tar.gz": "edges2shoes",
    "rerun": "no record", "store --preset": "is not the network", "Batch_123": "Batch_123", "--human": "analysis.json",
    "analyse": "no votes yet", ".pt --method": "no file",
    "--from": "other networks", "--range": "no picture of more than 8 bits",
}  # fmt: skip
MAKES = ("table", "figure", "all", "ablate")
CLASSIFIER = """def classify(pictures):
    import torch
    brightness = pictures.mean((1, 2, 3)) / 2 + 0.5
    return torch.stack([brightness, 1 - brightness], 1)
"""


def every(one: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield one
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from every(sub)


def examples() -> list[str]:
    """Each once, without ``python -m``."""
    texts = [one.epilog or "" for _, make in PROGRAMS.values() for one in every(make())]
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        texts += re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(texts).replace("\\\n", " ").splitlines()
    found = [match[1] for line in lines if (match := re.search(r"python -m ((?:re|be).*)", line))]
    return list(dict.fromkeys(shlex.join(shlex.split(line, comments=True)) for line in found))


@pytest.fixture(scope="module")
def world(studied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples name: pictures, checkpoints, translations, a study, stored records."""
    folder = tmp_path_factory.mktemp("world")
    shown = "data/drawn-shoes-32px-seed0-4000x200"
    for place in (".", "path/to/folder", "data/mine"):
        shutil.copytree(studied / "own", folder / place, dirs_exist_ok=True)
    for place in ("edges", "path/to/edges", f"{shown}/testA"):
        shutil.copytree(studied / "own/testA", folder / place)
    shutil.copytree(studied / "own/testB", folder / shown / "testB")
    for name in ("red_shoe.png", "a.png", "b.png"):
        tiny.picture(folder / name, (200, len(name) * 20, 30), size=64)
    of_table = (f"cpu/drawn-shoes/{method}-seed0" for method in ("munit", "unit"))
    for run in ("a", "mine", "unit", "bags", *of_table):
        shutil.copytree(studied / "run", folder / "runs" / run)
    for name, made in {"mine": "munit", "munit": "munit", "unit": "unit"}.items():
        shutil.copytree(studied / "out" / made, folder / "out" / name)
    draws = np.random.default_rng(0)
    np.savez(folder / "out/munit.npz", draws.integers(0, 256, (4, 2, 32, 32, 3), dtype=np.uint8))
    (folder / "mine.py").write_text(CLASSIFIER)
    for stored in ("cpu", "speed"):
        (folder / "results" / stored).mkdir(parents=True)
        for path in (ROOT / "results" / stored).glob("*.*"):
            shutil.copy(path, folder / "results" / stored)
    return folder


def small(words: list[str], out: Path) -> list[str]:
    """The words of the same command for less of it."""
    command = words[0]
    if command in MAKES and not {"--stored", "--dry-run", "--plan"} & {*words}:
        few = ["--set=batch=2", *(["--inputs=4"] if command == "table" else [])]
        return [*words, "--dry-run", *(few if "path/to/folder" in words else [])]
    if command == "train":
        rest = [w for w in " ".join(words).replace("--set steps=5000 ", "").split()]
        drawn = ["--set=train=4", "--set=test=2"] if "drawn" in " ".join(words) else []
        rest = tiny.instead(rest, "--out", str(out))
        return [*rest, "--set=steps=1", "--set=batch=2", *drawn, "--no-progress"]
    if command == "data" and "--train" in words:
        return tiny.instead(tiny.instead([*words, "--test", "2"], "--size", "32"), "--train", "2")
    if command == "inputs":
        return [*words, "--set=train=2", "--set=test=2", "--inputs=2"]
    if words[:2] == ["study", "prepare"]:
        return [*words, "--questions=2", "--raters=1", "--per-rater=2", "--catch=0"]
    return words


def test_help_of_every_command_has_an_example():
    for program, (_, make) in PROGRAMS.items():
        for name, command in make()._subparsers._group_actions[0].choices.items():
            of_all = " ".join(one.epilog or "" for one in every(command))
            assert name == "step" or f"python -m {program} {name}" in of_all  # for Snakemake


@pytest.mark.parametrize("example", examples())
def test_it_runs(example, world, studied, monkeypatch, capsys, tmp_path):
    program, *words = shlex.split(example)
    run, make = PROGRAMS[program]
    line = " ".join(words)
    if line.startswith(ONLY_PARSED):
        assert make().parse_args(words).run
        return
    shutil.rmtree(world / "study", ignore_errors=True)
    if words[0] == "study" and words[1] != "prepare":
        shutil.copytree(studied / "study", world / "study")
    monkeypatch.chdir(world)
    monkeypatch.syspath_prepend(world)
    planned = list[object]()
    monkeypatch.setattr(store, "take", lambda found, *_, **__: (planned.extend(found) or [], []))
    code = run(small(words, tmp_path / "run"))
    error = capsys.readouterr().err
    here = "cuda" in words and not {"--profile", "--plan"} & {*words}
    no_gpu = here and not torch.cuda.is_available()
    told = "use --device cpu" if no_gpu else next((t for k, t in REFUSED.items() if k in line), "")
    assert code == (2 if told else 0), error
    assert told in error
    if words[0] == "speed" and words[1] not in ("table", "plot") and not told:
        assert planned
