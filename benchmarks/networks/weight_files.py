"""Files of weights: read once, hashed, never run; written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import safetensors
import safetensors.torch
import torch

from models.errors import UserError


def read_bytes(path: Path, largest: int, remedy: str) -> bytes:
    """The file's bytes, read once: what is hashed is what is parsed.

    Raises UserError, ending in ``remedy``, for a missing or unreadable file and for one of more
    than ``largest`` bytes.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file: {remedy}")
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): {remedy}") from error
    if len(content) > largest:
        raise UserError(f"{path}: larger than {largest} bytes, so another file: {remedy}")
    return content


def check_sha256(path: Path, content: bytes, expected: str | None) -> str:
    """The sha256 (hex) of ``content``; UserError unless it begins with ``expected`` (8+ digits)."""
    found = hashlib.sha256(content).hexdigest()
    if expected is not None and not (len(expected) >= 8 and found.startswith(expected.lower())):
        raise UserError(
            f"{path}: sha256 is {found}, expected {expected}: delete the file and fetch it again, "
            "or mend the expected hash"
        )
    return found


def parse_state(path: Path, content: bytes, largest: int, remedy: str) -> dict[str, torch.Tensor]:
    """The state dict in a ``.safetensors`` file or a pickle, which is read as weights only."""
    stream = io.BytesIO(content)
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load(content)
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > largest:
                raise UserError(f"{path}: unpacks to {unpacked} bytes, so another file: {remedy}")
        stream.seek(0)
        state = torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: holds code or no weights at all, and was not run: {remedy}"
        ) from error
    except UserError:
        raise
    # A broken file surfaces as whatever the parser stumbled over.
    except Exception as error:
        raise UserError(f"{path}: truncated or not a file of weights: {remedy}") from error
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, no state dict: {remedy}")
    return cast("dict[str, torch.Tensor]", state)


def check_state(
    path: Path,
    state: Mapping[str, torch.Tensor],
    wanted: Mapping[str, torch.Tensor],
    network: str,
    remedy: str,
) -> None:
    """Refuse a state whose names, shapes or kinds are not those of ``wanted``, or not finite.

    ``network``: what it should be, for the message.
    """
    foreign = [str(name) for name in state if name not in wanted]
    if foreign:
        raise UserError(f"{path}: {foreign[0]!r} is no part of {network}: {remedy}")
    for name, expected in wanted.items():
        tensor = state.get(name)
        if not isinstance(tensor, torch.Tensor) or tensor.shape != expected.shape:
            shape = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else "missing"
            raise UserError(
                f"{path}: {name} is {shape}, {network} has {tuple(expected.shape)}: {remedy}"
            )
        same_kind = tensor.is_floating_point() == expected.is_floating_point()
        if tensor.layout != torch.strided or not same_kind:
            raise UserError(f"{path}: {name} holds no dense real numbers: {remedy}")
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds NaN or infinity: {remedy}")


def save_tensors(
    path: Path, state: Mapping[str, torch.Tensor], kind: str, about: Mapping[str, Any]
) -> None:
    """Write a ``.safetensors`` file of ``state`` and JSON values about it: whole or not at all."""
    on_cpu = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
    content = safetensors.torch.save(on_cpu, {kind: json.dumps(dict(about), sort_keys=True)})
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


T = TypeVar("T")


def load_tensors(
    path: Path,
    kind: str,
    build: Callable[[dict[str, torch.Tensor], dict[str, Any]], T],
    largest: int,
    remedy: str,
) -> T:
    """What ``build`` makes of the state and the JSON values that ``save_tensors`` wrote.

    Whatever ``build`` stumbles over in a foreign file, and weights that are not finite float32
    numbers, become a UserError that ends in ``remedy``.
    """
    content = read_bytes(path, largest, remedy)
    try:
        state = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header["__metadata__"][kind])
        made = build(state, about)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, AttributeError,
            RuntimeError) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: no {kind} of this version ({reason}): {remedy}") from error
    for name, tensor in state.items():
        counter = name.endswith("num_batches_tracked")
        if (not counter and tensor.dtype != torch.float32) or not torch.isfinite(tensor).all():
            raise UserError(f"{path}: weights are not finite float32 numbers: {remedy}")
    return made


def cached(url: str, allow_download: bool, remedy: str) -> Path:
    """The file of ``url`` in torch's own cache, downloaded if that is allowed.

    The name of the file ends in the first digits of its sha256, as torch.hub's do.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if file.is_file():
        return file
    if not allow_download:
        raise UserError(f"no weights at {file}: allow the download, {remedy}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), hash_digits(file), progress=False)
    except (OSError, RuntimeError) as error:  # no network, disk full; or the wrong hash
        reason = " ".join(str(error).split())
        raise UserError(f"cannot download {url} ({reason}): {remedy}") from error
    return file


def hash_digits(file: Path) -> str:
    """``abcd1234`` of ``name-abcd1234.pth``."""
    return file.stem.rsplit("-", 1)[-1]
