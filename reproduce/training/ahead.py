"""Draw training noise ahead of its step, in background threads.

Noise is drawn on the CPU, so that every device sees the same numbers. UNIT's takes one core 40 ms
per step at 256 px (6.3 million numbers), during which a GPU would wait.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import torch
from torch import Tensor

from models.method import Method, NoiseSpec, Phase
from reproduce.training.trainer import NoiseSource

STEPS = 3  # number of steps drawn ahead, one thread each

Noises = dict[tuple[Phase, str], Tensor]


class NoiseAhead:
    """A ``NoiseSource`` that returns the numbers of ``draw`` on ``device``, copied asynchronously
    from pinned memory. ``shape``: (N, H, W) of the training batches."""

    def __init__(
        self, method: Method, draw: NoiseSource, shape: tuple[int, int, int], device: str
    ) -> None:
        self._draw, self._device = draw, device
        self._n, *size = shape
        self._roles = {
            (phase, role): spec
            for phase in method.order for role, spec in method.training_noise(phase, *size).items()
        }  # fmt: skip
        self._pool = ThreadPoolExecutor(STEPS, "noise", self._begin)
        self._coming: dict[int, Future[Noises]] = {}

    def __call__(self, phase: Phase, role: str, spec: NoiseSpec, n: int, step: int) -> Tensor:
        """Return the noise of a role at ``step``, and draw the next steps'."""
        for later in range(step, step + STEPS + 1):
            if later not in self._coming:
                self._coming[later] = self._pool.submit(self._of, later)
        for passed in [known for known in self._coming if known < step]:
            del self._coming[passed]
        noise = self._coming[step].result()[phase, role]
        return noise.to(self._device, non_blocking=True)

    def _begin(self) -> None:
        if self._device.startswith("cuda"):  # the device that this thread pins memory for
            torch.cuda.set_device(self._device)

    def _of(self, step: int) -> Noises:
        return {
            (phase, role): self._draw(phase, role, spec, self._n, step).pin_memory()
            for (phase, role), spec in self._roles.items()
        }

    def __enter__(self) -> NoiseAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.shutdown(wait=True, cancel_futures=True)
