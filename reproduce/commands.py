"""What the commands of ``python -m reproduce`` do."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from models.errors import UserError
from reproduce.cli import default_jobs, resume_hint
from reproduce.experiments import TABLES, load_preset
from reproduce.runs import RunConfig, parse_settings


def check_device(name: str) -> str:
    """A device that exists; UserError otherwise."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device '{name}': use cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError("no GPU is available to PyTorch: use --device cpu")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}' is not supported: use cpu or cuda")
    return name


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    return dict(parse_settings(arguments.settings))


def _with_source(run: RunConfig, source: Path | None) -> RunConfig:
    return replace(run, source=str(source.resolve())) if source else run


def train(arguments: argparse.Namespace) -> int:
    from reproduce.trainer import NonFiniteLoss
    from reproduce.training import Interrupted, Logging
    from reproduce.training import train as go

    device = check_device(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    preset = load_preset(arguments.preset)
    run = preset.make_run(arguments.method, arguments.task, arguments.seed, _overrides(arguments))
    for flag in ("save_every", "sample_every"):
        if getattr(arguments, flag) < 1:
            raise UserError(f"--{flag.replace('_', '-')} must be at least 1")
    logging = Logging(
        save_every=arguments.save_every,
        sample_every=arguments.sample_every,
        progress=not arguments.no_progress,
    )
    try:
        path = go(
            _with_source(run, arguments.source), arguments.out, data_dir=arguments.data,
            device=device, resume=arguments.resume, logging=logging, vgg=arguments.vgg,
        )  # fmt: skip
    except Interrupted as stop:
        print(f"saved after step {stop.step}; to go on: {resume_hint()}", file=sys.stderr)
        return 130
    except NonFiniteLoss as error:
        print(
            f"error: {error}: training stopped; the weights before that step and its batch are in "
            f"{arguments.out / 'failed.safetensors'}; try a lower lr", file=sys.stderr,
        )  # fmt: skip
        return 1
    print(path)
    return 0


def translate(arguments: argparse.Namespace) -> int:
    from reproduce.checkpoints import load_method
    from reproduce.tasks.pictures import Preparation
    from reproduce.translate import (
        guided,
        open_inputs,
        parse_direction,
        save_grid,
        stream,
        write_translations,
    )

    direction = parse_direction(arguments.direction)
    if arguments.samples < 1:
        raise UserError(f"--samples {arguments.samples}: use at least 1")
    method, read = load_method(arguments.checkpoint, check_device(arguments.device))
    if direction not in method.directions:
        raise UserError(f"{read.run.method} translates {' and '.join(method.directions)} only")
    source, preparation = open_inputs(arguments.inputs), Preparation(read.run.size)
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
    from reproduce.tasks.registry import open_task

    for name in ("size", "train", "test"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name} must be at least 1")
    domains = open_task(
        arguments.task, data_dir=arguments.data, size=arguments.size, train=arguments.train,
        test=arguments.test, source=arguments.source, progress=not arguments.no_progress,
    )  # fmt: skip
    for split, source in domains.splits().items():
        print(f"{split}: {len(source)} pictures")
    print(domains.folder)
    return 0


def convert(arguments: argparse.Namespace) -> int:
    from reproduce.convert import export_original, import_original

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


def table(arguments: argparse.Namespace) -> int:
    from reproduce.figures import comparison
    from reproduce.measure import REAL, Places, measure_real, measure_run, set_threads
    from reproduce.pipeline import checkpoint_of, train_missing
    from reproduce.results import Records
    from reproduce.tables import markdown, table1, write_table

    if arguments.number not in TABLES:
        raise UserError(f"no table {arguments.number} here: known: {', '.join(map(str, TABLES))}")
    preset = load_preset(arguments.preset)
    runs = [
        _with_source(run, arguments.source)
        for run in preset.table_runs(arguments.number, arguments.seed, _overrides(arguments))
    ]
    places = Places(
        arguments.data, arguments.runs, arguments.results, check_device(arguments.device),
        arguments.lpips_weights, not arguments.no_progress,
    )  # fmt: skip
    found: dict[tuple[str, str], dict[str, dict[str, object]]] = {}
    if arguments.stored:
        for record in Records(places.results, preset.name).all():
            if record["seed"] == arguments.seed:
                key = record["task"], record["method"]
                found.setdefault(key, {})[record["metric"]] = record
        print(markdown(table1(preset, found)))
        return 0

    jobs = default_jobs(arguments.jobs, places.device)
    train_missing(preset, runs, places, jobs=jobs, arguments=_passed_on(arguments))
    set_threads(arguments.threads)
    for run in runs:
        checkpoint = checkpoint_of(preset, run, places)
        found[run.task, run.method] = measure_run(preset, run, checkpoint, places)
    for task in preset.tables[arguments.number]:
        of_task = [run for run in runs if run.task == task]
        record = measure_real(preset, of_task[0], places)
        found[task, REAL] = {record["metric"]: record}
        comparison(preset, of_task, places, places.results / preset.name / f"figure4-{task}.png")
    made = table1(preset, found)
    write_table(made, places.results / preset.name)
    print(markdown(made))
    print(f"Tables and figures: {places.results / preset.name}")
    return 0


def _passed_on(arguments: argparse.Namespace) -> list[str]:
    words = [f"--set={setting}" for setting in arguments.settings]
    return words + ([f"--source={arguments.source}"] if arguments.source else [])
