"""Training steps that replay CUDA graphs (the option "graphs").

A step consists of a thousand small kernels, and with one picture per batch a GPU finishes most of
them before Python launches the next. A CUDA graph launches them together. A recorded graph holds
addresses, not values: pictures and noise are copied to its input buffers, and losses and gradients
appear in its output buffers. Decisions of the host (image pools, whether a loss is finite, the
learning rate) take place between two graphs.
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

WARMUP = 3  # steps in which libraries choose kernels and optimisers allocate their moments
TRIALS = 2  # recorded steps that are also computed without graphs: the second has new pictures
# Nondeterministic sums differ by about 1e-5, in bf16 by about 1e-2. A graph that reads a stale
# value differs by as much as the value itself.
_CLOSE, _TINY = 0.05, 1e-6

_NOISE, _SHOWN = "noise.", "shown."

Work = Callable[[], None]


class Recorder(Protocol):
    """Records work on a device and replays it."""

    def beside(self) -> contextlib.AbstractContextManager[None]:
        """The context for all work, recorded or not."""
        ...

    def record(self, work: Work) -> Work:
        """Record ``work``, which need not run yet; return its replay. RuntimeError if it fails."""
        ...

    def free(self) -> None:
        """Release unused cached memory."""
        ...


class CudaGraphs:
    """Records CUDA graphs. They share one memory pool, so they must be replayed in the order in
    which they were recorded."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        with torch.cuda.device(self.device):
            self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            self.pool = torch.cuda.graph_pool_handle()

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Run on a side stream: graphs cannot be recorded on the default stream."""
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
    """A trainer that records a step and replays it; all batches must have the same shape.

    The first steps run without graphs, and the last of them are compared with the recorded graph.
    If a step cannot be recorded, or its graph computes something else, training prints a note on
    stderr and continues without graphs.
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
        # The buffers that the graphs read and write.
        self._made = Made()
        self._inputs: dict[Phase, dict[str, Tensor]] = {}
        self._terms: dict[Phase, Terms] = {}
        self._gradients: dict[Phase, list[Tensor | None]] = {}

    def step(self, x_a: Tensor, x_b: Tensor, step: int) -> dict[str, float]:
        # Even after giving up, since memory freed on one stream is not reused on another.
        with self.recorder.beside():
            self._done += 1
            if self.given_up or self._done <= WARMUP + TRIALS:
                return super().step(x_a, x_b, step)
            if self._done == WARMUP + TRIALS + 1:
                self.recorder.free()  # memory of the steps without graphs
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
            made.codes = None  # their gradients may be incomplete
        return super()._compute(phase, x_a, x_b, noise, made)

    def _try(
        self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, made: Made, terms: Terms
    ) -> None:
        """Compare the graph with the result without graphs, whose gradients are kept."""
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
        self._again[phase]()  # recording does not run the work

    def _put(
        self, phase: Phase, x_a: Tensor, x_b: Tensor, noise: Noise, shown: dict[str, Tensor] | None
    ) -> None:
        """Copy the inputs of a phase to its graph's input buffers."""
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
        """Describe how the graph's results differ; "" if they agree."""
        pairs = {f"loss {name}": ([self._terms[phase][name]], [x]) for name, x in terms.items()}
        pairs["gradients"] = (_there(self._gradients[phase]), _there(gradients))
        if phase == "generator" and made.fakes and self._made.fakes:
            found = [self._made.fakes[name] for name in made.fakes]
            pairs["translations"] = (found, list(made.fakes.values()))
        for name, (found, expected) in pairs.items():
            sizes = torch.stack([_norm(torch._foreach_sub(found, expected)), _norm(expected)])
            off, whole = sizes.tolist()
            # If the expected values are not finite either, the training is about to stop.
            if math.isfinite(whole) and not off <= _CLOSE * whole + _TINY:
                return f"repeated, {name} of the {phase}s are off by {off:.4g} of {whole:.4g}"
        return ""


def _there(gradients: list[Tensor | None]) -> list[Tensor]:
    return [g for g in gradients if g is not None]


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the norm of all tensors together."""
    return torch.stack([x.float().norm() for x in tensors]).norm()


def recordable(method: Method) -> bool:
    """Return whether a phase may be computed twice, unlike with batch norm's running statistics."""
    layers = method.modules()
    return not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in layers)
