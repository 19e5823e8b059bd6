"""Arguments shared by several commands, and their interpretation."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.console import Help, at_least, path_of, sha256, type_of
from models.errors import UserError

if TYPE_CHECKING:  # imported late, so that --help and wrong arguments answer at once
    from reproduce.experiments.places import Places
    from reproduce.workflow.jobs import Request

Sub = argparse.ArgumentParser
PLACES = ("data", "runs", "results")
WEIGHTS = ("lpips-weights", "inception-weights", "inception-sha256")  # of commands that measure
PROTOCOL = ("scores", "protocol", "inputs")  # override how the preset measures
MEASURING = (*PROTOCOL, "human", "task")  # and what


def task(word: str) -> str:
    """Argument type of a task: its name, or a path."""
    return str(type_of(path_of)(word))


SHARED: dict[str, dict[str, Any]] = {
    "preset": {"default": "cpu",
        "help": "quick, cpu, showcase, gpu, paper, or your own .yaml file"},
    "set": {"action": "append", "default": [], "metavar": "KEY=VALUE", "dest": "settings",
        "help": "override any setting, e.g. --set steps=200; repeatable"},
    "seed": {"type": at_least(0), "default": 0, "help": "random seed of weights, data order and noise"},
    "seeds": {"type": at_least(0), "nargs": "+"},
    "data": {"type": Path, "default": Path("data"), "help": "folder of the pictures"},
    "runs": {"type": Path, "default": Path("runs"), "help": "folder of the runs"},
    "results": {"type": Path, "default": Path("results"), "help": "folder of the results"},
    "device": {"default": "cpu", "help": "cpu, cuda, or mps (Apple GPUs; untested; measures on the CPU, "
        "since mps lacks float64)"},
    "threads": {"type": at_least(0), "default": 0,
        "help": "CPU threads (default: chosen by PyTorch)"},
    "workers": {"type": at_least(0), "default": 0,
        "help": "data loader processes of each training (0: threads instead); use some where the GPU "
        "waits for pictures, as python -m reproduce speed data shows"},
    "no-progress": {"action": "store_true", "help": "hide progress bars"},
    "source": {"action": "append", "default": [], "metavar": "TASK=PATH",
        "help": "local archive or folder with a task's pictures; repeatable"},
    "lpips-weights": {"type": Path, "help": "AlexNet weights for LPIPS (.pth or .safetensors), instead "
        "of the installed ones"},
    "inception-weights": {"type": Path, "help": "Inception-v3 weights for real pictures: "
        "torch-fidelity's for FID, torchvision's for IS and CIS"},
    "inception-sha256": {"type": sha256, "metavar": "HEX",
        "help": "expected SHA-256 of --inception-weights, or its first digits"},
    "scores": {"choices": ["none", "quality", "all"], "help": "metrics beside diversity: none; quality "
        "(preference over MUNIT, by an observer of drawn pictures or a judge of photographs); or all "
        "(also fidelity and exact scores) (default: the preset's)"},
    "protocol": {"help": "diversity protocol: paper, consecutive or all-pairs, or one of these with "
        "-v0.1 (LPIPS 0.1) (default: the preset's)"},
    "inputs": {"type": at_least(2), "help": "number of test inputs to measure; the protocol's name "
        "shows it (default: the preset's)"},
    "human": {"action": "append", "default": [], "metavar": "TASK=ANALYSIS.json",
        "help": "fill Quality from the analysis of a human study; repeatable"},
    "task": {"action": "append", "type": task, "default": [], "metavar": "TASK", "dest": "tasks",
        "help": "task, or folder of your own pictures, instead of the preset's tasks; repeatable"},
}  # fmt: skip


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], **about: str
) -> argparse.ArgumentParser:
    """Add a command that calls ``run``; ``about``: its help, description and epilog."""
    sub: argparse.ArgumentParser = commands.add_parser(name, formatter_class=Help, **about)
    sub.set_defaults(run=run)
    return sub


def add(sub: Sub, *names: str, **told: Any) -> None:
    """Add shared options in this order; ``told`` overrides their settings, such as the help."""
    for name in names:
        sub.add_argument(f"--{name}", **SHARED[name] | told)


def add_making(sub: Sub, stored: str = "") -> None:
    """Add the options of commands that train and measure: folders, weights, devices, parallel jobs.
    ``stored``: what --stored does; without it the command has no such option."""
    add(sub, "preset", "set", "device", *PLACES, "source", *WEIGHTS)
    instead = sub.add_mutually_exclusive_group()
    if stored:
        instead.add_argument("--stored", action="store_true",
            help=f"{stored} from stored records, without training")  # fmt: skip
    instead.add_argument("--dry-run", action="store_true",
        help="list what would be made, why, and how long it would take; make nothing (pictures that "
        "must be sorted or unpacked for this go to a temporary folder)")  # fmt: skip
    sub.set_defaults(run=partial(_leaving_nothing, sub.get_default("run")))
    sub.add_argument("--cores", type=at_least(0), default=0,
        help="CPU cores to use (default: all)")  # fmt: skip
    sub.add_argument("--jobs", type=at_least(0), default=0,
        help="trainings at a time (default: one per core, at most 4; with --device cuda one per GPU, "
        "each on its own)")  # fmt: skip
    add(sub, "threads", help="CPU threads of other jobs (default: 1, on a cluster at most 4)")
    add(sub, "workers")
    sub.add_argument("--gpus-per-training", type=at_least(1), default=1, metavar="N",
        help="GPUs among which each training splits its batches")  # fmt: skip
    sub.add_argument("--plan", type=Path,
        help="only write the plan to this file, to run Snakemake yourself")  # fmt: skip
    sub.add_argument("--profile", metavar="DIR",
        help="Snakemake profile: where jobs run, e.g. slurm (reproduce/workflow/CLUSTERS.md)")  # fmt: skip
    add(sub, "no-progress")


def _leaving_nothing(
    run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace
) -> int:
    """Run the command ``run``; a dry run sorts and unpacks pictures in a temporary folder."""
    from benchmarks.files import check_folder, passing

    if not arguments.dry_run:
        return run(arguments)
    check_folder("--data", arguments.data, written=False)
    with passing(arguments.data) as arguments.data:
        return run(arguments)


def places_of(arguments: argparse.Namespace) -> Places:
    """Read the folders, the weights of metrics and the device, which must exist unless the jobs run
    on other machines."""
    from benchmarks.devices import check_device
    from benchmarks.files import check_folder
    from reproduce.experiments.places import Places

    told = vars(arguments)
    if told.get("inception_sha256") and not told.get("inception_weights"):
        raise UserError("--inception-sha256 needs --inception-weights: give both")
    for name in {*PLACES} & {*told}:
        check_folder(f"--{name}", told[name], written=False)
    elsewhere = told.get("profile") is not None or told.get("plan") is not None
    device: str = arguments.device
    return Places(
        arguments.data, arguments.runs, arguments.results,
        device if elsewhere and device == "cuda" else check_device(device),
        progress=not arguments.no_progress, lpips_path=told.get("lpips_weights"),
        inception_path=told.get("inception_weights"),
        inception_sha256=told.get("inception_sha256"), workers=told.get("workers", 0),
    )  # fmt: skip


def tasks_of(
    words: Sequence[str], places: Places, tables: Sequence[int] = (), *, stored: bool = False
) -> dict[str, Any]:
    """The fields of a request that name its tasks, given by name or path, without duplicates. The
    user's own pictures are opened, or with ``stored`` looked up in the records. Raises UserError for
    tasks that fit none of the ``tables``."""
    from reproduce.experiments.preset import fitting
    from reproduce.tasks.own import own_on_record, own_task
    from reproduce.tasks.registry import TASKS, is_own

    found: dict[str, Any] = {"tasks": [], "own": {}, "sources": {}}
    whole = " or ".join(f"table {number}" for number in tables)
    for word in words:
        if word in TASKS:
            spec = TASKS[word]
        elif stored and is_own(word) and (told := own_on_record(word, places.results)):
            spec = told
        else:
            spec, folder = own_task(word, places.data, progress=places.progress)
            found["sources"][spec.name] = str(folder)
        if tables and not {*spec.tables} & {*tables}:
            known = [name for number in tables for name in fitting(number)]
            raise UserError(
                f"--task {word} does not fit {whole}: use {', '.join(known)}, or your own pictures"
                + (", sorted as train|test/<domain>/<class>" if 1 not in tables else "")
            )
        if spec.kind == "own":
            found["own"][spec.name] = {"paired": spec.paired, "domains": spec.domains}
        found["tasks"] = list(dict.fromkeys([*found["tasks"], spec.name]))
    return found


def by_task(option: str, words: Sequence[str], tasks: Iterable[str]) -> dict[str, str]:
    """Parse ``TASK=PATH`` arguments: an absolute path for each of the ``tasks`` that has one."""
    paths, known = {}, list(dict.fromkeys(tasks))
    for word in words:
        task, equals, path = word.partition("=")
        if not equals or task not in known:
            use = f"write TASK=PATH with a task of {', '.join(known)}" if known else "leave it out"
            raise UserError(f"--{option} {word}: {use}")
        if task in paths:
            raise UserError(f"--{option} {task} is given twice: give only one path")
        paths[task] = str(path_of(path).resolve())
    return paths


def request_of(
    arguments: argparse.Namespace, seeds: Sequence[int] | None, target: str = "", **more: Any
) -> Request:
    """The request that the arguments describe. Default ``seeds``: those with records, else 0.
    ``more``: other fields of the request."""
    from dataclasses import replace

    from reproduce.experiments.preset import TABLES
    from reproduce.experiments.run import parse_settings
    from reproduce.records.store import Records
    from reproduce.report.inputs import inputs_sha256
    from reproduce.workflow.jobs import Request

    if seeds and len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {' '.join(map(str, seeds))}: give each once")
    places, told = places_of(arguments), vars(arguments)
    if told.get("tasks"):
        tables = [n for n in TABLES if target in (f"table/{n}", "claims", "report", "")]
        stored = told.get("stored", False) or not told.get("make", True)
        more |= tasks_of(told["tasks"], places, tables, stored=stored)
        if target == "claims" and more["own"]:
            raise UserError(
                "the papers make no claims about your own pictures: leave that --task out"
            )
    request = Request(
        arguments.preset, places, seeds or [0], target,
        overrides=parse_settings(arguments.settings), **measuring_of(arguments), **more,
    )  # fmt: skip
    preset, results = request.scale, request.places.results
    named = {*preset.figures.values(), *(task for of in preset.tables.values() for task in of)}
    named = named if request.ablation is None else {*request.tasks}
    sources = by_task("source", arguments.source, sorted(named - {*preset.own}))
    request = replace(request, sources={**request.sources, **sources})
    if request.ablation is not None:
        return request
    if seeds is None:
        known = {int(record["seed"]) for record in Records(results, preset.name).all()}
        request = replace(request, seeds=sorted(known) or [0])
    human = by_task("human", getattr(arguments, "human", []), preset.tables.get(1, []))
    if human and len(request.seeds) > 1:
        raise UserError("--human rates the translations of one training: give only its --seed")
    return replace(request, human=human, by_hand=inputs_sha256(results / preset.name))


def measuring_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a request that the ``PROTOCOL`` options set."""
    if "protocol" not in arguments:
        return {}
    from benchmarks.metrics.diversity_protocols import get_protocol

    told = {key: getattr(arguments, key) for key in ("inputs", "protocol")}
    measuring = {key: value for key, value in told.items() if value is not None}
    if "protocol" in measuring:  # which has its own number of samples
        measuring["samples"] = get_protocol(measuring["protocol"]).samples
    return {"measuring": measuring, "scores": arguments.scores}


def make(arguments: argparse.Namespace, request: Request) -> int | None:
    """Make what is missing or stale of a request (``workflow.run.make``), with the options of
    ``add_making``. Raises UserError where the jobs' outputs cannot be written."""
    from benchmarks.files import check_folder, check_place

    if arguments.gpus_per_training > 1 and not arguments.device.startswith("cuda"):
        raise UserError(
            f"--gpus-per-training {arguments.gpus_per_training} with --device {arguments.device}: "
            "add --device cuda"
        )
    for name in ("runs", "results"):
        check_folder(f"--{name}", getattr(arguments, name))
    if arguments.plan is not None:
        check_place(arguments.plan)
    if arguments.profile is not None:
        from reproduce.workflow.cluster_profile import profile_path

        profile_path(arguments.profile)
    from reproduce.workflow import run
    from reproduce.workflow.devices import How

    how = How(
        arguments.cores, arguments.jobs, arguments.gpus_per_training, arguments.threads,
        arguments.dry_run, arguments.profile, arguments.plan,
    )  # fmt: skip
    return run.make(request, how)
