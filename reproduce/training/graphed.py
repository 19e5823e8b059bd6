"""Training steps that a GPU repeats from a recording (way "graphs").

A step is a thousand small kernels, and at a batch of one picture a GPU ends most of them before
Python has asked for the next. As a CUDA graph they are asked for together. A recording holds
addresses, not values: pictures and noise are copied to where it reads them, and it leaves losses
and gradients where they were when it was made. What a host decides (the history of translations,
whether a loss is a number, the optimiser's rate) comes between two recordings.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from models.losses import Terms
from models.method import Method, Noise, Phase
from reproduce.training.trainer import Made, NoiseSource, Trainer

WARMUP = 3  # steps, in which libraries choose their kernels, and optimisers make their moments
TRIALS = 2  # recorded steps that are also computed kernel by kernel: the second has other pictures
# Kernels that add up in any order differ by some 1e-5, bf16's by some 1e-2. A recording that read a
# value of another step, or nothing, is off by its whole.
_CLOSE, _TINY = 0.05, 1e-6

_NOISE, _SHOWN = "noise.", "shown."

Work = Callable[[], None]


class Recorder(Protocol):
    """What repeats work."""

    def beside(self) -> contextlib.AbstractContextManager[None]:
        """In which all work is done, recorded or not."""
        ...

    def record(self, work: Work) -> Work:
        """``work``, which need not have been done yet, to be repeated; RuntimeError if it cannot."""
        ...

    def free(self) -> None:
        """Give back memory that nothing uses."""
        ...


class CudaGraphs:
    """Records for a GPU; all recordings share one pool of memory, and so are to be repeated in the
    order in which they were made."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        with torch.cuda.device(self.device):
            self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            self.pool = torch.cuda.graph_pool_handle()

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Recording is not possible on the stream that everybody uses."""
        with torch.cuda.device(self.device):
            usual = torch.cuda.current_stream()
            self.stream.wait_stream(usual)
            with torch.cuda.stream(self.stream):
                yield
            usual.wait_stream(self.stream)

    def record(self, work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
            work()
        return graph.replay

    def free(self) -> None:
        torch.cuda.empty_cache()


class GraphedTrainer(Trainer):
    """A trainer that records a step and repeats it; all batches are of one shape.

    The first steps are computed kernel by kernel, and the recording beside the last of them is
    compared with those. Where a step cannot be recorded, or its recording computes something else,
    that is said on stderr, and the training goes on kernel by kernel.
    """

    def __init__(
        self, method: Method, seed: int, total_steps: int, recorder: Recorder, *,
        noise: NoiseSource | None = None, precision: str = "float32",
    ) -> None:  # fmt: skip
        super().__init__(method, seed, total_steps, noise=noise, precision=precision)
        self.recorder = recorder
        self.given_up = False
        self._done = 0
        self._forget()

    def _forget(self) -> None:
        self._again: dict[Phase, Work] = {}
        # What the recordings read and write.
        self._made = Made()
        self._inputs: dict[Phase, dict[str, Tensor]] = {}
        self._terms: dict[Phase, Terms] = {}
        self._gradients: dict[Phase, list[Tensor | None]] = {}

    def step(self, x_a: Tensor, x_b: Tensor, step: int) -> dict[str, float]:
        # Given up or not: memory that was freed on one stream is not used again on another.
        with self.recorder.beside():
            self._done += 1
            if self.given_up or self._done <= WARMUP + TRIALS:
                return super().step(x_a, x_b, step)
            if self._done == WARMUP + TRIALS + 1:
                self.recorder.free()  # what kernels one by one took beside the recordings
            return self._repeated(x_a, x_b, step)

    def _repeated(self, x_a: Tensor, x_b: Tensor, step: int) -> dict[str, float]:
        self._begin(step)
        record: dict[str, float] = {}
        for phase in self.method.order:
            noise = self._noise_of(phase, x_a, step)
            shown = None
            if phase == self.method.order[1] == "discriminator" and self._looked_at:
                assert self._made.fakes is not None
                shown = self._pooled(self._made.fakes, step)
            self._put(phase, x_a, x_b, noise, shown)
            self._again[phase]()
            for p, gradient in zip(self.weights[phase], self._gradients[phase], strict=True):
                p.grad = gradient
            record |= self._finish(phase, self._terms[phase], step)
        return record

    def _compute(self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, made: Made) -> Terms:
        try:
            terms = super()._compute(phase, x_a, x_b, noise, made)
        except torch.OutOfMemoryError:
            if not self._again:
                raise
            trouble = "memory is too short for recordings beside a step"
        else:
            if self._done > WARMUP and not self.given_up:
                self._try(phase, x_a, x_b, noise, made, terms)
            return terms
        self._give_up(trouble)
        if phase == self.method.order[1]:
            made.codes = None  # whose gradients may have been half computed
        return super()._compute(phase, x_a, x_b, noise, made)

    def _try(
        self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, made: Made, terms: Terms
    ) -> None:
        """The recording beside what was just computed, which stays what the weights learn from."""
        gradients = self._of_weights(phase)
        try:
            self._put(phase, x_a, x_b, noise, made.shown)
            if phase in self._again:
                self._again[phase]()
            else:
                self._record(phase)
            trouble = self._difference(phase, terms, gradients, made)
        except RuntimeError as error:
            trouble = (str(error) or type(error).__name__).splitlines()[0]
        for p, gradient in zip(self.weights[phase], gradients, strict=True):
            p.grad = gradient
        if trouble:
            self._give_up(trouble)

    def _give_up(self, trouble: str) -> None:
        print(f"note: no CUDA graph, every kernel is asked for: {trouble}", file=sys.stderr)
        self.given_up = True
        self._forget()
        self.recorder.free()

    def _record(self, phase: Phase) -> None:
        given = self._inputs[phase]
        noise, shown = (
            {k.removeprefix(part): x for k, x in given.items() if k.startswith(part)}
            for part in (_NOISE, _SHOWN)
        )
        self._made.shown = shown or None

        def work() -> None:
            self._terms[phase] = Trainer._compute(
                self, phase, given["x_a"], given["x_b"], noise, self._made
            )

        self._again[phase] = self.recorder.record(work)
        self._gradients[phase] = self._of_weights(phase)
        self._again[phase]()  # recorded, it was not done yet

    def _put(
        self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, shown: dict[str, Tensor] | None
    ) -> None:
        """To where the recording reads, over what is there."""
        kept = self._inputs.setdefault(phase, {})
        given = {"x_a": x_a, "x_b": x_b}
        given |= {_NOISE + role: x for role, x in noise.items()}
        given |= {_SHOWN + name: x for name, x in (shown or {}).items()}
        for name, x in given.items():
            if name not in kept:
                assert phase not in self._again, f"no recording reads {name}"
                kept[name] = x.clone()
            assert kept[name].shape == x.shape, "a recording is of batches of one shape"
            kept[name].copy_(x)

    def _of_weights(self, phase: Phase) -> list[Tensor | None]:
        return [p.grad for p in self.weights[phase]]

    def _difference(
        self, phase: Phase, terms: Terms, gradients: list[Tensor | None], made: Made
    ) -> str:
        """In words, what the recording computed otherwise; empty if it agrees."""
        pairs = {f"loss {name}": ([self._terms[phase][name]], [x]) for name, x in terms.items()}
        pairs["gradients"] = (_there(self._gradients[phase]), _there(gradients))
        if phase == "generator" and made.fakes and self._made.fakes:
            found = [self._made.fakes[name] for name in made.fakes]
            pairs["translations"] = (found, list(made.fakes.values()))
        for name, (found, expected) in pairs.items():
            sizes = torch.stack([_norm(torch._foreach_sub(found, expected)), _norm(expected)])
            off, whole = sizes.tolist()
            # Where what was computed is no number itself, the training is about to stop.
            if math.isfinite(whole) and not off <= _CLOSE * whole + _TINY:
                return f"repeated, {name} of the {phase}s are off by {off:.4g} of {whole:.4g}"
        return ""


def _there(gradients: list[Tensor | None]) -> list[Tensor]:
    return [g for g in gradients if g is not None]


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """Of all numbers of all tensors together."""
    return torch.stack([x.float().norm() for x in tensors]).norm()


def recordable(method: Method) -> bool:
    """Whether a phase may be computed twice: batch norm's running statistics would move twice."""
    layers = method.modules()
    return not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in layers)
