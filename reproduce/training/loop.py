"""The training loop, which writes checkpoints, logs and sample grids."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from benchmarks.files import write_text
from benchmarks.pictures import grid
from models.randomness import generator
from reproduce.experiments.run import PROGRESS, RunConfig, progress_of
from reproduce.tasks.batches import Batch, Batches, test_batches
from reproduce.tasks.pictures import Preparation, from_bytes, save_png
from reproduce.tasks.sources import Domains
from reproduce.training.checkpoints import (
    NonFiniteWeight,
    describe,
    model_tensors,
    save_training,
    write_atomic,
)
from reproduce.training.distributed import World
from reproduce.training.processes import handled
from reproduce.training.shared import whole_batch
from reproduce.training.trainer import Trainer, Untaken
from reproduce.training.translate import shown_to

LAST, GOOD = "last.safetensors", "good.safetensors"
FAILED, DAMAGED = "failed.safetensors", "damaged.safetensors"
UNTAKEN = "untaken.jsonl"  # one line per skipped update: step, phase, why, pictures
MANY = 50  # a run stops after so many skipped updates of one phase in a row


@dataclass(frozen=True)
class Logging:
    """Options for checkpoints and logs.

    A checkpoint is written every ``save_minutes``, and every ``save_every`` steps (0: never). The
    newest ``keep`` checkpoints are also kept under their step numbers. ``grids`` is the number of
    sample grids, at geometrically spaced steps. ``log_every`` is in steps.
    """

    save_minutes: float = 10.0
    save_every: int = 0
    keep: int = 0
    grids: int = 20
    log_every: int = 10
    tensorboard: bool = True
    progress: bool = True

    def grid_steps(self, steps: int) -> frozenset[int]:
        """Return the steps after which a grid is drawn: the last, and others from step 10 on."""
        n, first = self.grids, min(10, steps)
        ratio = (steps / first) ** (1 / max(1, n - 1))
        return frozenset({steps, *(round(first * ratio**i) for i in range(n - 1))} if n else ())


class Interrupted(Exception):
    """The run was stopped by SIGINT or SIGTERM, and saved after ``step`` updates."""

    def __init__(self, step: int) -> None:
        super().__init__(f"interrupted after step {step}")
        self.step = step


class ManyUntaken(Exception):
    """``MANY`` updates in a row were skipped; ``last`` is the last one."""

    def __init__(self, last: Untaken, pictures: str) -> None:
        super().__init__(
            f"{MANY} updates of the {last.phase}s in a row were not taken, of the last in step "
            f"{last.step + 1} {last.why}; most often with {pictures}"
        )
        self.last = last


class Loop:
    """Runs the steps of one training, and saves and logs.

    With several processes (``world``) only the first one writes; all stop after the same step.
    """

    def __init__(
        self, run: RunConfig, folder: Path, trainer: Trainer, domains: Domains, data: str,
        world: World, logging: Logging,
    ) -> None:  # fmt: skip
        self.run, self.folder, self.trainer, self.data = run, folder, trainer, data
        self.world, self.logging, self.domains = world, logging, domains
        self.stop, self.asked = False, 0
        self.clock = self.saved_at = self.logged_at = time.perf_counter()
        self.logged = 0
        self.untaken: list[dict[str, Any]] = []
        self.in_a_row: Counter[str] = Counter()

    def go(self, parts: Sequence[Batches]) -> None:
        """Train to the run's end; ``parts``, joined, are this process's share of every batch."""
        run, start = self.run, parts[0].step
        if start:
            self.clock -= progress_of(self.folder).get("seconds", 0)
        with contextlib.ExitStack() as stack:
            stack.enter_context(handled(self._request_stop, "SIGINT", "SIGTERM"))
            for batches in parts:
                stack.enter_context(batches)
            self.writer = self._writer(start, stack)
            bar = stack.enter_context(
                tqdm(total=run.steps, initial=start, desc=f"{run.method} on {run.task}",
                     unit="step", disable=not self.logging.progress, dynamic_ncols=True)
            )  # fmt: skip
            self.bar = bar
            self._recall(start)
            self._steps(start, parts)
        if self.untaken:
            self._tell_untaken()

    def _writer(self, start: int, stack: contextlib.ExitStack) -> SummaryWriter | None:
        if not self.logging.tensorboard:
            return None
        # The writer's thread prints a traceback for a failure (a full disk) and raises it again at
        # the next call; the latter is enough.
        others = threading.excepthook
        stack.callback(setattr, threading, "excepthook", others)
        threading.excepthook = lambda a: None if issubclass(a.exc_type, OSError) else others(a)
        # Purge what was logged after the checkpoint that this run resumes from.
        writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=start + 1)  # type: ignore[no-untyped-call]
        stack.callback(writer.close)
        return writer

    def _steps(self, start: int, parts: Sequence[Batches]) -> None:
        run, logging = self.run, self.logging
        grids, self.logged = logging.grid_steps(run.steps), start
        for step in range(start, run.steps):
            pictures = self.world.agreed(lambda: _next(parts))
            x_a, x_b = (
                self._on_device(x, domain) for x, domain in zip(pictures, "ab", strict=True)
            )
            losses = self.trainer.step(x_a, x_b, step)
            try:
                self._count_untaken(parts[0], step)
            except ManyUntaken as error:
                x_a, x_b = (whole_batch(self.trainer.method, x, self.world) for x in (x_a, x_b))
                self._failed(step, error.last.why, x_a, x_b)
                raise
            done = step + 1
            # Ask all processes once: a signal may arrive between two checks, and clocks differ.
            stopping, due = self.world.any(self.stop, self._is_due())
            self.bar.update()
            if done % logging.log_every == 0 or done == run.steps:
                self._log(done, losses)
            if done in grids:
                self._samples(done)
            due |= logging.save_every > 0 and done % logging.save_every == 0
            if due or done == run.steps or stopping:
                try:
                    self.world.by_first(lambda done=done: self._save(done))  # type: ignore[misc]
                except NonFiniteWeight as error:
                    self._failed(done, str(error), x_a, x_b)
                    raise
            if stopping and done < run.steps:
                raise Interrupted(done)

    def _recall(self, start: int) -> None:
        """Read the skipped updates up to the checkpoint; later steps are computed again."""
        path = self.folder / UNTAKEN
        if self.world.rank or not path.exists():
            return
        whole = path.read_text(encoding="utf-8").split("\n")[:-1]  # a kill may leave half a line
        self.untaken = [line for line in map(json.loads, whole) if line["step"] <= start]
        write_text(path, "".join(json.dumps(line) + "\n" for line in self.untaken))

    def _count_untaken(self, batches: Batches, step: int) -> None:
        untaken = self.trainer.untaken
        self.in_a_row = Counter({one.phase: self.in_a_row[one.phase] + 1 for one in untaken})
        for one in untaken:
            about = {"step": step + 1, "phase": one.phase, "why": one.why}
            self.untaken.append(about | {"pictures": batches.names(step)})
            if not self.world.rank:
                with (self.folder / UNTAKEN).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(self.untaken[-1]) + "\n")
            if self.in_a_row[one.phase] == MANY:
                raise ManyUntaken(one, _most_frequent(self.untaken[-MANY:]))

    def _tell_untaken(self) -> None:
        """Report the number of skipped updates on stderr and in run.json."""
        if self.world.rank:
            return
        path, count = self.folder / "run.json", len(self.untaken)
        told = json.loads(path.read_text(encoding="utf-8")) | {"untaken": count}
        write_text(path, json.dumps(told, indent=1, sort_keys=True) + "\n")
        print(
            f"note: {count} of {2 * self.run.steps} updates were not taken, most often with "
            f"{_most_frequent(self.untaken)}: their gradients had exploded, as instance norms' do "
            f"at pictures of one colour ({self.folder / UNTAKEN} names all)", file=sys.stderr,
        )  # fmt: skip

    def _on_device(self, pixels: Tensor, domain: str) -> Tensor:
        """Return a batch in [-1, 1] on the device; pinned memory is copied asynchronously."""
        x = from_bytes(pixels.to(self.world.device, non_blocking=pixels.is_pinned()))
        return shown_to(self.trainer.method, x, domain)

    def _is_due(self) -> bool:
        """Return whether the first process must write a checkpoint (``save_minutes``)."""
        minutes = (time.perf_counter() - self.saved_at) / 60
        return self.world.rank == 0 and minutes >= self.logging.save_minutes

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
        now = time.perf_counter()
        pictures = (done - self.logged) * self.run.batch  # of each domain
        pace = {
            "learning_rate": self.trainer.optimisers["generator"].param_groups[0]["lr"],
            "pictures_per_second": pictures / max(now - self.logged_at, 1e-9),
        }
        self.logged, self.logged_at = done, now
        if self.writer is not None:
            named = losses | {f"total_{k}": v for k, v in totals.items()}
            for name, value in ({f"loss/{k}": v for k, v in named.items()} | pace).items():
                self.writer.add_scalar(name, value, done)  # type: ignore[no-untyped-call]
        if self.world.rank:
            return
        line: dict[str, Any] = {
            "step": done, "steps": self.run.steps, "seconds": round(now - self.clock, 2),
            "learning_rate": pace["learning_rate"],
            "pictures_per_second": round(pace["pictures_per_second"], 1),
            "untaken": len(self.untaken), "losses": losses,
        }  # fmt: skip
        write_text(self.folder / PROGRESS, json.dumps(line) + "\n")

    def _save(self, done: int) -> None:
        last, good = self.folder / LAST, self.folder / GOOD
        save_training(last, self.trainer, self.run, done, self.data, keep=good)
        self.saved_at = time.perf_counter()
        if self.logging.keep:
            keep_numbered(last, done, self.logging.keep)

    def _failed(self, done: int, why: str, x_a: Tensor, x_b: Tensor) -> None:
        """Write a checkpoint for debugging: the weights, the batch, and what went wrong."""
        if self.world.rank:
            return
        tensors = model_tensors(self.trainer.method) | {"x_a": x_a, "x_b": x_b}
        about = describe(self.run, done, self.data) | {"why": why}
        write_atomic(self.folder / FAILED, tensors, about)

    @torch.no_grad()
    def _samples(self, done: int) -> None:
        """Write a grid of test inputs with three translations each to a PNG and TensorBoard."""
        if self.world.rank:
            return
        grid = sample_grid(self.trainer, self.domains, self.run, self.world.device)
        save_png(grid * 2 - 1, self.folder / "samples.png")
        if self.writer is not None:
            self.writer.add_image("samples", grid, done)  # type: ignore[no-untyped-call]

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        """Finish the step, save and stop after a first signal; stop at once after a second one.

        Repeated SIGTERMs count as one, because torchrun and batch systems send it to a process and
        its parents, which pass it on. SIGKILL still stops at once.
        """
        if self.stop and not (number == self.asked == signal.SIGTERM):
            raise KeyboardInterrupt
        self.stop, self.asked = True, number


def _most_frequent(untaken: list[dict[str, Any]]) -> str:
    """Describe the pictures that occur most often in the skipped updates."""
    seen = Counter(
        f"{name} of {domain.upper()}"
        for line in untaken
        for domain, names in line["pictures"].items()
        for name in names
    )
    return ", ".join(f"{name} ({count} times)" for name, count in seen.most_common(4))


def keep_numbered(last: Path, step: int, count: int) -> None:
    """Also keep ``last`` as ``step<number>.safetensors``; delete all but the newest ``count``."""
    own = last.with_name(f"step{step:08}.safetensors")
    own.unlink(missing_ok=True)
    try:
        os.link(last, own)
    except OSError:  # a file system without hard links
        shutil.copyfile(last, own)
    for older in sorted(last.parent.glob("step*.safetensors"))[:-count]:
        older.unlink()


def _next(parts: Sequence[Batches]) -> Batch:
    found = [next(part) for part in parts]
    if len(found) == 1:
        return found[0]
    x_a, x_b = (torch.cat(pictures) for pictures in zip(*found, strict=True))
    return x_a, x_b


@torch.no_grad()
def sample_grid(
    trainer: Trainer, domains: Domains, run: RunConfig, device: str, rows: int = 8
) -> Tensor:
    """Return a grid (3, H, W) in [0, 1]: a test input and 3 translations a row, both directions."""
    method = trainer.method
    method.eval()  # batch norms must not update their statistics with test pictures
    pictures: list[Tensor] = []
    for direction in method.directions:
        source = domains.test_a if direction == "a2b" else domains.test_b
        count = min(rows, len(source))
        _, x = next(test_batches(source, Preparation(run.size), count))
        columns = [x.to(device)]
        x = shown_to(method, x, direction[0])
        for sample in range(3):
            draws = generator(run.seed, "samples", direction, sample)
            noise = method.draw_noise(count, x.shape[2], x.shape[3], draws)
            made = method.translate(x, direction, {k: v.to(device) for k, v in noise.items()})
            columns.append(made.expand(-1, 3, -1, -1))
        pictures.append(torch.stack(columns, dim=1).flatten(0, 1).cpu())
    method.train()
    return grid(torch.cat(pictures).nan_to_num(0).clamp(-1, 1) * 0.5 + 0.5, columns=4)
