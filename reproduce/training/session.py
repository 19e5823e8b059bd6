"""Train a run in its run directory: start, resume, check that settings match, lock."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.files import holder, new_folder, sha256_file, write_text
from models.choices import ALL, choose
from models.errors import UserError
from models.method import Method
from models.munit import Munit
from models.unit import Unit
from reproduce.experiments.run import RunConfig
from reproduce.records.code import training_code
from reproduce.records.environment import environment
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import TASKS, open_task
from reproduce.tasks.sources import Domains, PictureSource
from reproduce.training.ahead import NoiseAhead
from reproduce.training.checkpoints import (
    Checkpoint,
    begin_from,
    new_method,
    read_checkpoint,
    remove_parts,
    restore_training,
)
from reproduce.training.distributed import World, joined, local_device
from reproduce.training.loop import DAMAGED, FAILED, GOOD, LAST, Logging, Loop
from reproduce.training.processes import world_size
from reproduce.training.shared import check_shareable, make_trainer, shared_batches
from reproduce.training.trained import learned_from
from reproduce.training.vgg import check_layer, vgg_features

MAPS = 8  # least number of full-size feature maps, as wide as the networks, that a step keeps


def train(
    run: RunConfig,
    folder: Path,
    *,
    data_dir: Path,
    device: str = "cpu",
    resume: bool = False,
    logging: Logging | None = None,
    vgg: Path | None = None,
    ways: Iterable[str] = ALL,
    workers: int = 0,
    start: Path | None = None,
) -> Path:
    """Train ``run`` in ``folder`` and return its last checkpoint.

    ``ways`` are options for faster computation (``models.choices``). Pictures are prepared by
    threads, or by ``workers`` processes. ``start``: a checkpoint to take the initial weights from.

    If the folder holds a run, UserError is raised unless ``resume``. Then training continues from
    its last readable checkpoint as if it had never stopped: bit for bit with the same processor,
    number of threads and versions, and up to rounding on a GPU, where gradients of padding are
    summed in any order. Raises Interrupted after a signal, once saved, and ManyUntaken or
    NonFiniteWeight after writing the cause to ``failed.safetensors``. Processes started by
    ``torchrun`` all call this function and share one training.
    """
    logging, device = logging or Logging(), local_device(device)
    method = _build(run, device, vgg, start)
    choose(method, ways)
    check_shareable(method, run.batch, world_size())
    preparation = Preparation(run.size, run.resize or None, run.crop, run.flip)  # type: ignore[arg-type]
    with joined(device) as world, contextlib.ExitStack() as stack:
        first = world.rank == 0
        if not first:
            logging = replace(logging, progress=False, tensorboard=False)

        def begin() -> _Begun:
            if first:
                stack.enter_context(only_run(folder))
                remove_parts(folder)
            return _begin(run, folder, data_dir, resume, logging.progress, first)

        begun = world.in_turn(begin)
        found, done = begun.found, begun.found.step if begun.found else 0
        world.same(f"step {done}, pictures {begun.data[:12]}", "checkpoint or pictures")
        if begun.domains is None or begun.sources is None:
            if first:
                print(f"note: the run in {folder} is finished: nothing to do", file=sys.stderr)
            return found.path if found else folder / LAST
        trainer = make_trainer(method, run.seed, run.steps, world, run.precision)
        if device.startswith("cuda"):
            shape = (run.batch // world.size, run.size, run.size)
            ahead = NoiseAhead(method, trainer.noise, shape, device)
            trainer.noise = stack.enter_context(ahead)
        if found is not None:
            restore_training(found, trainer)
            if first and found.path.name == GOOD and (folder / LAST).exists():
                # Move the unreadable one away, or the next save would replace the good one by it.
                os.replace(folder / LAST, folder / DAMAGED)
        origin = _origin(folder, start, found)
        world.by_first(lambda: _describe(folder, run, begun.data, world, ways, origin))
        loop = Loop(run, folder, trainer, begun.domains, begun.data, world, logging)
        loop.go(
            shared_batches(
                method, world, *begun.sources, preparation, run.batch, run.seed, done, workers
            )
        )
    return folder / LAST


@dataclass(frozen=True)
class _Begun:
    """What a training begins with; ``domains`` and ``sources`` are None if it is finished."""

    found: Checkpoint | None
    data: str
    domains: Domains | None = None
    sources: tuple[PictureSource, PictureSource] | None = None


def _begin(
    run: RunConfig, folder: Path, data_dir: Path, resume: bool, progress: bool, check: bool
) -> _Begun:  # fmt: skip
    found = _found(folder, run, resume)
    finished = found is not None and found.step >= run.steps
    if found is not None and finished and not run.source and run.task in TASKS:
        return _Begun(found, found.data)
    domains = open_task(
        run.task, data_dir=data_dir, size=run.size, seed=0, train=run.train, test=run.test,
        source=Path(run.source) if run.source else None, progress=progress,
    )  # fmt: skip
    sources = learned_from(domains, run)
    data = domains.fingerprint(progress=progress)
    if found is None and check:
        domains.check(progress=progress)
    if found is not None and found.data != data:
        raise UserError(
            f"the pictures of {domains.folder} are not those that this run began with: "
            "restore them, or start a new run with another --out"
        )
    return _Begun(found, data) if finished else _Begun(found, data, domains, sources)


def _build(run: RunConfig, device: str, vgg: Path | None, start: Path | None) -> Method:
    """Build the run's networks; UserError for conflicting settings, before a file is written."""
    if device.startswith("mps") and run.precision != "float32":
        raise UserError(f"precision={run.precision} is not for --device mps: use float32")
    method = new_method(run)
    method.check_size(run.size, run.size)
    if device == "cpu":
        _check_memory(run)
    config = method.config
    layer: str = getattr(config, "perceptual_layer", "")
    if isinstance(method, (Munit, Unit)) and method.config.perceptual:
        if 1 in (config.channels_a, config.channels_b):
            raise UserError("the perceptual loss looks at RGB: set perceptual=0, or 3 channels")
        method.features = vgg_features(layer, run.size, vgg)
    elif vgg is not None:
        raise UserError("--vgg is for the perceptual loss alone: add --set perceptual=1, e.g.")
    elif layer:
        check_layer(layer)
    if start is not None:
        begin_from(start, method, run)
    return method.to(device)


def _check_memory(run: RunConfig) -> None:
    """Raise UserError for a step that cannot fit into memory, before the system kills it."""
    width: int = run.method_config.dim  # type: ignore[attr-defined]
    least = MAPS * run.batch * run.size**2 * width * 4 / 2**30
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    if least > there:
        raise UserError(
            f"batch={run.batch} of {run.size} px needs {least:,.0f} GiB and more, and this machine has "
            f"{there:,.0f}: set a smaller batch or size"
        )


def _found(folder: Path, run: RunConfig, resume: bool) -> Checkpoint | None:
    """Return the checkpoint to resume from: the last, or the one before if that is unreadable."""
    paths = [p for p in (folder / LAST, folder / GOOD) if p.exists()]
    if not paths:
        return None
    if not resume:
        raise UserError(
            f"{folder} already holds a run: add --resume to go on, or choose another --out"
        )
    errors = []
    for path in paths:
        try:
            checkpoint = read_checkpoint(path)
        except UserError as error:
            errors.append(str(error))
            continue
        if errors:
            print(f"note: {errors[0]}; going on from {path}", file=sys.stderr)
        known = _lengthened(checkpoint, run, path)
        if not {run.task, known.task} & TASKS.keys():  # paths, whose pictures are compared instead
            known = replace(known, task=run.task, source=run.source)
        different = run.differences(known)
        if different:
            raise UserError(
                f"{folder} holds another run, {'; '.join(different[:3])}: "
                "use the same settings to resume, or choose another --out"
            )
        return checkpoint
    raise UserError(
        f"{errors[0]}; no earlier one is left in {folder}: remove the folder, or choose another "
        "--out"
    )


def _lengthened(checkpoint: Checkpoint, run: RunConfig, path: Path) -> RunConfig:
    """Return the checkpoint's run, with the number of steps of ``run`` if that only adds some.
    Steps added to a finished run may have another learning rate."""
    known, policy = checkpoint.run, run.settings["lr_policy"]
    if run.steps <= known.steps or checkpoint.step < known.steps:
        # A linear decay depends on the number of steps.
        fixed = policy == "linear" or run.steps < checkpoint.step
        return known if fixed else replace(known, steps=run.steps)
    if policy == "linear":
        raise UserError(
            f"{path} is of a finished run, whose rate fell to zero in its {known.steps} steps: to "
            f"add some, say at which rate, e.g. --set lr_policy=constant --set lr={run.settings['lr']}"
        )
    print(
        f"note: {run.steps - known.steps} steps are added to the {known.steps} of {path}: "
        f"lr={run.settings['lr']}, {policy}, counted from the run's beginning", file=sys.stderr,
    )  # fmt: skip
    rate = {key: run.settings[key] for key in ("lr", "lr_policy", "lr_step", "lr_gamma")}
    return replace(known, steps=run.steps, settings={**known.settings, **rate})


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Lock the folder, and raise UserError if another run holds it. The lock ends with the process.

    A new folder is removed after a UserError if it has no checkpoint yet.
    """
    new = not folder.exists()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(new_folder(folder))
            stack.enter_context(FileLock(folder / ".lock", timeout=0))
        except Timeout:
            raise UserError(
                f"another run is at work in {folder}{holder(folder / '.lock')}: wait for it, or "
                "choose another --out"
            ) from None
        except OSError as error:
            raise UserError(
                f"cannot use {folder} for a run ({error.strerror or error}): choose another --out"
            ) from None
        try:
            yield
        except UserError:
            if new and not any((folder / name).exists() for name in (LAST, GOOD, FAILED)):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _describe(
    folder: Path, run: RunConfig, data: str, world: World, ways: Iterable[str], origin: str
) -> None:
    text = json.dumps(
        {"run": run.as_dict(), "config_sha256": run.digest(), "data_sha256": data}
        | {"environment": environment(world.device), "processes": world.size}
        | {"code": training_code(run.method), "ways": sorted(ways)}
        | ({"begun_from_sha256": origin} if origin else {}),
        indent=1,
        sort_keys=True,
    )
    write_text(folder / "run.json", text + "\n")


def _origin(folder: Path, start: Path | None, found: Checkpoint | None) -> str:
    """Return the sha256 of the checkpoint that a run started from; "" for random weights."""
    origin = sha256_file(start) if start else ""
    if found is None:
        return origin
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        begun = str(told.get("begun_from_sha256", ""))
    except (OSError, ValueError, AttributeError):
        begun = ""
    if origin not in ("", begun):
        raise UserError(
            f"{folder} holds a run that began otherwise: leave --from, or choose another --out"
        )
    return begun
