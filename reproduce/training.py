"""The only training loop: pictures in, checkpoints, logs and sample grids out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
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
from models.munit import Munit
from models.unit import Unit
from reproduce.checkpoints import (
    Checkpoint,
    new_method,
    read_checkpoint,
    restore_training,
    save_training,
    write_atomic,
)
from reproduce.environment import environment
from reproduce.randomness import generator
from reproduce.runs import RunConfig
from reproduce.tasks.batches import Batches, test_batches
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import open_task
from reproduce.tasks.sources import Domains
from reproduce.trainer import NonFiniteLoss, Trainer
from reproduce.vgg import vgg_features

LAST, GOOD = "last.safetensors", "good.safetensors"


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
    and NonFiniteLoss after writing what led to it to ``failed.safetensors``.
    """
    logging = logging or Logging()
    with only_run(folder):
        found = _found(folder, run, resume)
        if found is not None and found.step >= run.steps:
            return folder / LAST
        domains = open_task(
            run.task, data_dir=data_dir, size=run.size, seed=0, train=run.train, test=run.test,
            source=Path(run.source) if run.source else None, progress=logging.progress,
        )  # fmt: skip
        data = _fingerprint(domains, found, logging.progress)
        method = new_method(run)
        method.check_size(run.size, run.size)
        if isinstance(method, (Munit, Unit)) and method.config.perceptual:
            method.features = vgg_features(method.config.perceptual_layer, vgg).to(device)
        method.to(device)
        trainer = Trainer(method, run.seed, run.steps, precision=run.precision)
        if found is not None:
            restore_training(found, trainer)
        _describe(folder, run, data, device)
        loop = _Loop(run, folder, trainer, domains, data, device, logging)
        loop.go(found.step if found else 0)
    return folder / LAST


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
        different = run.differences(checkpoint.run)
        if different:
            raise UserError(
                f"{folder} holds another run, {'; '.join(different[:3])}: "
                "use the same settings to resume, or choose another --out"
            )
        return checkpoint
    raise UserError(errors[0])


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
    """Hold the folder; another run in it is refused. The lock ends with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another run is at work in {folder}: wait for it, or choose another --out"
        ) from None
    except OSError as error:
        raise UserError(f"cannot use {folder} for a run: {error.strerror or error}") from None
    with lock:
        yield


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

    def go(self, start: int) -> None:
        run, paired = self.run, self.trainer.method.paired
        pairs = self.domains.pairs if paired else (self.domains.train_a, self.domains.train_b)
        if pairs is None:
            raise UserError(
                f"{run.method} needs training pairs and {run.task} has none: add a folder "
                "trainPairs of side-by-side pictures (input left, output right)"
            )
        preparation = Preparation(run.size, run.resize or None, run.crop, run.flip)  # type: ignore[arg-type]
        batches = Batches(*pairs, preparation, run.batch, run.seed, paired=paired, start_step=start)
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
        writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=start)  # type: ignore[no-untyped-call]
        stack.callback(writer.close)
        return writer

    def _steps(self, start: int, batches: Batches) -> None:
        run, logging = self.run, self.logging
        saved = -1
        for step in range(start, run.steps):
            x_a, x_b = (x.to(self.device) for x in next(batches))
            try:
                losses = self.trainer.step(x_a, x_b, step)
            except NonFiniteLoss as error:
                self._failed(error, x_a, x_b)
                raise
            done = step + 1
            self.bar.update()
            if done % logging.log_every == 0 or done == run.steps:
                self._log(done, losses)
            if done % logging.sample_every == 0 or done == run.steps:
                self._samples(done)
            if done % logging.save_every == 0 or done == run.steps or self.stop:
                self._save(done)
                saved = done
            if self.stop and done < run.steps:
                raise Interrupted(done)
        assert saved == run.steps

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
        if last.exists():
            os.replace(last, good)
        save_training(last, self.trainer, self.run, done, self.data)

    def _failed(self, error: NonFiniteLoss, x_a: Tensor, x_b: Tensor) -> None:
        tensors = {f"model.{k}": t for k, t in self.trainer.method.state_dict().items()}
        metadata = {"step": str(error.step), "term": error.term, "value": str(error.value)}
        write_atomic(
            self.folder / "failed.safetensors", tensors | {"x_a": x_a, "x_b": x_b}, metadata
        )

    @torch.no_grad()
    def _samples(self, done: int) -> None:
        """A grid of test inputs and three translations of each, in TensorBoard and as a PNG."""
        grid = sample_grid(self.trainer, self.domains, self.run, self.device)
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
    return make_grid(torch.cat(pictures).clamp(-1, 1) * 0.5 + 0.5, nrow=4, padding=1)
