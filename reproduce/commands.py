"""What the commands of ``python -m reproduce`` do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"PyTorch sees {torch.cuda.device_count() or 'no'} GPU, so no '{name}': "
            "use --device cpu, or another number"
        )
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}' is not supported: use cpu or cuda")
    return name


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    return dict(parse_settings(arguments.settings))


def _with_source(run: RunConfig, source: Path | None) -> RunConfig:
    return replace(run, source=str(source.resolve())) if source else run


def train(arguments: argparse.Namespace) -> int:
    from reproduce.checkpoints import NonFiniteWeight
    from reproduce.loop import FAILED, Interrupted, Logging
    from reproduce.trainer import NonFiniteLoss
    from reproduce.training import train as go

    device = check_device(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    preset = load_preset(arguments.preset)
    run = preset.make_run(arguments.method, arguments.task, arguments.seed, _overrides(arguments))
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
    from reproduce.tasks.registry import open_task

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
    from benchmarks.diversity_protocols import get_protocol
    from reproduce.figures import comparison
    from reproduce.measure import (
        REAL,
        Places,
        lpips_distance,
        measure_real,
        measure_run,
        set_threads,
    )
    from reproduce.pipeline import check_runs, checkpoint_of, train_missing
    from reproduce.results import Records
    from reproduce.tables import markdown, table1, update_readme, write_table

    if arguments.number not in TABLES:
        raise UserError(f"no table {arguments.number} here: known: {', '.join(map(str, TABLES))}")
    preset = load_preset(arguments.preset)
    overrides = parse_settings(arguments.settings)
    measuring = {key: getattr(arguments, key) for key in ("inputs", "lpips", "protocol")}
    measuring = {key: value for key, value in measuring.items() if value is not None}
    if "protocol" in measuring:  # at its own number of samples
        measuring["samples"] = get_protocol(measuring["protocol"]).samples
    preset = preset.changed(overrides, measuring)
    sources = _sources(arguments.source, preset.tables.get(arguments.number, []))
    runs = [
        _with_source(run, sources.get(run.task))
        for run in preset.table_runs(arguments.number, arguments.seed, overrides)
    ]
    places = Places(
        arguments.data, arguments.runs, arguments.results, check_device(arguments.device),
        arguments.lpips_weights, arguments.lpips_sha256, not arguments.no_progress,
    )  # fmt: skip
    found: dict[tuple[str, str], dict[str, dict[str, object]]] = {}
    if arguments.stored:
        for record in Records(places.results, preset.name).all():
            if record["seed"] == arguments.seed:
                key = record["task"], record["method"]
                found.setdefault(key, {})[record["metric"]] = record
        stored = markdown(table1(preset, found))
        if arguments.readme is not None:
            update_readme(arguments.readme, preset.name, stored)
        print(stored)
        return 0

    check_runs(preset, runs)
    lpips_distance(preset.measure, places)  # missing weights are told before hours of training
    jobs = default_jobs(arguments.jobs, places.device)
    train_missing(preset, runs, places, jobs=jobs, overrides=overrides)
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


def _sources(words: list[str], tasks: Sequence[str]) -> dict[str, Path]:
    """``TASK=PATH`` arguments: where the pictures of a table's tasks are."""
    sources = {}
    for word in words:
        task, equals, path = word.partition("=")
        if not equals or task not in tasks:
            raise UserError(f"--source {word}: write TASK=PATH with a task of {', '.join(tasks)}")
        sources[task] = Path(path)
    return sources
