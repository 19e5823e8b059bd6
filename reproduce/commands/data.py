"""``python -m reproduce data``: prepare the pictures of a task."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from models.errors import UserError
from reproduce.commands import options

DRAWN = {
    "size": (32, "side in pixels"), "train": (4000, "training pictures per domain"),
    "test": (200, "test pairs"),
}  # fmt: skip


def add(commands: Any) -> None:
    sub = options.command(
        commands, "data", run, help="draw, download or sort the pictures of a task",
        epilog="examples:\n  python -m reproduce data drawn-shoes --size 256 --train 1000\n"
        "  python -m reproduce data cifar-animals-vehicles\n"
        "  python -m reproduce data housecats-bigcats --imagenet path/to/imagenet\n"
        "  python -m reproduce data path/to/sorted --domains cats dogs",
    )  # fmt: skip
    sub.add_argument("task", help="name of a task, or a folder of pictures")
    options.add(sub, "data")
    sub.add_argument("--source", type=Path,
        help="local archive or folder with the pictures (two domains, train|test/<domain>/<class>, or "
        "a data set's own layout); later commands find them")  # fmt: skip
    sub.add_argument("--pets", type=Path,
        help="local copy of Oxford-IIIT Pet, for house cats and dogs (default: download)")  # fmt: skip
    sub.add_argument("--imagenet", type=Path,
        help="local folder of ImageNet's synsets, for big cats")  # fmt: skip
    sub.add_argument("--attribute",
        help="CelebA attribute that domain b of faces has (default: Blond_Hair)")  # fmt: skip
    sub.add_argument("--domains", nargs=2, metavar=("A", "B"),
        help="two domains of a folder that has more; the folder to use as --task is printed")  # fmt: skip
    sub.add_argument("--range", type=float, nargs=2, metavar=("BLACK", "WHITE"),
        help="grey values of black and white in pictures of more than 8 bits that use only a part of "
        "their range, e.g. 0 4095: an 8-bit copy in the data folder is used instead")  # fmt: skip
    for name, (number, what) in DRAWN.items():
        sub.add_argument(f"--{name}", type=at_least(1),
            help=f"{what}, for drawn tasks (default: {number})")  # fmt: skip
    options.add(sub, "no-progress")


def run(arguments: argparse.Namespace) -> int:
    from reproduce.tasks.modes import open_modes, truth_folder
    from reproduce.tasks.registry import keep_source, open_task
    from reproduce.tasks.sorting import AS_NAMED, Sorting
    from reproduce.tasks.specs import TASKS

    numbers = {name: getattr(arguments, name) for name in DRAWN}
    spec = TASKS.get(arguments.task)
    given = [f"--{name}" for name, number in numbers.items() if number is not None]
    if given and (arguments.source is not None or spec is None or not spec.drawn):
        raise UserError(f"{given[0]} applies only to drawn tasks: leave it out")
    for name in ("pets", "imagenet"):  # before anything else is downloaded
        local = getattr(arguments, name)
        if local is not None and not local.is_dir():
            raise UserError(f"--{name} {local} is not a folder: give the unpacked one")
    sorting = Sorting(
        domains=tuple(arguments.domains) if arguments.domains else None,
        pets=arguments.pets, imagenet=arguments.imagenet, attribute=arguments.attribute,
    )  # fmt: skip
    task, source = arguments.task, arguments.source
    if arguments.range is not None:
        from reproduce.tasks.scaled import scaled_copy

        folder = Path(task) if source is None else source
        if not folder.is_dir() or (source is None and spec is not None):
            raise UserError("--range needs a folder of pictures: give it as task or --source")
        progress = not arguments.no_progress
        folder = scaled_copy(folder, arguments.data, *arguments.range, progress=progress)
        task, source = (str(folder), None) if source is None else (task, folder)
    domains = open_task(
        task, data_dir=arguments.data, source=source, sorting=sorting,
        progress=not arguments.no_progress,
        **{name: numbers[name] or default for name, (default, _) in DRAWN.items()},
    )  # fmt: skip
    if arguments.source is not None or sorting != AS_NAMED:
        keep_source(task, domains.folder, arguments.data)
    for split, source in domains.splits().items():
        print(f"{split}: {len(source)} pictures")
    if truth_folder(domains.folder).is_dir():
        modes = open_modes(domains.folder)
        for domain, names in modes.names.items():
            print(f"modes of {modes.titles[domain]}: {', '.join(names)}")
    print(domains.folder)
    return 0
