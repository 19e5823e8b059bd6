"""The only training loop: pictures in, checkpoints, logs and sample grids out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid
from tqdm import tqdm

from models.errors import UserError
from models.method import Method
from models.munit import Munit
from models.unit import Unit
from reproduce.checkpoints import (
    Checkpoint,
    NonFiniteWeight,
    describe,
    model_tensors,
    new_method,
    read_checkpoint,
    remove_parts,
    restore_training,
    save_training,
    write_atomic,
)
from reproduce.environment import environment
from reproduce.randomness import generator
from reproduce.runs import RunConfig
from reproduce.tasks.batches import Batches, test_batches
from reproduce.tasks.pictures import Preparation, save_png
from reproduce.tasks.registry import open_task
from reproduce.tasks.sources import Domains, PictureSource
from reproduce.trainer import NonFiniteLoss, Trainer
from reproduce.vgg import check_layer, vgg_features

LAST, GOOD = "last.safetensors", "good.safetensors"
FAILED, DAMAGED = "failed.safetensors", "damaged.safetensors"


@dataclass(frozen=True)
class Logging:
    """How often, in steps, and how."""

    save_every: int = 500
    sample_every: int = 500
    log_every: int = 10
    tensorboard: bool = True
    progress: bool = True


class Interrupted(Exception):
    """SIGINT or SIGTERM came; the run is saved. ``step`` updates are done."""

    def __init__(self, step: int) -> None:
        super().__init__(f"interrupted after step {step}")
        self.step = step


def train(
    run: RunConfig,
    folder: Path,
    *,
    data_dir: Path,
    device: str = "cpu",
    resume: bool = False,
    logging: Logging | None = None,
    vgg: Path | None = None,
) -> Path:
    """Train ``run`` in ``folder`` and return its last checkpoint.

    A folder that holds a run is refused unless ``resume``, which goes on from its last readable
    checkpoint, exactly as if it had never stopped. Raises Interrupted once saved after a signal,
    and NonFiniteLoss or NonFiniteWeight after writing what led to it to ``failed.safetensors``.
    """
    logging = logging or Logging()
    method = _build(run, device, vgg)
    preparation = Preparation(run.size, run.resize or None, run.crop, run.flip)  # type: ignore[arg-type]
    with only_run(folder):
        remove_parts(folder)
        found = _found(folder, run, resume)
        if found is not None and found.step >= run.steps:
            return found.path
        domains = open_task(
            run.task, data_dir=data_dir, size=run.size, seed=0, train=run.train, test=run.test,
            source=Path(run.source) if run.source else None, progress=logging.progress,
        )  # fmt: skip
        sources = _sources(domains, run, method.paired)
        data = _fingerprint(domains, found, logging.progress)
        trainer = Trainer(method, run.seed, run.steps, precision=run.precision)
        if found is not None:
            restore_training(found, trainer)
            if found.path.name == GOOD and (folder / LAST).exists():
                # Out of the way: it must not take the good one's place when the next is saved.
                os.replace(folder / LAST, folder / DAMAGED)
        _describe(folder, run, data, device)
        loop = _Loop(run, folder, trainer, domains, data, device, logging)
        start = found.step if found else 0
        loop.go(
            Batches(
                *sources, preparation, run.batch, run.seed, paired=method.paired, start_step=start
            )
        )
    return folder / LAST


def _build(run: RunConfig, device: str, vgg: Path | None) -> Method:
    """The run's networks. What does not fit together is refused here, before any file is made."""
    method = new_method(run)
    method.check_size(run.size, run.size)
    config = method.config
    if (config.channels_a, config.channels_b) != (3, 3):
        raise UserError("pictures are read in RGB: channels_a and channels_b must be 3 to train")
    layer: str = getattr(config, "perceptual_layer", "")
    if isinstance(method, (Munit, Unit)) and method.config.perceptual:
        method.features = vgg_features(layer, run.size, vgg)
    elif vgg is not None:
        raise UserError("--vgg is for the perceptual loss alone: add --set perceptual=1, e.g.")
    elif layer:
        check_layer(layer)
    return method.to(device)


def _sources(domains: Domains, run: RunConfig, paired: bool) -> tuple[PictureSource, PictureSource]:
    """What a step's two halves are drawn from."""
    if not paired:
        return domains.train_a, domains.train_b
    if domains.pairs is None:
        raise UserError(
            f"{run.method} needs training pairs and {run.task} has none: add a folder "
            "trainPairs of side-by-side pictures (input left, output right)"
        )
    return domains.pairs


def _found(folder: Path, run: RunConfig, resume: bool) -> Checkpoint | None:
    """The checkpoint to go on from; the one before the last if the last cannot be read."""
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
        different = run.differences(checkpoint.run)
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


def _fingerprint(domains: Domains, found: Checkpoint | None, progress: bool) -> str:
    data = domains.fingerprint(progress=progress)
    if found is not None and found.data != data:
        raise UserError(
            f"the pictures of {domains.folder} are not those that this run began with: "
            "restore them, or start a new run with another --out"
        )
    return data


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold the folder; another run in it is refused. The lock ends with the process.

    Where the folder is new and a UserError comes before its first checkpoint, it goes again.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another run is at work in {folder}: wait for it, or choose another --out"
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
    finally:
        lock.release()


def _describe(folder: Path, run: RunConfig, data: str, device: str) -> None:
    text = json.dumps(
        {"run": run.as_dict(), "config_sha256": run.digest(), "data_sha256": data}
        | {"environment": environment(device)},
        indent=1,
        sort_keys=True,
    )
    write_text(folder / "run.json", text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


class _Loop:
    """The steps of one run, with all that happens beside them."""

    def __init__(
        self, run: RunConfig, folder: Path, trainer: Trainer, domains: Domains, data: str,
        device: str, logging: Logging,
    ) -> None:  # fmt: skip
        self.run, self.folder, self.trainer, self.data = run, folder, trainer, data
        self.device, self.logging, self.domains = device, logging, domains
        self.stop = False
        self.clock = time.perf_counter()

    def go(self, batches: Batches) -> None:
        run, start = self.run, batches.step
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._signals())
            stack.enter_context(batches)
            self.writer = self._writer(start, stack)
            bar = stack.enter_context(
                tqdm(total=run.steps, initial=start, desc=f"{run.method} on {run.task}",
                     unit="step", disable=not self.logging.progress, dynamic_ncols=True)
            )  # fmt: skip
            self.bar = bar
            self._steps(start, batches)

    def _writer(self, start: int, stack: contextlib.ExitStack) -> SummaryWriter | None:
        if not self.logging.tensorboard:
            return None
        # Its thread prints a traceback of what fails (a full disk) besides raising it at the next
        # call, which is enough.
        others = threading.excepthook
        stack.callback(setattr, threading, "excepthook", others)
        threading.excepthook = lambda a: None if issubclass(a.exc_type, OSError) else others(a)
        # What was logged after the checkpoint, by the part of a run that was lost, is purged.
        writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=start + 1)  # type: ignore[no-untyped-call]
        stack.callback(writer.close)
        return writer

    def _steps(self, start: int, batches: Batches) -> None:
        run, logging = self.run, self.logging
        for step in range(start, run.steps):
            x_a, x_b = (x.to(self.device) for x in next(batches))
            try:
                losses = self.trainer.step(x_a, x_b, step)
            except NonFiniteLoss as error:
                self._failed(step, error.term, error.value, x_a, x_b)
                raise
            done = step + 1
            stopping = self.stop  # asked once: a signal may come between two questions
            self.bar.update()
            if done % logging.log_every == 0 or done == run.steps:
                self._log(done, losses)
            if done % logging.sample_every == 0 or done == run.steps:
                self._samples(done)
            if done % logging.save_every == 0 or done == run.steps or stopping:
                try:
                    self._save(done)
                except NonFiniteWeight as error:
                    self._failed(done, error.weight, float("nan"), x_a, x_b)
                    raise
            if stopping and done < run.steps:
                raise Interrupted(done)

    def _log(self, done: int, losses: dict[str, float]) -> None:
        totals = {
            "G": sum(
                losses.get(k, 0) * w for k, w in self.trainer.method.generator_weights.items()
            ),
            "D": sum(
                losses.get(k, 0) * w for k, w in self.trainer.method.discriminator_weights.items()
            ),
        }
        self.bar.set_postfix({k: f"{v:.3f}" for k, v in totals.items()}, refresh=False)
        if self.writer is not None:
            for name, value in (losses | {f"total_{k}": v for k, v in totals.items()}).items():
                self.writer.add_scalar(f"loss/{name}", value, done)  # type: ignore[no-untyped-call]
        seconds = time.perf_counter() - self.clock
        line: dict[str, Any] = {"step": done, "steps": self.run.steps, "seconds": round(seconds, 2)}
        write_text(self.folder / "progress.json", json.dumps(line | {"losses": losses}) + "\n")

    def _save(self, done: int) -> None:
        last, good = self.folder / LAST, self.folder / GOOD
        save_training(last, self.trainer, self.run, done, self.data, keep=good)

    def _failed(self, done: int, term: str, value: float, x_a: Tensor, x_b: Tensor) -> None:
        """A checkpoint to look at: the weights, the batch, and the term that went wrong."""
        tensors = model_tensors(self.trainer.method) | {"x_a": x_a, "x_b": x_b}
        what = {"term": term, "value": str(value)}
        write_atomic(self.folder / FAILED, tensors, describe(self.run, done, self.data) | what)

    @torch.no_grad()
    def _samples(self, done: int) -> None:
        """A grid of test inputs and three translations of each, as a PNG and in TensorBoard."""
        grid = sample_grid(self.trainer, self.domains, self.run, self.device)
        save_png(grid * 2 - 1, self.folder / "samples.png")
        if self.writer is not None:
            self.writer.add_image("samples", grid, done)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM finish the step, save and stop; a second one stops at once."""

        def request(number: int, frame: FrameType | None) -> None:
            if self.stop:
                raise KeyboardInterrupt
            self.stop = True

        try:
            before = {s: signal.signal(s, request) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: whoever runs us handles signals
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@torch.no_grad()
def sample_grid(
    trainer: Trainer, domains: Domains, run: RunConfig, device: str, rows: int = 8
) -> Tensor:
    """(3, H, W) in [0, 1]: per row a test input and three translations, in each direction."""
    method = trainer.method
    method.eval()  # a batch norm, if any, must not learn from test pictures
    pictures: list[Tensor] = []
    for direction in method.directions:
        source = domains.test_a if direction == "a2b" else domains.test_b
        count = min(rows, len(source))
        _, x = next(test_batches(source, Preparation(run.size), count))
        x = x.to(device)
        columns = [x]
        for sample in range(3):
            draws = generator(run.seed, "samples", direction, sample)
            noise = method.draw_noise(count, x.shape[2], x.shape[3], draws)
            columns.append(
                method.translate(x, direction, {k: v.to(device) for k, v in noise.items()})
            )
        pictures.append(torch.stack(columns, dim=1).flatten(0, 1).cpu())
    method.train()
    return make_grid(torch.cat(pictures).nan_to_num(0).clamp(-1, 1) * 0.5 + 0.5, nrow=4, padding=1)
