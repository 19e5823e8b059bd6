"""What translating needs of a trained run, small enough for a repository.

A stored file is a checkpoint without what translating never reads: discriminators, Adam's moments,
histories, and the networks of directions that no table measures. Three rules make it small:

- only tensors that translating in the stored directions reads, in random styles or in an example's,
  which is found by watching it;
- in float16 (11 bits of precision: pictures change by less than half a grey level);
- without the rims of 4x4 kernels that training never reached, because they saw nothing but padding
  (innermost layers of U-nets on small pictures). They have their first values still, which the
  run's seed gives again.

``load_method`` reads such a file as any checkpoint; it refuses what the file cannot do. Beside the
weights lies the translation of one picture by them, which tells whether the code still gives it.
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
PROBE = "probe."  # of tensors that are a translation, by direction
RIM = 1  # pixels of a kernel on each side


@dataclass(frozen=True)
class Stored:
    """What a stored file says of itself.

    ``checkpoint_sha256``: of the full checkpoint, as records name it; ``directions`` that it can
    translate in; ``rims``: tensors that lack theirs.
    """

    checkpoint_sha256: str
    directions: tuple[Direction, ...]
    rims: tuple[str, ...]

    def as_text(self) -> str:
        """For a file's metadata."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_text(text: str) -> Stored:
        """The inverse of ``as_text``; ValueError for anything else."""
        about = dict(json.loads(text))
        told = about.get("directions", ())
        directions = tuple(d for d in DIRECTIONS if d in told)
        if not {f.name for f in fields(Stored)} <= about.keys() or not 0 < len(directions) == len(
            told
        ):
            raise ValueError("it does not say what was stored")
        rims = tuple(map(str, about["rims"]))
        return Stored(str(about["checkpoint_sha256"]), directions, rims)


@torch.no_grad()
def tensors_read(method: Method, directions: Sequence[Direction], size: int) -> set[str]:
    """Names of the weights that translating pictures of ``size`` pixels reads, in the styles of
    examples too where ``method`` can take them."""
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
    method.eval()  # norms of batches would count this one
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
    """The translation (1, C, size, size) of one fixed picture with one fixed noise."""
    draws = torch.Generator().manual_seed(0)
    channels = method.config.channels_a if direction == "a2b" else method.config.channels_b
    picture = torch.rand(1, channels, size, size, generator=draws) * 2 - 1
    return method.translate(picture, direction, method.draw_noise(1, size, size, draws) or None)


def stored_probe(path: Path, direction: Direction) -> Tensor:
    """What ``probe`` gave when the file was written; UserError for a file that does not tell."""
    try:
        with safe_open(path, framework="pt") as file:
            found: Tensor = file.get_tensor(PROBE + direction)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} holds no translation to compare with ({error})") from None
    return found


def shrunk(
    weights: Mapping[str, Tensor], first: Mapping[str, Tensor], names: set[str]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors ``names`` as a stored file has them, and which of them lost their rims.

    ``first``: the weights that training began with.
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
            # What is beyond float16 stays as it is.
            tensor = half if bool(torch.isfinite(half).all()) else tensor
        found[name] = tensor.contiguous()
    return found, tuple(rims)


def fill(
    method: Method, state: Mapping[str, Tensor], stored: Stored, size: int, path: Path
) -> None:
    """Give a ``method`` with its first weights those of a stored file, and make it refuse to
    translate with any that the file lacks.

    Raises UserError for a file that lacks a tensor, or has another one or one of another size.
    """
    wanted = tensors_read(method, stored.directions, size)
    wrong = sorted(wanted ^ set(state))
    if not wrong:
        own = method.state_dict()
        wrong = [n for n, t in state.items() if _target(own[n], n, stored).shape != t.shape]
    if wrong:
        raise UserError(
            f"{path} does not fit its own configuration ({wrong[0]} is missing, unknown or of "
            "another size): it is damaged; restore it from version control"
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
            f"{path} was stored for {' and '.join(stored.directions)} and holds no weights of {name}: "
            "use the run's own checkpoint"
        )

    return refuse


def _own(module: nn.Module) -> list[str]:
    """What a checkpoint has of a module itself, not of those in it."""
    return [name for name in module.state_dict() if "." not in name]


def _target(tensor: Tensor, name: str, stored: Stored) -> Tensor:
    """Where a stored tensor goes: a view of the whole one, or of it without its rim."""
    return _centre(tensor) if name in stored.rims else tensor


def _centre(tensor: Tensor) -> Tensor:
    return tensor[..., RIM:-RIM, RIM:-RIM]


def _rim_is_first(tensor: Tensor, first: Tensor) -> bool:
    """Whether training left the rim of a kernel as it was, bit by bit."""
    if tensor.ndim != 4 or tuple(tensor.shape[2:]) != (4, 4):
        return False
    changed = tensor != first
    _centre(changed).fill_(False)
    return not bool(changed.any()) and bool((tensor != first).any())
