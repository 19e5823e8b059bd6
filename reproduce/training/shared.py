"""The trainer's arithmetic when several processes share every batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bicyclegan import Bicyclegan
from models.errors import UserError
from models.losses import Terms
from models.method import Method, NoiseSpec, Phase
from reproduce.tasks.batches import Batches
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import PictureSource
from reproduce.training.distributed import World
from reproduce.training.graphed import CudaGraphs, GraphedTrainer, recordable
from reproduce.training.trainer import Trainer


class SharedTrainer(Trainer):
    """A trainer whose ``step`` receives this process's share of the batch.

    It does not use ``DistributedDataParallel``, which wraps the forward pass of one module and
    expects every backward pass to reach all of its weights. Here two objectives alternate on the
    same networks, one of them frozen, by calls other than ``forward``. A single all-reduce of a
    phase's gradients, between its backward pass and its optimiser's step, is equivalent for any
    method, but does not overlap communication with computation.
    """

    def __init__(
        self, method: Method, seed: int, total_steps: int, world: World, *,
        precision: str = "float32",
    ) -> None:  # fmt: skip
        super().__init__(method, seed, total_steps, noise=self._own_noise, precision=precision)
        self.world = world
        self.sums = summed_terms(method)

    def _own_noise(self, phase: Phase, role: str, spec: NoiseSpec, n: int, step: int) -> Tensor:
        whole = self._counted(phase, role, spec, n * self.world.size, step)
        return whole[self._own(len(whole))]

    def _own(self, batch: int) -> list[int]:
        return positions(self.method, batch, self.world)

    def _pooled(self, fakes: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """Keep the whole image pool in every process; return this process's share."""
        whole = {name: whole_batch(self.method, fakes[name], self.world) for name in self.pools}
        shown = super()._pooled(fakes | whole, step)
        own = {name: shown[name][self._own(len(shown[name]))] for name in self.pools}
        return shown | own

    def _before_gradients(self, terms: Terms) -> None:
        for name in self.sums & terms.keys():
            if terms[name].requires_grad:  # its gradients are summed, not averaged
                terms[name].register_hook(self._times_processes)  # type: ignore[no-untyped-call]

    def _values(self, terms: Terms) -> dict[str, float]:
        """Return the whole batch's terms, so that all processes make or skip an update together."""
        values = self.world.sum_(torch.stack(list(terms.values())))
        shares = [1 if name in self.sums else self.world.size for name in terms]
        whole = values / torch.tensor(shares, dtype=values.dtype, device=values.device)
        return super()._values(dict(zip(terms, whole, strict=True)))

    def _times_processes(self, gradient: Tensor) -> Tensor:
        return gradient * self.world.size

    def _after_gradients(self, phase: Phase) -> None:
        gradients = [p.grad for p in self.weights[phase] if p.grad is not None]
        flat = self.world.sum_(torch.cat([g.reshape(-1) for g in gradients])) / self.world.size
        parts = torch.split(flat, [g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def make_trainer(
    method: Method, seed: int, total_steps: int, world: World, precision: str
) -> Trainer:
    """Return a trainer for one process, or for one of several."""
    if world.size == 1:
        if world.device.startswith("cuda") and "graphs" in method.fast and recordable(method):
            graphs = CudaGraphs(world.device)
            return GraphedTrainer(method, seed, total_steps, graphs, precision=precision)
        return Trainer(method, seed, total_steps, precision=precision)
    return SharedTrainer(method, seed, total_steps, world, precision=precision)


def summed_terms(method: Method) -> frozenset[str]:
    """Return the names of terms that are sums over the batch; all others are means."""
    if not isinstance(method, Bicyclegan):
        return frozenset()
    of_maps = {"gan", "gan2", "dis", "dis2"} if method.config.dis_scales == 1 else set()
    return frozenset({"kl"} | of_maps)


def groups(method: Method) -> int:
    """Return the number of parts with different roles that a method splits its batch into."""
    return 2 if isinstance(method, Bicyclegan) else 1


def positions(method: Method, batch: int, world: World) -> list[int]:
    """Return the indices of this process's pictures in ``batch``: an equal share of every group."""
    whole, share = batch // groups(method), batch // groups(method) // world.size
    first = [g * whole + world.rank * share for g in range(groups(method))]
    return [start + i for start in first for i in range(share)]


def whole_batch(method: Method, x: Tensor, world: World) -> Tensor:
    """Gather the whole batch (n * processes, ...) from every process's share ``x`` (n, ...)."""
    parts = [part.chunk(groups(method)) for part in world.parts(x)]
    return torch.cat([part[g] for g in range(groups(method)) for part in parts])


def check_shareable(method: Method, batch: int, processes: int) -> None:
    """Raise UserError if several processes would compute something else than one."""
    if processes == 1:
        return
    unit = processes * groups(method)
    if batch % unit:
        halves = " (it is cut in two halves, and each of them shared)" if unit > processes else ""
        raise UserError(
            f"batch={batch} cannot be shared equally by {processes} processes{halves}: "
            f"use a multiple of {unit}, e.g. --set batch={-(-batch // unit) * unit}"
        )
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in method.modules()):
        raise UserError(
            f"batch norm mixes the pictures of a whole batch, of which {processes} processes see "
            "a part each: use another norm than bn, or one process"
        )


def shared_batches(
    method: Method, world: World, source_a: PictureSource, source_b: PictureSource,
    preparation: Preparation, batch: int, seed: int, start_step: int, workers: int = 0,
) -> list[Batches]:  # fmt: skip
    """Return this process's share of every batch, as one ``Batches`` per group."""
    count = groups(method) if world.size > 1 else 1
    return [
        Batches(
            source_a, source_b, preparation, batch, seed, paired=method.paired,
            start_step=start_step, rank=g * world.size + world.rank, world_size=count * world.size,
            workers=workers, device=world.device,
        )
        for g in range(count)
    ]  # fmt: skip
