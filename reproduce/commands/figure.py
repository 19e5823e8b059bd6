"""``python -m reproduce figure``: draw figures of the UNIT paper."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproduce.commands import options

if TYPE_CHECKING:
    from reproduce.workflow.jobs import Request


def add(commands: Any) -> None:
    sub = options.command(
        commands, "figure", run, help="train what is missing; draw the UNIT paper's figures",
        description="Draw figures of the UNIT paper: test inputs, evenly spaced over the test set, and "
        "their translations in both directions. Figure 4 shows dog breeds, 5 cat species, 6 faces "
        "without and with an attribute: drawn stand-ins, or photographs with --preset paper "
        "(5 needs ImageNet: run data cat-species --imagenet PATH once).",
        epilog="examples:\n  python -m reproduce figure 4 --preset quick\n"
        "  python -m reproduce figure 4 5 6 --preset cpu\n"
        "  python -m reproduce figure 6 --preset paper --device cuda --attribute Smiling "
        "--source faces=path/to/celeba\n  python -m reproduce figure 4 --preset quick --task path/to/folder",
    )  # fmt: skip
    sub.add_argument("numbers", type=int, nargs="+", metavar="NUMBER",
        help="the UNIT paper's figures: 4, 5, 6")  # fmt: skip
    options.add(sub, "seed")
    options.add_making(sub)
    sub.add_argument("--task", type=options.task, nargs=1, default=[], metavar="TASK", dest="tasks",
        help="task, or folder of your own pictures, instead of the figure's task")  # fmt: skip
    sub.add_argument("--attribute",
        help="CelebA attribute that domain b of faces has; runs and results get a separate folder "
        "(default: the one given to the command data, else Blond_Hair)")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    # Another attribute divides the faces into other domains, so runs and results get another name.
    marks = {} if arguments.attribute is None else {"attribute": arguments.attribute}
    request = options.request_of(
        arguments, [arguments.seed], "unit-figure", figures=arguments.numbers, marks=marks
    )
    if marks:
        divided = _divided(request, arguments.attribute, download=not arguments.dry_run)
        request = replace(request, sources=divided)
    if options.make(arguments, request) is None:
        return 0
    for number in arguments.numbers:
        print(request.places.results / request.scale.name / f"unit-figure{number}.png")
    return 0


def _divided(request: Request, attribute: str, download: bool) -> dict[str, str]:
    """Map each task to the folder of its pictures, sorted by ``attribute``; without ``download`` only
    tasks whose pictures exist. Raises UserError, before sorting, if a task has no attributes."""
    from reproduce.tasks.celeba import celeba_root
    from reproduce.tasks.registry import TASKS, open_task
    from reproduce.tasks.sorting import Sorting, refuse_unread
    from reproduce.training.trained import check_runs

    sorting, preset = Sorting(attribute=attribute), request.scale
    _, by_number = preset.all_runs(request.seeds[0], request.overrides, request.sources)
    runs = {run.task: run for run in by_number.values()}
    check_runs(preset, list(runs.values()))
    sources = {task: Path(run.source) if run.source else None for task, run in runs.items()}
    for task in runs:
        refuse_unread(task, TASKS.get(task), sources[task], sorting)
    return {
        task: str(
            open_task(
                task, data_dir=request.places.data, size=run.size, source=sources[task],
                sorting=sorting, progress=request.places.progress,
            ).folder.resolve()
        )
        for task, run in runs.items()
        if download or sources[task] or celeba_root(request.places.data / "downloads")
    }  # fmt: skip
