"""Shrink a checkpoint to the weights that translation needs, small enough for a repository.

A stored file is a checkpoint without discriminators, Adam's moments, image pools, and the networks
for directions that no table measures. Three rules make it small:

- it only holds tensors that translation in the stored directions reads, with random styles or an
  example's style; forward hooks record them;
- they are in float16 (11 bits of precision: pictures change by less than half a grey level);
- it omits the rims of 4x4 kernels that training never changed, because they only saw padding
  (innermost layers of U-nets on small pictures). Their initial values are drawn again from the
  run's seed.

``load_method`` reads a stored file like any checkpoint, and refuses what the file cannot do. The
file also holds each direction's translation of one picture, to check that the code reproduces it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from models.errors import UserError
from models.method import DIRECTIONS, Direction, Method

OUTSIDE_DIGESTS = "a trained network is named by its run and its file"
LIMIT = 40_000_000  # bytes of all stored weights together
PRECISION = torch.float16
PROBE = "probe."  # prefix of the stored translations, one per direction
RIM = 1  # width of a kernel's rim in pixels


@dataclass(frozen=True)
class Stored:
    """Metadata of a stored file.

    ``checkpoint_sha256``: of the full checkpoint, as in records; ``directions``: those that the
    file can translate; ``rims``: names of the tensors without their rims.
    """

    checkpoint_sha256: str
    directions: tuple[Direction, ...]
    rims: tuple[str, ...]

    def as_text(self) -> str:
        """Return it as JSON for a file's metadata."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_text(text: str) -> Stored:
        """Invert ``as_text``; ValueError for any other text."""
        about = dict(json.loads(text))
        told = about.get("directions", ())
        directions = tuple(d for d in DIRECTIONS if d in told)
        if not {f.name for f in fields(Stored)} <= about.keys() or not 0 < len(directions) == len(
            told
        ):
            raise ValueError("it does not list what was stored")
        rims = tuple(map(str, about["rims"]))
        return Stored(str(about["checkpoint_sha256"]), directions, rims)


@torch.no_grad()
def tensors_read(method: Method, directions: Sequence[Direction], size: int) -> set[str]:
    """Return the names of the weights that translation of ``size``-pixel pictures reads, including
    the style encoder of a ``method`` that takes styles from examples."""
    read: set[str] = set()

    def watch(prefix: str) -> Callable[..., None]:
        def seen(module: nn.Module, _: object) -> None:
            read.update(f"{prefix}{name}" for name in _own(module))

        return seen

    hooks = [
        module.register_forward_pre_hook(watch(f"{name}." if name else ""))
        for name, module in method.named_modules()
    ]
    training = method.training
    method.eval()  # batch norms would include this batch in their statistics
    try:
        for direction in directions:
            probe(method, direction, size)
            if method.style_role:
                channels = (method.config.channels_a, method.config.channels_b)
                method.style_of(torch.zeros(1, channels[direction == "a2b"], size, size), direction)
    finally:
        method.train(training)
        for hook in hooks:
            hook.remove()
    return read & set(method.state_dict())


@torch.no_grad()
def probe(method: Method, direction: Direction, size: int) -> Tensor:
    """Translate one fixed picture with one fixed noise; returns (1, C, size, size)."""
    draws = torch.Generator().manual_seed(0)
    channels = method.config.channels_a if direction == "a2b" else method.config.channels_b
    picture = torch.rand(1, channels, size, size, generator=draws) * 2 - 1
    return method.translate(picture, direction, method.draw_noise(1, size, size, draws) or None)


def stored_probe(path: Path, direction: Direction) -> Tensor:
    """Return the ``probe`` that was stored with the file; UserError for a file without one."""
    try:
        with safe_open(path, framework="pt") as file:
            found: Tensor = file.get_tensor(PROBE + direction)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} has no stored translation to compare with ({error})") from None
    return found


def shrunk(
    weights: Mapping[str, Tensor], first: Mapping[str, Tensor], names: set[str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors ``names`` as they are stored, and the names of those without their rims.

    ``first``: the initial weights of the training.
    """
    found: dict[str, Tensor] = {}
    rims = []
    for name in sorted(names):
        tensor = weights[name].detach().cpu()
        if _rim_is_first(tensor, first[name].detach().cpu()):
            tensor = _centre(tensor)
            rims.append(name)
        if tensor.is_floating_point():
            half = tensor.to(PRECISION)
            # Tensors with values beyond float16's range are not converted.
            tensor = half if bool(torch.isfinite(half).all()) else tensor
        found[name] = tensor.contiguous()
    return found, tuple(rims)


def fill(
    method: Method, state: Mapping[str, Tensor], stored: Stored, size: int, path: Path
) -> None:
    """Load a stored file's weights into a ``method`` with its initial weights, and make networks
    that the file lacks raise UserError when they are used.

    Raises UserError for a missing or unknown tensor, or one of the wrong size.
    """
    wanted = tensors_read(method, stored.directions, size)
    wrong = sorted(wanted ^ set(state))
    if not wrong:
        own = method.state_dict()
        wrong = [n for n, t in state.items() if _target(own[n], n, stored).shape != t.shape]
    if wrong:
        raise UserError(
            f"{path} does not fit its own configuration ({wrong[0]} is missing, unknown or of the "
            "wrong size): it is damaged; restore it from version control"
        )
    with torch.no_grad():
        for name, tensor in state.items():
            _target(own[name], name, stored).copy_(tensor)
    for name, module in method.named_modules():
        if not {f"{name}.{key}" for key in _own(module)} <= wanted:
            module.register_forward_pre_hook(_refusing(name, stored, path))


def _refusing(name: str, stored: Stored, path: Path) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise UserError(
            f"{path} was stored for {' and '.join(stored.directions)} and has no weights of "
            f"{name}: use the run's full checkpoint"
        )

    return refuse


def _own(module: nn.Module) -> list[str]:
    """Return the names of a module's own tensors in a checkpoint, without its submodules'."""
    return [name for name in module.state_dict() if "." not in name]


def _target(tensor: Tensor, name: str, stored: Stored) -> Tensor:
    """Return the view that a stored tensor is copied to: all of ``tensor``, or all but its rim."""
    return _centre(tensor) if name in stored.rims else tensor


def _centre(tensor: Tensor) -> Tensor:
    return tensor[..., RIM:-RIM, RIM:-RIM]


def _rim_is_first(tensor: Tensor, first: Tensor) -> bool:
    """Return whether training changed a 4x4 kernel but, bit for bit, not its rim."""
    if tensor.ndim != 4 or tuple(tensor.shape[2:]) != (4, 4):
        return False
    changed = tensor != first
    _centre(changed).fill_(False)
    return not bool(changed.any()) and bool((tensor != first).any())
