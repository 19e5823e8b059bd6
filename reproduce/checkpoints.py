"""Checkpoints: one safetensors file each, written whole or not at all; foreign formats in and out.

A training checkpoint holds the weights (``model.*``), Adam's moments (``optimiser.*``) and the
histories of translations (``pool.*``) in one file, so that they can never disagree, and the run's
configuration as JSON in its metadata. There is no random state: all draws are counted.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import UserError
from models.method import Method
from models.zoo import make_method
from reproduce.randomness import generator
from reproduce.runs import RunConfig
from reproduce.trainer import Trainer

FORMAT = "1"


def write_atomic(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors to a temporary name, flush to the disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    plain = {k: t.detach().contiguous().cpu() for k, t in tensors.items()}
    try:
        save_file(plain, part, dict(metadata))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        reason = "the disk is full; free some space" if full else str(error).splitlines()[0]
        raise UserError(f"cannot write {path}: {reason}") from None
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True)
class Checkpoint:
    """A read checkpoint; tensors are on the CPU."""

    run: RunConfig
    step: int  # updates done
    tensors: dict[str, Tensor]
    data: str  # fingerprint of the pictures

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Tensors under ``prefix``, without it."""
        start = prefix + "."
        return {k[len(start) :]: t for k, t in self.tensors.items() if k.startswith(start)}


def save_training(path: Path, trainer: Trainer, run: RunConfig, step: int, data: str) -> None:
    """Save a trainer after ``step`` updates. Weights that are not finite are refused."""
    tensors = {f"model.{k}": t for k, t in trainer.method.state_dict().items()}
    bad = [k for k, t in tensors.items() if not bool(torch.isfinite(t).all())]
    if bad:
        raise UserError(f"weight {bad[0]} is not finite after step {step}: not saved to {path}")
    for phase, optimiser in trainer.optimisers.items():
        for number, (weight, moments) in enumerate(_moments(optimiser)):
            for name, value in moments.items():
                tensors[f"optimiser.{phase}.{number}.{name}"] = value
            del weight
    for name, pool in trainer.pools.items():
        if pool.state is not None:
            tensors[f"pool.{name}"] = pool.state[: pool.count]
    metadata = {
        "format": FORMAT,
        "run": json.dumps(run.as_dict(), sort_keys=True),
        "step": str(step),
        "data": data,
        "pools": json.dumps(sorted(trainer.pools)),
    }
    write_atomic(path, tensors, metadata)


def _moments(optimiser: torch.optim.Optimizer) -> list[tuple[Tensor, dict[str, Tensor]]]:
    weights = [p for group in optimiser.param_groups for p in group["params"]]
    return [(p, optimiser.state[p]) for p in weights if p in optimiser.state]


def restore_training(checkpoint: Checkpoint, trainer: Trainer) -> None:
    """Put a trainer of the same configuration into the checkpoint's state, exactly."""
    _load_weights(trainer.method, checkpoint)
    for phase, optimiser in trainer.optimisers.items():
        stored = checkpoint.part(f"optimiser.{phase}")
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in stored.items():
            number, name = key.split(".", 1)
            state.setdefault(int(number), {})[name] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})
    for name, pool in trainer.pools.items():
        kept = checkpoint.tensors.get(f"pool.{name}")
        if kept is not None:
            pool.count = len(kept)
            pool.state = kept.new_zeros(pool.size, *kept.shape[1:])
            pool.state[: pool.count] = kept
            device = next(trainer.method.parameters()).device
            pool.state = pool.state.to(device)


def read_checkpoint(path: Path, *, weights_only: bool = False) -> Checkpoint:
    """Read a training checkpoint; UserError names what is wrong with a file that is not one."""
    if not path.exists():
        raise UserError(f"no checkpoint {path}: train first, or check the path")
    if path.is_dir():
        raise UserError(
            f"{path} is a folder: name its checkpoint, e.g. {path / 'last.safetensors'}"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or "run" not in metadata:
                raise UserError(
                    f"{path} is safetensors but no checkpoint of this program (format {FORMAT})"
                )
            keys = [k for k in file.keys() if not weights_only or k.startswith("model.")]  # noqa: SIM118
            tensors = {k: file.get_tensor(k) for k in keys}
        run = RunConfig.from_dict(json.loads(metadata["run"]))
        return Checkpoint(run, int(metadata["step"]), tensors, metadata.get("data", ""))
    except UserError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is no readable checkpoint ({str(error).splitlines()[0]}): it is truncated or "
            "of another format; original releases' .pt and .pth files go through "
            "'python -m reproduce convert'"
        ) from None


def _load_weights(method: Method, checkpoint: Checkpoint) -> None:
    try:
        method.load_state_dict(checkpoint.part("model"))
    except RuntimeError as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"checkpoint of {checkpoint.run.method} does not fit its own configuration: {detail}"
        ) from None


def load_method(path: Path, device: str = "cpu") -> tuple[Method, Checkpoint]:
    """The trained method of a checkpoint, ready to translate."""
    checkpoint = read_checkpoint(path, weights_only=True)
    method = new_method(checkpoint.run)
    _load_weights(method, checkpoint)
    return method.to(device).eval(), checkpoint


def new_method(run: RunConfig) -> Method:
    """The method of a run with its first weights, drawn from the run's seed."""
    return make_method(run.method, run.method_config, generator(run.seed, "weights"))


def read_pickle(path: Path) -> dict[str, Any]:
    """A state dict from an original release's file. Nothing but tensors and plain containers is
    unpickled: a file that asks for anything else is refused, not run."""
    if not path.is_file():
        raise UserError(f"no file {path}: give the path of a .pt or .pth checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} is refused: it is not a plain state dict (it asks for code to be run, "
            "or is damaged)"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is truncated or no PyTorch checkpoint ({reason})") from None
    if not isinstance(state, dict):
        raise UserError(f"{path} holds a {type(state).__name__}, not a state dict")
    return state
