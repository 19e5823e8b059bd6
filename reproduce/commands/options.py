"""Arguments that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.console import Help, at_least, path_of, sha256
from models.errors import UserError

if TYPE_CHECKING:  # imported late: --help and wrong arguments answer at once
    from reproduce.experiments.places import Places
    from reproduce.workflow.devices import How
    from reproduce.workflow.jobs import Request

Sub = argparse.ArgumentParser
PLACES = ("data", "runs", "results")
WEIGHTS = ("lpips-weights", "inception-weights", "inception-sha256")  # of commands that measure
PROTOCOL = ("scores", "protocol", "inputs")  # how, instead of what the preset says
MEASURING = (*PROTOCOL, "human", "task")  # and what


def task(word: str) -> str:
    """The type of an argument that names a task: its name, or a path."""
    try:
        return str(path_of(word))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


SHARED: dict[str, dict[str, Any]] = {
    "preset": {"default": "cpu",
        "help": "scale: quick, cpu, gpu, paper or a .yaml file of your own"},
    "set": {"action": "append", "default": [], "metavar": "KEY=VALUE", "dest": "settings",
        "help": "override any setting, e.g. --set steps=200; repeatable"},
    "seed": {"type": at_least(0), "default": 0, "help": "of weights, order, noise"},
    "seeds": {"type": at_least(0), "nargs": "+"},
    "data": {"type": Path, "default": Path("data"), "help": "where pictures are kept"},
    "runs": {"type": Path, "default": Path("runs"), "help": "where runs are kept"},
    "results": {"type": Path, "default": Path("results"), "help": "where results are kept"},
    "device": {"default": "cpu", "help": "cpu, cuda, or mps (Apple's GPUs; untested), whose lack of "
        "float64 leaves measuring to the processor"},
    "threads": {"type": at_least(0), "default": 0,
        "help": "CPU threads (default: torch's choice)"},
    "workers": {"type": at_least(0), "default": 0,
        "help": "processes that prepare a training's pictures (0: threads of its own), where a "
        "fast GPU waits for large ones (python -m reproduce speed data)"},
    "no-progress": {"action": "store_true", "help": "no progress bars"},
    "source": {"action": "append", "default": [], "metavar": "TASK=PATH",
        "help": "local archive or folder with a task's pictures; repeatable"},
    "lpips-weights": {"type": Path, "help": "AlexNet weights (.pth or .safetensors) instead of "
        "the ones that are installed"},
    "inception-weights": {"type": Path, "help": "Inception-v3 weights for real pictures: "
        "torch-fidelity's for FID, torchvision's for IS and CIS"},
    "inception-sha256": {"type": sha256, "metavar": "HEX",
        "help": "what those weights must hash to"},
    "scores": {"choices": ["none", "quality", "all"], "help": "beside diversity: nothing; "
        "quality, which is preference over MUNIT by an observer (drawn pictures) or a judge; or "
        "all, fidelity and exact scores too; instead of the preset's"},
    "protocol": {"help": "paper, consecutive or all-pairs, or one of these with -v0.1, instead "
        "of the preset's"},
    "inputs": {"type": at_least(2), "help": "measure this many test inputs instead of the "
        "preset's; the protocol's name tells"},
    "human": {"action": "append", "default": [], "metavar": "TASK=ANALYSIS.json",
        "help": "fill Quality from a human study's analysis; repeatable"},
    "task": {"action": "append", "type": task, "default": [], "metavar": "TASK", "dest": "tasks",
        "help": "this task, or folder of your own pictures, instead of the preset's; repeatable"},
}  # fmt: skip


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], **about: str
) -> argparse.ArgumentParser:
    """A command that calls ``run``; ``about``: its help, description and epilog."""
    sub: argparse.ArgumentParser = commands.add_parser(name, formatter_class=Help, **about)
    sub.set_defaults(run=run)
    return sub


def add(sub: Sub, *names: str, **told: Any) -> None:
    """Shared options, in this order; ``told``: what this command says of them in its own way."""
    for name in names:
        sub.add_argument(f"--{name}", **SHARED[name] | told)


def add_making(sub: Sub, stored: str = "") -> None:
    """Of commands that train and measure what they need: where, and how many jobs at a time.
    ``stored``: what is done from stored records alone, if asked to."""
    add(sub, "preset", "set", "device", *PLACES, "source", *WEIGHTS)
    instead = sub.add_mutually_exclusive_group()
    if stored:
        instead.add_argument("--stored", action="store_true",
            help=f"{stored} from stored records alone, without training")  # fmt: skip
    instead.add_argument("--dry-run", action="store_true",
        help="say what would be made, why, and how long it takes, and make nothing: pictures that must "
        "be sorted or unpacked to tell are so for as long as it takes")  # fmt: skip
    sub.set_defaults(run=partial(_leaving_nothing, sub.get_default("run")))
    sub.add_argument("--cores", type=at_least(0), default=0,
        help="of the processor, to use (default: all)")  # fmt: skip
    sub.add_argument("--jobs", type=at_least(0), default=0,
        help="trainings side by side (default: one a core, at most 4; with --device cuda one a "
        "GPU, each on its own)")  # fmt: skip
    add(sub, "threads", help="CPU threads of each job that measures (default: 1)")
    add(sub, "workers")
    sub.add_argument("--gpus-per-training", type=at_least(1), default=1, metavar="N",
        help="GPUs that share each training's batches")  # fmt: skip
    sub.add_argument("--plan", type=Path,
        help="only write the plan, for Snakemake by hand or on a cluster")  # fmt: skip
    sub.add_argument("--profile", metavar="DIR",
        help="a Snakemake profile: where jobs run, e.g. slurm (reproduce/workflow/CLUSTERS.md)")  # fmt: skip
    add(sub, "no-progress")


def _leaving_nothing(
    run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace
) -> int:
    """The command ``run``; a dry run sorts and unpacks pictures where they do not stay."""
    from benchmarks.files import check_folder, passing

    if not arguments.dry_run:
        return run(arguments)
    check_folder("--data", arguments.data, written=False)
    with passing(arguments.data) as arguments.data:
        return run(arguments)


def places_of(arguments: argparse.Namespace) -> Places:
    """The folders, the weights that measure, and a device that exists; the GPUs of other machines
    need not be here too."""
    from benchmarks.devices import check_device
    from benchmarks.files import check_folder
    from reproduce.experiments.places import Places

    told = vars(arguments)
    if told.get("inception_sha256") and not told.get("inception_weights"):
        raise UserError("--inception-sha256 is of --inception-weights: give them too")
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
    """The fields of a request that say which tasks are asked for, by name or path, each once; one's own
    pictures are opened, or with ``stored`` looked up in the records. Tasks that none of the ``tables``
    can hold are refused."""
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
                f"--task {word} is none of {whole}: use {', '.join(known)}, or pictures of your own"
                + (", sorted as train|test/<domain>/<class>" if 1 not in tables else "")
            )
        if spec.kind == "own":
            found["own"][spec.name] = {"paired": spec.paired, "domains": spec.domains}
        found["tasks"] = list(dict.fromkeys([*found["tasks"], spec.name]))
    return found


def by_task(option: str, words: Sequence[str], tasks: Iterable[str]) -> dict[str, str]:
    """``TASK=PATH`` arguments: an absolute path for each of the ``tasks`` that has one."""
    paths, known = {}, list(dict.fromkeys(tasks))
    for word in words:
        task, equals, path = word.partition("=")
        if not equals or task not in known:
            use = f"write TASK=PATH with a task of {', '.join(known)}" if known else "leave it out"
            raise UserError(f"--{option} {word}: {use}")
        if task in paths:
            raise UserError(f"--{option} {task} is given twice: give one of them")
        paths[task] = str(path_of(path).resolve())
    return paths


def request_of(
    arguments: argparse.Namespace, seeds: Sequence[int] | None, target: str = "", **more: Any
) -> Request:
    """What is asked for; without ``seeds`` of those on record, which tables and claims are over, else
    of 0. ``more``: its other fields."""
    from dataclasses import replace

    from reproduce.experiments.preset import TABLES
    from reproduce.experiments.run import parse_settings
    from reproduce.records.store import Records
    from reproduce.report.inputs import inputs_sha256
    from reproduce.workflow.jobs import Request

    places, told = places_of(arguments), vars(arguments)
    if told.get("tasks"):
        tables = [n for n in TABLES if target in (f"table/{n}", "claims", "report", "")]
        stored = told.get("stored", False) or not told.get("make", True)
        more |= tasks_of(told["tasks"], places, tables, stored=stored)
        if target == "claims" and more["own"]:
            raise UserError(
                "the papers claim nothing about pictures of your own: leave that --task out"
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
        raise UserError("--human is about the translations of one training: give its --seed alone")
    return replace(request, human=human, by_hand=inputs_sha256(results / preset.name))


def measuring_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a request that ``PROTOCOL`` asks for."""
    if "protocol" not in arguments:
        return {}
    from benchmarks.metrics.diversity_protocols import get_protocol

    told = {key: getattr(arguments, key) for key in ("inputs", "protocol")}
    measuring = {key: value for key, value in told.items() if value is not None}
    if "protocol" in measuring:  # at its own number of samples
        measuring["samples"] = get_protocol(measuring["protocol"]).samples
    return {"measuring": measuring, "scores": arguments.scores}


def how_of(arguments: argparse.Namespace) -> How:
    """How jobs are run; what they make must have a place."""
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
    from reproduce.workflow.devices import How

    return How(
        arguments.cores, arguments.jobs, arguments.gpus_per_training, arguments.threads,
        arguments.dry_run, arguments.profile, arguments.plan,
    )  # fmt: skip
