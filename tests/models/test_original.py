"""Names and numbers of the original releases.

``golden/networks.json`` has what each published network, rebuilt of plain PyTorch layers that are
nested as its release nests them, calls its weights, and what it computes with weights that are drawn
by their names. Ours have the same names and compute the same: that checks names, layer numbers,
orders of concatenation and in-place activations together.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_methods import TINY, normal
from torch import Tensor, nn

from models.errors import UserError
from models.method import Method
from models.original import load_original, original_names, to_original
from models.zoo import make_config, make_method

RECORDED = Path(__file__).parents[1] / "golden" / "networks.json"
VARIANTS: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))
EVERY_VARIANT = pytest.mark.parametrize(
    "recorded", VARIANTS, ids=[f"{v['method']}-{i}" for i, v in enumerate(VARIANTS)]
)


def build(name: str, **settings: object) -> Any:
    """A method in float64, all its weights and statistics drawn, biases too."""
    generator = torch.Generator().manual_seed(3)
    method = make_method(name, make_config(name, settings), generator).double()
    scramble(method, 4)
    return method


@torch.no_grad()
def scramble(network: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
            if key.endswith("running_var"):
                tensor.abs_().add_(0.5)
        else:
            tensor.fill_(7)


def by_name(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights that depend on their names alone."""
    found: dict[str, Tensor] = {}
    for name, like in state.items():
        seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        drawn = normal(*like.shape, seed=seed) * 0.3 if like.is_floating_point() else like * 0 + 7
        found[name] = drawn.abs() + 0.5 if name.endswith("running_var") else drawn
    return found


def pictures(n: int, size: int, channels: int = 3) -> Tensor:
    return normal(n, channels, size, size, seed=channels)


def outputs(method: Any, x: Tensor, z: Tensor) -> dict[str, Tensor]:
    """What a method computes, under the names of the record."""
    found: dict[str, Tensor] = {}

    def judged(name: str, maps: list[Tensor]) -> None:
        found.update({f"{name}.{i}": scores for i, scores in enumerate(maps)})

    match type(method).__name__:
        case "Munit" | "Unit":
            judged("dis_b", method.dis_b(x))
            styled = hasattr(method, "gen_b")
            found |= {"style": method.gen_b.style(x)} if styled else {}
            found["a2b"] = method.translate(x, "a2b", {"style": z} if styled else None)
        case "Cyclegan":
            if not method.config.dropout:  # batch norms with the batch's own statistics
                before = {k: v.clone() for k, v in method.state_dict().items()}
                found["a2b in training"] = method.translate(x, "a2b")
                method.load_state_dict(before)
            method.eval()
            found |= {d: method.translate(x, d) for d in ("a2b", "b2a")}
            judged("dis_b", method.dis_b(x))  # their D_A judges domain B
            judged("dis_a", method.dis_a(x))
        case "Bicyclegan":
            method.eval()
            found["a2b"] = method.translate(x, "a2b", {"z": z})
            judged("encoder", method.encoder(x))
            judged("dis", method.dis(pictures(2, 64, 6 if method.config.conditional else 3)))
    return found


@EVERY_VARIANT
def test_networks_are_the_published_ones(recorded: dict[str, Any]) -> None:
    method = build(recorded["method"], **recorded["settings"])
    state = to_original(method)
    lines = sorted(f"{name} {tuple(tensor.shape)}" for name, tensor in state.items())
    told = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert told == recorded["names"], lines
    drawn = by_name(state)
    load_original(method, drawn)
    again, names = to_original(method), original_names(method).values()
    assert all(torch.equal(again[name], drawn[name]) for name in names)
    with torch.no_grad():
        found = outputs(method, pictures(2, 64), pictures(2, 64, 1)[:, 0, 0, :3])
    assert found.keys() == recorded["outputs"].keys()
    for name, (shape, norm, product) in recorded["outputs"].items():
        out = found[name]
        assert list(out.shape) == shape, name
        # Its length, and its product with fixed draws.
        told = [out.norm().item(), (out * normal(*shape, seed=9)).sum().item()]
        assert told == pytest.approx([norm, product], rel=1e-9, abs=1e-9), name


def small_munit() -> Method:
    return build("munit", **TINY["munit"])


def test_statistics_of_pytorch_0_3_are_ignored() -> None:
    method, other = small_munit(), small_munit()
    state = to_original(method)
    for key in [k for k in state if k.endswith("conv.bias") and "enc_content" in k]:
        norm = key.replace("conv.bias", "norm.")
        state[norm + "running_mean"] = torch.full_like(state[key], 5)
        state[norm + "running_var"] = torch.full_like(state[key], 5)
    state["gen_a.dec.model.0.model.0.model.0.norm.running_mean"] += 3
    scramble(other, 99)
    load_original(other, state)
    x = pictures(1, 16)
    assert torch.equal(other.translate(x, "a2b"), method.translate(x, "a2b"))


def test_batch_norm_without_its_count_of_batches_loads() -> None:
    method = build("cyclegan", **TINY["cyclegan"], norm="bn")
    state = {k: v for k, v in to_original(method).items() if "num_batches" not in k}
    other = build("cyclegan", **TINY["cyclegan"], norm="bn")
    scramble(other, 99)
    load_original(other, state)
    method.eval(), other.eval()
    x = pictures(1, 16)
    assert torch.equal(other.translate(x, "a2b"), method.translate(x, "a2b"))


def test_partial_checkpoints_need_whole_networks() -> None:
    method, other = small_munit(), small_munit()
    scramble(other, 99)
    untouched = other.state_dict()["dis_a.scales.0.0.conv.weight"].clone()
    generators = {k: v for k, v in to_original(method).items() if k.startswith("gen_")}
    with pytest.raises(UserError, match="missing.*dis_a"):
        load_original(other, generators)
    load_original(other, generators, partial=True)
    assert torch.equal(other.state_dict()["dis_a.scales.0.0.conv.weight"], untouched)
    del generators["gen_a.mlp.model.0.fc.bias"]
    with pytest.raises(UserError, match=r"missing \['gen_a.mlp.model.0.fc.bias'\]"):
        load_original(other, generators, partial=True)


def test_foreign_checkpoints_are_refused_and_change_nothing() -> None:
    method = small_munit()
    before = {k: v.clone() for k, v in method.state_dict().items()}
    state = to_original(method)
    key = "gen_b.enc_style.model.0.conv.weight"
    for wrong, words in (
        (state | {"gen_a.extra.weight": torch.zeros(1)}, "unexpected.*gen_a.extra.weight"),
        (state | {key: torch.zeros(9, 3, 7, 7)}, r"shape \(9, 3, 7, 7\).*expected \(2, 3, 7, 7\)"),
        (to_original(build("unit-release", **TINY["unit-release"])), "does not fit Munit"),
    ):
        with pytest.raises(UserError, match=words):
            load_original(method, wrong)
    assert all(torch.equal(v, before[k]) for k, v in method.state_dict().items())


def test_methods_without_a_release_say_so() -> None:
    with pytest.raises(UserError, match="no published checkpoint format"):
        to_original(build("unit", **TINY["unit"]))
