"""What the commands of ``python -m reproduce`` do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from models.choices import ways_of
from models.errors import UserError
from reproduce.commands.cli import resume_hint
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import parse_settings
from reproduce.training.devices import check_device


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    return dict(parse_settings(arguments.settings))


def _resolved(source: Path | None) -> str:
    return "" if source is None else str(source.resolve())


def train(arguments: argparse.Namespace) -> int:
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import FAILED, Interrupted, Logging
    from reproduce.training.session import train as go
    from reproduce.training.trainer import NonFiniteLoss

    device = check_device(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    preset = load_preset(arguments.preset)
    run = preset.make_run(
        arguments.method, arguments.task, arguments.seed, _overrides(arguments),
        _resolved(arguments.source),
    )  # fmt: skip
    logging = Logging(
        save_every=arguments.save_every,
        sample_every=arguments.sample_every,
        progress=not arguments.no_progress,
    )
    try:
        path = go(
            run, arguments.out, data_dir=arguments.data, device=device, resume=arguments.resume,
            logging=logging, vgg=arguments.vgg, ways=ways_of(arguments.ways),
            workers=arguments.workers,
        )  # fmt: skip
    except Interrupted as stop:
        again = resume_hint(arguments.words)
        print(f"saved after step {stop.step}; to go on: {again}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        again = resume_hint(arguments.words)
        print(f"stopped at once; to go on from the last checkpoint: {again}", file=sys.stderr)
        return 130
    except (NonFiniteLoss, NonFiniteWeight) as error:
        print(
            f"error: {error}: training stopped; the weights and the batch that led to it are in "
            f"{arguments.out / FAILED}; try a lower lr", file=sys.stderr,
        )  # fmt: skip
        return 1
    print(path)
    return 0


def translate(arguments: argparse.Namespace) -> int:
    from reproduce.tasks.pictures import Preparation
    from reproduce.training.checkpoints import load_method
    from reproduce.training.translate import (
        guided,
        open_inputs,
        parse_direction,
        save_grid,
        stream,
        write_translations,
    )

    direction = parse_direction(arguments.direction)
    method, read = load_method(arguments.checkpoint, check_device(arguments.device))
    if direction not in method.directions:
        raise UserError(f"{read.run.method} translates {' and '.join(method.directions)} only")
    if (method.config.channels_a, method.config.channels_b) != (3, 3):
        raise UserError(f"{arguments.checkpoint} is of a network for other pictures than RGB")
    source, preparation = open_inputs(arguments.inputs), Preparation(read.run.size)
    for i in range(len(source)):
        source.read(i)  # what cannot be read is told before anything is written
    folder = arguments.inputs.resolve()
    if folder.is_dir() and folder in (arguments.out.resolve(), *arguments.out.resolve().parents):
        raise UserError(
            f"--out {arguments.out} lies in the inputs' folder, where translations would be "
            "inputs the next time: choose another --out"
        )
    if arguments.example is not None:
        examples = open_inputs(arguments.example)
        columns = len(examples)
        pictures = guided(method, source, examples, preparation, direction)
    else:
        columns = arguments.samples
        pictures = stream(
            method, source, preparation, samples=columns, direction=direction, seed=arguments.seed
        )
    suffix = "example" if arguments.example else "sample"
    written = write_translations(
        pictures, arguments.out, len(source) * columns, suffix=suffix,
        progress=not arguments.no_progress,
    )  # fmt: skip
    grid = arguments.out / "grid.png"
    save_grid(source, preparation, written, columns, grid)
    print(f"{len(written)} translations and {grid.name} in {arguments.out}")
    return 0


def data(arguments: argparse.Namespace) -> int:
    from reproduce.tasks.modes import open_modes, truth_folder
    from reproduce.tasks.registry import keep_source, open_task
    from reproduce.tasks.sorting import AS_NAMED, Sorting

    sorting = Sorting(
        domains=tuple(arguments.domains) if arguments.domains else None,
        pets=arguments.pets, imagenet=arguments.imagenet, attribute=arguments.attribute,
    )  # fmt: skip
    domains = open_task(
        arguments.task, data_dir=arguments.data, size=arguments.size, train=arguments.train,
        test=arguments.test, source=arguments.source, sorting=sorting,
        progress=not arguments.no_progress,
    )  # fmt: skip
    if arguments.source is not None or sorting != AS_NAMED:
        keep_source(arguments.task, domains.folder, arguments.data)
    for split, source in domains.splits().items():
        print(f"{split}: {len(source)} pictures")
    if truth_folder(domains.folder).is_dir():
        modes = open_modes(domains.folder)
        for domain, names in modes.names.items():
            print(f"modes of {modes.titles[domain]}: {', '.join(names)}")
    print(domains.folder)
    return 0


def convert(arguments: argparse.Namespace) -> int:
    from reproduce.training.originals import export_original, import_original

    if arguments.checkpoint.suffix == ".safetensors":
        written = export_original(arguments.checkpoint, arguments.out)
    elif arguments.method is None:
        raise UserError(
            "say what the file holds: --method munit, unit-release, cyclegan, bicyclegan"
        )
    else:
        written = import_original(
            arguments.checkpoint, arguments.method, arguments.out, arguments.size
        )
    for path in written:
        print(path)
    return 0
