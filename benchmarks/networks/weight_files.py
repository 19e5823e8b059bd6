"""Files of weights: read once, hashed, never executed; written atomically."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import safetensors.torch
import torch
from torch import nn

from benchmarks.files import foreign, whole
from models.errors import UserError


def read_bytes(path: Path, largest: int, remedy: str) -> bytes:
    """Read the file's bytes once, so that the bytes hashed are those parsed. Raises UserError,
    ending in ``remedy``, for a missing or unreadable file or more than ``largest`` bytes."""
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
    """Return the sha256 (hex) of ``content``, which must start with the 8+ digits ``expected``."""
    found = hashlib.sha256(content).hexdigest()
    if expected is not None and not (len(expected) >= 8 and found.startswith(expected.lower())):
        raise UserError(
            f"{path}: sha256 is {found}, expected {expected}: delete the file and fetch it again, "
            "or mend the expected hash"
        )
    return found


def parse_state(path: Path, content: bytes, largest: int, remedy: str) -> dict[str, torch.Tensor]:
    """Parse a state dict from a ``.safetensors`` file or a pickle, read as weights only."""
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
    # A broken file may raise any exception in the parser.
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
    """Raise UserError unless the names, shapes and kinds of a state are those of ``wanted`` and its
    values are finite. ``network``: the expected network, for the message."""
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


def hash_of_numbers(about: object, network: nn.Module) -> str:
    """Return the sha256 of JSON values and of every parameter's values, independent of any file."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"\n{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Trained(ABC):
    """A network trained by this project and its record, both saved in one file."""

    kind: ClassVar[str]
    network: nn.Module
    sha256: str

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Return JSON values with all facts about the network except its weights."""

    def to(self, device: torch.device | str) -> Self:
        """Move the network to ``device`` and return this object."""
        self.network.to(device)
        return self

    def save(self, path: Path) -> None:
        """Write the weights and the record to a ``.safetensors`` file, atomically."""
        on_cpu = {name: t.cpu().contiguous() for name, t in self.network.state_dict().items()}
        about = json.dumps(self.record(), sort_keys=True)
        with whole(path) as part:
            part.write_bytes(safetensors.torch.save(on_cpu, {self.kind: about}))


T = TypeVar("T", bound=Trained)
LARGEST_TRAINED = 2**27  # bytes; an Inception-v3 without its auxiliary head has 87 million


def load_trained(
    path: Path,
    kind: type[T],
    build: Callable[[dict[str, torch.Tensor], dict[str, Any]], T],
    device: torch.device | str,
) -> T:
    """Read a file that ``kind.save`` wrote; ``build`` creates the object from state and record.
    Raises UserError for other files, and weights not finite float32 or not as recorded."""
    remedy = "remove the file, so that it is trained again"
    content = read_bytes(path, LARGEST_TRAINED, remedy)
    with foreign(f"{path}: no {kind.kind} of this version", remedy):
        state = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header["__metadata__"][kind.kind])
        made = build(state, about)
        if made.sha256 != about["sha256"]:
            raise ValueError(f"weights have sha256 {made.sha256}, recorded is {about['sha256']}")
    for name, tensor in state.items():
        counter = name.endswith("num_batches_tracked")
        if (not counter and tensor.dtype != torch.float32) or not torch.isfinite(tensor).all():
            raise UserError(f"{path}: weights are not finite float32 numbers: {remedy}")
    return made.to(device)


@dataclass(frozen=True)
class Published:
    """A published Inception-v3: its ``owner``, its URL, and its largest size in bytes."""

    owner: str
    url: str
    largest: int = 2**28

    @property
    def remedy(self) -> str:
        return f"pass {self.owner}'s {self.url.rsplit('/', 1)[-1]} by its path"

    def read(
        self, path: Path | None, sha256: str | None, allow_download: bool,
        wanted: Mapping[str, torch.Tensor],
    ) -> FoundWeights:  # fmt: skip
        """Read the weights from ``path``, by default from torch's cache or, if allowed, by
        download.

        ``sha256`` (at least its first 8 digits): required hash of the file. The state must match
        ``wanted``, except for batch counters, which files by old versions of PyTorch lack. Raises
        UserError if the file is missing, broken, malicious or of another network.
        """
        if path is None:
            path = self._cached(allow_download)
            sha256 = sha256 or hash_digits(self.url)
        content = read_bytes(path, self.largest, self.remedy)
        found = check_sha256(path, content, sha256)
        counters = {k: v for k, v in wanted.items() if k.endswith("num_batches_tracked")}
        state = {k: torch.zeros((), dtype=v.dtype) for k, v in counters.items()}
        state |= parse_state(path, content, self.largest, self.remedy)
        check_state(path, state, wanted, f"{self.owner}'s Inception-v3", self.remedy)
        return FoundWeights(state, path.name, found, found.startswith(hash_digits(self.url)))

    def _cached(self, allow_download: bool) -> Path:
        file = Path(torch.hub.get_dir()) / "checkpoints" / self.url.rsplit("/", 1)[-1]
        if file.is_file():
            return file
        if not allow_download:
            raise UserError(f"no weights at {file}: allow the download, {self.remedy}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            digits = hash_digits(self.url)
            torch.hub.download_url_to_file(self.url, str(file), digits, progress=False)
        except (OSError, RuntimeError) as error:  # no network, disk full; or the wrong hash
            reason = " ".join(str(error).split())
            raise UserError(f"cannot download {self.url} ({reason}): {self.remedy}") from error
        return file


@dataclass(frozen=True)
class FoundWeights:
    """A checked state; ``sha256`` of the ``file``; ``verified``: it is the published file."""

    state: dict[str, torch.Tensor]
    file: str
    sha256: str
    verified: bool


def hash_digits(url: str) -> str:
    """Return ``abcd1234`` for ``.../name-abcd1234.pth``: torch.hub's first digits of the sha256."""
    return url.rsplit("-", 1)[-1].removesuffix(".pth")
