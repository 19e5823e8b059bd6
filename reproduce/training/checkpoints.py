"""Read and write checkpoints: one safetensors file each, written atomically.

A training checkpoint holds the weights (``model.*``), Adam's moments (``optimiser.*``) and the
image pools (``pool.*``) in one file, so that they always belong together, and the run's
configuration as JSON in its metadata. It needs no random state, because draws are counted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.networks.precision import no_tf32
from models.errors import UserError
from models.method import Method
from models.randomness import generator
from models.zoo import make_method
from reproduce.experiments.run import RunConfig
from reproduce.training.slim import Stored, fill
from reproduce.training.trainer import Trainer

OUTSIDE_DIGESTS = "a trained network is named by its run and its file"
FORMAT = "1"
IMPORTED = "imported"  # the task of a converted original, which only holds generators


class NonFiniteWeight(Exception):
    """A weight is NaN or infinite after ``step`` updates, although no loss was."""

    def __init__(self, step: int, weight: str) -> None:
        super().__init__(f"weight {weight} is not finite after step {step}")
        self.step, self.weight = step, weight


def write_atomic(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    *,
    keep: Path | None = None,
) -> None:
    """Write a safetensors file under a temporary name, flush it to disk, and rename it to ``path``.

    The previous file is kept as ``keep``, if given. Even if the process is killed, ``path`` is
    either the old file or the complete new one. Raises UserError if the file cannot be written.
    """
    # A temporary folder: safetensors writes temporary files of its own, which a kill would leave.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    plain = {k: t.detach().contiguous().cpu() for k, t in tensors.items()}
    try:
        part.mkdir(parents=True, exist_ok=True)
        new, old = part / "new", part / "old"
        save_file(plain, new, dict(metadata))
        _sort_metadata(new)
        old.touch()
        new.chmod(old.stat().st_mode)  # safetensors grants access to the owner only
        with new.open("rb") as file:
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            old.unlink()
            try:
                os.link(path, old)
            except OSError:  # a file system without hard links
                os.replace(path, old)
            os.replace(old, keep)
        os.replace(new, path)
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        reason = "the disk is full; free some space" if full else _reason(error)
        raise UserError(f"cannot write {path}: {reason}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sort_metadata(path: Path) -> None:
    """Sort a file's metadata, whose order safetensors randomises in every process: records identify
    checkpoints by their sha256, so equal contents must give equal files."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(8)
        file.write(text.ljust(length))


def remove_parts(folder: Path) -> None:
    """Remove unfinished files of killed processes; the caller must hold the folder's lock."""
    for part in folder.glob(".*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                part.unlink()


def _reason(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return words or " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file; tensors are on the CPU."""

    run: RunConfig
    step: int  # updates done
    tensors: dict[str, Tensor]
    data: str  # fingerprint of the pictures
    path: Path
    stored: Stored | None = None  # of a file with only the weights that translation needs

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors under ``prefix``, with the prefix removed from their names."""
        start = prefix + "."
        return {k[len(start) :]: t for k, t in self.tensors.items() if k.startswith(start)}


def save_training(
    path: Path, trainer: Trainer, run: RunConfig, step: int, data: str, *, keep: Path | None = None
) -> None:
    """Save a trainer after ``step`` updates; ``keep`` as in ``write_atomic``. Raises
    NonFiniteWeight, and saves nothing, if a weight is not finite."""
    tensors = model_tensors(trainer.method)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NonFiniteWeight(step, name.removeprefix("model."))
    for phase, optimiser in trainer.optimisers.items():
        weights = [p for group in optimiser.param_groups for p in group["params"]]
        for number, weight in enumerate(weights):
            for name, value in optimiser.state[weight].items():
                tensors[f"optimiser.{phase}.{number}.{name}"] = value
    for name, pool in trainer.pools.items():
        if pool.state is not None:
            tensors[f"pool.{name}"] = pool.state[: pool.count]
    write_atomic(path, tensors, describe(run, step, data), keep=keep)


def describe(run: RunConfig, step: int, data: str) -> dict[str, str]:
    """Return a checkpoint's metadata: run, number of updates, fingerprint of the pictures."""
    text = json.dumps(run.as_dict(), sort_keys=True)
    return {"format": FORMAT, "run": text, "step": str(step), "data": data}


def model_tensors(method: Method) -> dict[str, Tensor]:
    """Return a method's weights under their names in a checkpoint. The perceptual loss's VGG-16 is
    left out, since it is not trained."""
    state = method.state_dict()
    return {f"model.{k}": t for k, t in state.items() if not k.startswith("features.")}


def restore_training(checkpoint: Checkpoint, trainer: Trainer) -> None:
    """Restore the exact state of a trainer with the checkpoint's configuration."""
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
    """Read a checkpoint, or with ``weights_only`` its weights; UserError if the file is not one."""
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
            told = metadata.get("stored")
            if told is not None and not weights_only:
                raise UserError(
                    f"{path} holds no more than translating needs: training cannot go on from it"
                )
            stored = Stored.from_text(told) if told is not None else None
            keys = [k for k in file.keys() if not weights_only or k.startswith("model.")]  # noqa: SIM118
            tensors = {k: file.get_tensor(k) for k in keys}
        run = RunConfig.from_dict(json.loads(metadata["run"]))
        step, data = int(metadata["step"]), metadata.get("data", "")
        return Checkpoint(run, step, tensors, data, path, stored)
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        if isinstance(error, UserError) and str(path) in str(error):
            raise
        raise UserError(
            f"{path} is no readable checkpoint ({_reason(error)}): it is truncated or of another "
            "format; original releases' .pt and .pth files go through 'python -m reproduce convert'"
        ) from None


def _load_weights(method: Method, checkpoint: Checkpoint) -> None:
    state, own = checkpoint.part("model"), model_tensors(method)
    if checkpoint.stored is not None:
        fill(method, state, checkpoint.stored, checkpoint.run.size, checkpoint.path)
        return
    if checkpoint.run.task == IMPORTED:  # only some networks, each of them complete
        held = {k.split(".", 1)[0] for k in state}
        method.absent = frozenset(k.split(".")[1] for k in own) - held
        own = {k: t for k, t in own.items() if k.split(".")[1] in held}
    given = {(f"model.{k}", tuple(t.shape)) for k, t in state.items()}
    wrong = sorted(given ^ {(k, tuple(t.shape)) for k, t in own.items()})
    if wrong:
        raise UserError(
            f"{checkpoint.path} does not fit its own configuration ({wrong[0][0]} is missing, "
            "unknown or of another size): it is damaged; use another checkpoint"
        )
    method.load_state_dict(state, strict=False)  # it lacks the VGG-16


def begin_from(path: Path, method: Method, run: RunConfig) -> None:
    """Initialise a run's networks with the weights of another run or of a converted original.

    Networks that the checkpoint lacks (an original's discriminators) keep their initial weights.
    Raises UserError for weights that do not fit or are not finite."""
    checkpoint, own = read_checkpoint(path), model_tensors(method)
    given = {f"model.{k}": t for k, t in checkpoint.part("model").items()}
    networks = {k.split(".")[1] for k in given}
    missing = [k for k in own if k.split(".")[1] in networks and k not in given]
    wrong = missing + [k for k, t in given.items() if k not in own or own[k].shape != t.shape]
    if wrong or not given:
        shaping = {"method"} | {k for k, v in run.settings.items() if type(v) in (int, str)}
        different = [d for d in run.differences(checkpoint.run) if d.split("=")[0] in shaping]
        different.sort(key=lambda words: not words.startswith("method="))
        raise UserError(
            f"{path} holds other networks ({(wrong or ['none'])[0].removeprefix('model.')}), of "
            f"other settings: {', '.join(different[:4]) or 'unknown'}; begin with the same"
        )
    unfit = next((k for k, t in given.items() if not bool(torch.isfinite(t).all())), None)
    if unfit:
        raise UserError(f"{path} holds weights that are not finite ({unfit}): use an earlier one")
    method.load_state_dict(checkpoint.part("model"), strict=False)


def load_method(path: Path, device: str = "cpu") -> tuple[Method, Checkpoint]:
    """Load a checkpoint's trained method in evaluation mode. Turns TF32 off, as for measuring."""
    no_tf32()
    checkpoint = read_checkpoint(path, weights_only=True)
    try:
        method = new_method(checkpoint.run)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error}") from None
    _load_weights(method, checkpoint)
    return method.to(device).eval(), checkpoint


def new_method(run: RunConfig) -> Method:
    """Return the method of a run with its initial weights, drawn from the run's seed."""
    return make_method(run.method, run.method_config, generator(run.seed, "weights"))


def read_pickle(path: Path) -> dict[str, Any]:
    """Read a state dict from an original release's file. Only tensors and plain containers are
    unpickled; a file that asks for anything else raises UserError, and its code is not run."""
    if not path.is_file():
        raise UserError(f"no file {path}: give the path of a .pt or .pth checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} is refused: it is not a plain state dict (it asks for code to be run, "
            "or is damaged)"
        ) from None
    # A damaged file can raise any exception in the parser.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is truncated or no PyTorch checkpoint ({reason})") from None
    if not isinstance(state, dict):
        raise UserError(f"{path} holds a {type(state).__name__}, not a state dict")
    return state
