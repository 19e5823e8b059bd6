"""Convert checkpoints from and to the formats of the original releases.

- NVlabs/MUNIT: ``gen_*.pt`` holds ``{"a": state, "b": state}`` (MUNIT, and UNIT's release).
- pytorch-CycleGAN-and-pix2pix: ``latest_net_G_A.pth`` (and ``G_B``) hold one generator's state.
- BicycleGAN: ``*_net_G.pth`` and ``*_net_E.pth`` likewise.

Sizes (widths, numbers of blocks) are inferred from the weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.files import foreign, whole
from models.errors import UserError
from models.original import load_original, to_original
from models.zoo import make_config, nearest
from reproduce.experiments.run import RunConfig
from reproduce.training.checkpoints import (
    IMPORTED,
    describe,
    load_method,
    new_method,
    read_pickle,
    write_atomic,
)

State = Mapping[str, Tensor]


def import_original(path: Path, method: str, out: Path, size: int) -> list[Path]:
    """Convert an original's checkpoint to ours, ``out``, for translation (it has no optimiser)."""
    if method not in _READERS:
        raise UserError(f"'{method}' has no original checkpoints: {nearest(method, _READERS)}")
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: name the converted checkpoint *.safetensors")
    state, settings = _READERS[method](path)
    config = make_config(method, settings)
    run = RunConfig(method=method, task=IMPORTED, size=size, steps=1, settings=asdict(config))
    network = new_method(run)
    network.check_size(size, size, training=False)
    load_original(network, state, partial=True)
    weights = {
        f"model.{k}": t
        for k, t in network.state_dict().items()
        if k.split(".", 1)[0] not in network.absent
    }
    write_atomic(out, weights, describe(run, 1, ""))
    return [out]


def export_original(checkpoint: Path, out: Path) -> list[Path]:
    """Write a checkpoint's generators in the original's format; return the files. ``out``: a .pt
    file for MUNIT and UNIT, a folder for CycleGAN and BicycleGAN (``latest_net_G_A.pth``, ...)."""
    method, read = load_method(checkpoint)
    if read.stored is not None:
        raise UserError(
            f"{checkpoint} only holds weights for translation: export the run's full checkpoint"
        )
    state = to_original(method)
    _refuse_nan(state, checkpoint)
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        network, name = key.split(".", 1)
        parts.setdefault(network, {})[name] = value
    if "gen_a" in parts:
        if out.suffix != ".pt":
            raise UserError(f"{out}: {read.run.method} is written to a single file, name it *.pt")
        _save({"a": parts["gen_a"], "b": parts["gen_b"]}, out)
        return [out]
    written = []
    for network in sorted(parts):
        path = out / f"latest_net_{network}.pth"
        _save(parts[network], path)
        written.append(path)
    return written


def _save(state: object, path: Path) -> None:
    with foreign(f"cannot write {path}", "choose another --out"), whole(path) as part:
        torch.save(state, part)


def _tensors(state: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(state, Mapping) or not state:
        raise UserError(f"{path} does not hold the state dict of a network")
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise UserError(f"{path} holds more than named tensors: it is not a generator's state dict")
    _refuse_nan(state, path)
    # DataParallel prefixes every name.
    return {k.removeprefix("module."): v for k, v in state.items()}


def _refuse_nan(state: State, path: Path) -> None:
    unfit = next((k for k, v in state.items() if not bool(torch.isfinite(v.float()).all())), None)
    if unfit is not None:
        raise UserError(
            f"{path} has non-finite weights ({unfit}): its training diverged; use an earlier "
            "checkpoint"
        )


def _shape(state: State, key: str, path: Path) -> tuple[int, ...]:
    """Return the shape of a convolution's or linear layer's weight."""
    if key not in state:
        raise UserError(f"{path} lacks {key}: it belongs to another method or release")
    shape = tuple(state[key].shape)
    if len(shape) not in (2, 4) or 0 in shape:
        raise UserError(f"{path}: {key} has shape {shape}, which fits no layer: it is damaged")
    return shape


def _count(state: State, pattern: str) -> int:
    """Count the distinct values of the pattern's group among the names."""
    return len({m.group(1) for k in state if (m := re.match(pattern, k))})


def _trainer_state(path: Path) -> dict[str, Tensor]:
    """Read gen_*.pt as one state dict with the prefixes ``gen_a.`` and ``gen_b.``."""
    loaded = read_pickle(path)
    if set(loaded) != {"a", "b"}:
        raise UserError(
            f"{path} is not a gen_*.pt of MUNIT's release: it holds {sorted(map(str, loaded))[:4]} "
            "instead of 'a' and 'b' (is it an optimiser's, or another method's?)"
        )
    return {f"gen_{d}.{k}": v for d in "ab" for k, v in _tensors(loaded[d], path).items()}


def _norm(state: State, name: str) -> str:
    """Return "bn" or "in": batch norms have weights, instance norms have none."""
    return "bn" if f"{name}.weight" in state else "in"


def _shared_settings(state: State, path: Path, encoder: str) -> dict[str, Any]:
    first = _shape(state, f"gen_a.{encoder}.model.0.conv.weight", path)
    convs = _count(state, rf"gen_a\.{re.escape(encoder)}\.model\.(\d+)\.conv\.weight")
    blocks = rf"gen_a\.{re.escape(encoder)}\.model\.{convs}\.model\.(\d+)\."
    second = _shape(state, f"gen_b.{encoder}.model.0.conv.weight", path)
    return {
        "dim": first[0], "channels_a": first[1], "channels_b": second[1],
        "n_downsample": convs - 1, "n_res": _count(state, blocks),
        "activ": "prelu" if f"gen_a.{encoder}.model.0.activation.weight" in state else "relu",
    }  # fmt: skip


def _read_munit(path: Path) -> tuple[State, dict[str, Any]]:
    state = _trainer_state(path)
    settings = _shared_settings(state, path, "enc_content")
    convs = _count(state, r"gen_a\.enc_style\.model\.(\d+)\.conv\.weight")
    mlp = _shape(state, "gen_a.mlp.model.0.fc.weight", path)
    settings |= {"n_style_downsample": convs - 1, "mlp_dim": mlp[0], "style_dim": mlp[1]}
    return state, settings


def _read_unit(path: Path) -> tuple[State, dict[str, Any]]:
    state = _trainer_state(path)
    return state, _shared_settings(state, path, "enc")


def _sibling(path: Path, old: str, new: str) -> Path | None:
    other = path.with_name(path.name.replace(old, new))
    return other if other != path and other.exists() else None


def _read_cyclegan(path: Path) -> tuple[State, dict[str, Any]]:
    """Read ``*_net_G_A.pth``, and ``*_net_G_B.pth`` if it is in the same folder."""
    if "G_B" in path.name:
        raise UserError(f"{path} is the b-to-a generator: give the G_A file, this one beside it")
    state = {f"G_A.{k}": v for k, v in _tensors(read_pickle(path), path).items()}
    if other := _sibling(path, "G_A", "G_B"):
        state |= {f"G_B.{k}": v for k, v in _tensors(read_pickle(other), other).items()}
    first = _shape(state, "G_A.model.1.weight", path)
    ends = {int(m.group(1)) for k in state if (m := re.fullmatch(r"G_A\.model\.(\d+)\.weight", k))}
    settings: dict[str, Any] = {
        "dim": first[0], "channels_a": first[1],
        "channels_b": _shape(state, f"G_A.model.{max(ends)}.weight", path)[0],
        "n_blocks": _count(state, r"G_A\.model\.(\d+)\.conv_block\."),
        # Without dropout, the second convolution of a block is layer 5 instead of 6.
        "dropout": "G_A.model.10.conv_block.5.weight" not in state,
        "norm": _norm(state, "G_A.model.2"),
    }  # fmt: skip
    if settings["channels_a"] != settings["channels_b"]:
        settings["identity"] = 0.0  # the identity loss needs equal numbers of channels
    return state, settings


def _read_bicyclegan(path: Path) -> tuple[State, dict[str, Any]]:
    """Read ``*_net_G.pth``, and ``*_net_E.pth`` if it is in the same folder."""
    state = {f"G.{k}": v for k, v in _tensors(read_pickle(path), path).items()}
    if other := _sibling(path, "net_G", "net_E"):
        state |= {f"E.{k}": v for k, v in _tensors(read_pickle(other), other).items()}
    if "G.model.down.0.weight" in state:
        first = _shape(state, "G.model.down.0.weight", path)
        depth = 1 + max(k.split(".down.")[0].count("submodule") for k in state if ".down." in k)
        inner = _shape(state, "G.model.submodule.down.1.weight", path)
        up, norm = "G.model.up.", "G.model.submodule.down.2"
        settings: dict[str, Any] = {"where": "all", "noise_dim": inner[1] - first[0]}
    else:
        first = _shape(state, "G.model.model.0.weight", path)
        depth = max(len(re.findall(r"model\.\d", k)) for k in state if k.startswith("G."))
        up, norm = "G.model.model.", "G.model.model.1.model.2"
        settings = {"where": "input", "noise_dim": first[1] - 3}
    settings |= {"dim": first[0], "depth": depth, "channels_a": first[1] - settings["noise_dim"]}
    # The last layer is a transposed convolution (in, out, 4, 4), or upsampling, padding and a
    # convolution (out, in, 3, 3).
    basic, bilinear = (1, 3) if settings["where"] == "all" else (3, 5)
    settings["upsample"] = "bilinear" if f"{up}{bilinear}.weight" in state else "basic"
    if settings["upsample"] == "bilinear":
        settings["channels_b"] = _shape(state, f"{up}{bilinear}.weight", path)[0]
    else:
        settings["channels_b"] = _shape(state, f"{up}{basic}.weight", path)[1]
    settings["norm"] = _norm(state, norm)
    if "E.conv.0.weight" in state:
        blocks = 1 + _count(state, r"E\.conv\.(\d+)\.shortcut\.")
        convs = sum(len(v.shape) == 4 for k, v in state.items() if k.startswith("E.conv."))
        settings |= {
            "enc_dim": _shape(state, "E.conv.0.weight", path)[0],
            "enc_kind": "resnet" if blocks > 1 else "conv",
            "enc_blocks": blocks if blocks > 1 else convs,
        }
    return state, settings


_READERS: dict[str, Callable[[Path], tuple[State, dict[str, Any]]]] = {
    "munit": _read_munit,
    "unit-release": _read_unit,
    "cyclegan": _read_cyclegan,
    "bicyclegan": _read_bicyclegan,
}
