"""Conversion of weights to and from the parameter names of the original releases.

Covers NVlabs/MUNIT (MUNIT and UNIT ``release``), pytorch-CycleGAN-and-pix2pix and BicycleGAN.
``original_names(method)`` maps each of our parameter names to the original's, prefixed by the
network (``gen_a.``, ``G_A.``, ...); everything else here follows from that map. Files are read and
written by ``reproduce.training.checkpoints``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.autoencoders import AdaINDecoder, Upsampler
from models.bicyclegan import Bicyclegan
from models.blocks import CountedDropout
from models.cyclegan import Cyclegan
from models.discriminators import MultiPatchDiscriminator
from models.errors import UserError
from models.method import Method
from models.munit import Munit
from models.translators import LatentEncoder, ResnetBlock, ResnetGenerator, UNet
from models.unit import Unit

Pairs = Iterator[tuple[str, str]]  # prefixes of names: ours, theirs
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def original_names(method: Method) -> dict[str, str]:
    """Return our parameter and buffer names -> the original's; the map is one-to-one."""
    prefixes = sorted(_prefixes(method), key=lambda pair: -len(pair[0]))
    names: dict[str, str] = {}
    for ours in method.state_dict():
        match = next(((a, b) for a, b in prefixes if ours.startswith(a + ".")), None)
        if match is None:
            raise UserError(f"{type(method).__name__} has no published checkpoint format")
        suffix = ours[len(match[0]) :].replace(".activ.", ".activation.")
        names[ours] = match[1] + suffix
    assert len(set(names.values())) == len(names), "two of our names map to one of theirs"
    return names


def to_original(method: Method) -> dict[str, Tensor]:
    """Return all weights, and statistics that only the original has, under original names."""
    state = method.state_dict()
    names = {
        a: b for a, b in original_names(method).items() if a.split(".")[0] not in method.absent
    }
    out = {theirs: state[ours] for ours, theirs in names.items()}
    if isinstance(method, Munit):
        # The original's AdaIN registers statistics that it never uses or changes.
        for theirs in [k for k in out if ".dec.model.0." in k and k.endswith("conv.bias")]:
            norm = theirs.removesuffix("conv.bias") + "norm."
            out[norm + "running_mean"] = torch.zeros_like(out[theirs])
            out[norm + "running_var"] = torch.ones_like(out[theirs])
    return out


def load_original(method: Method, state: Mapping[str, Tensor], *, partial: bool = False) -> None:
    """Load weights by original names. ``partial``: networks without any entry stay unchanged (e.g.
    for a checkpoint of generators only). Unused normalisation statistics, which PyTorch 0.3 saved
    for instance norms, are dropped; any other mismatch raises UserError."""
    names = original_names(method)
    theirs = {b: a for a, b in names.items()}
    present = {key.split(".", 1)[0] for key in state}
    wanted = {b for b in theirs if not partial or b.split(".", 1)[0] in present}
    extra = sorted(k for k in state if k not in theirs and not k.endswith(STATISTICS))
    # Before PyTorch 0.4.1 batch norms had no batch counter; it is not used here.
    missing = sorted(k for k in wanted - set(state) if not k.endswith("num_batches_tracked"))
    if extra or missing:
        raise UserError(
            f"checkpoint does not fit {type(method).__name__}: "
            f"missing {missing[:3]}, unexpected {extra[:3]}; is it another method or size?"
        )
    own = method.state_dict()
    wanted &= set(state)
    for key in wanted:
        if state[key].shape != own[theirs[key]].shape:
            raise UserError(
                f"checkpoint weight {key} has shape {tuple(state[key].shape)}, "
                f"expected {tuple(own[theirs[key]].shape)}: it is of another size"
            )
    method.load_state_dict({theirs[key]: state[key] for key in wanted}, strict=False)
    held = {theirs[key].split(".", 1)[0] for key in wanted}
    method.absent = frozenset(key.split(".", 1)[0] for key in own) - held


def _prefixes(method: Method) -> Pairs:
    match method:
        case Munit():
            for d in "ab":
                yield from _munit(f"gen_{d}", method)
        case Unit() if method.config.recipe == "release":
            for d in "ab":
                c, dec = method.config, f"gen_{d}.dec"
                yield from _content(f"enc_{d}", f"gen_{d}.enc", c.n_downsample, c.n_res)
                yield from _residual(f"dec_{d}.res", f"{dec}.model.0", c.n_res)
                yield from _upsampler(f"dec_{d}.up", dec, getattr(method, f"dec_{d}").up)
        case Cyclegan():
            # Their D_A judges pictures of domain B.
            yield from _generator("gen_ab", "G_A", method.gen_ab)
            yield from _generator("gen_ba", "G_B", method.gen_ba)
            yield "dis_b.model", "D_A.model"
            yield "dis_a.model", "D_B.model"
        case Bicyclegan():
            yield from _generator("gen", "G", method.gen)
            yield from _latent_encoder(method.encoder, method.config.norm)
            yield from _patches("dis", "D", method.dis)
            if method.dis2 is not None:
                yield from _patches("dis2", "D2", method.dis2)
    if isinstance(method, (Munit, Unit)):
        for d in "ab":
            yield f"dis_{d}.scales", f"dis_{d}.cnns"


def _content(ours: str, theirs: str, n_downsample: int, n_res: int) -> Pairs:
    yield f"{ours}.down", f"{theirs}.model"
    yield from _residual(f"{ours}.res", f"{theirs}.model.{n_downsample + 1}", n_res)


def _residual(ours: str, theirs: str, n_res: int) -> Pairs:
    for j in range(n_res):
        for k, name in enumerate(("first", "second")):
            yield f"{ours}.{j}.{name}", f"{theirs}.model.{j}.model.{k}"


def _upsampler(ours: str, theirs: str, up: Upsampler) -> Pairs:
    for i in range(len(up.up)):
        yield f"{ours}.up.{i}", f"{theirs}.model.{2 + 2 * i}"
    yield f"{ours}.out", f"{theirs}.model.{1 + 2 * len(up.up)}"


def _munit(gen: str, method: Munit) -> Pairs:
    c = method.config
    yield from _content(f"{gen}.content", f"{gen}.enc_content", c.n_downsample, c.n_res)
    yield f"{gen}.style.down", f"{gen}.enc_style.model"
    yield f"{gen}.style.head", f"{gen}.enc_style.model.{c.n_style_downsample + 2}"
    for j in range(c.n_res):
        block = f"{gen}.dec.model.0.model.{j}.model"
        for k in (0, 1):
            yield f"{gen}.decoder.res.{j}.conv{k + 1}", f"{block}.{k}.conv"
        yield f"{gen}.decoder.res.{j}.activ", f"{block}.0.activation"
    decoder = getattr(method, gen).decoder
    assert isinstance(decoder, AdaINDecoder)
    yield from _upsampler(f"{gen}.decoder.up", f"{gen}.dec", decoder.up)
    for i in range(3):
        yield f"{gen}.decoder.mlp.layers.{2 * i}", f"{gen}.mlp.model.{i}.fc"
        yield f"{gen}.decoder.mlp.layers.{2 * i + 1}", f"{gen}.mlp.model.{i}.activation"


def _generator(ours: str, theirs: str, network: object) -> Pairs:
    if isinstance(network, ResnetGenerator):
        yield from _resnet(ours, theirs, network)
    elif isinstance(network, UNet):
        nested = _unet_all if network.where == "all" else _unet_input
        yield from nested(ours, theirs, network)


def _resnet(ours: str, theirs: str, network: ResnetGenerator) -> Pairs:
    n = len(network.res)
    for i in range(len(network.down)):
        yield f"{ours}.down.{i}", f"{theirs}.model.{i + 1}"  # padding is their layer 0
    for j, block in enumerate(network.res):
        here = f"{theirs}.model.{10 + j}.conv_block"
        assert isinstance(block, ResnetBlock)
        second = 6 if isinstance(block.dropout, CountedDropout) else 5
        yield f"{ours}.res.{j}.conv1", f"{here}.1"
        yield f"{ours}.res.{j}.norm1", f"{here}.2"
        yield f"{ours}.res.{j}.conv2", f"{here}.{second}"
        yield f"{ours}.res.{j}.norm2", f"{here}.{second + 1}"
    for i in range(6):
        yield f"{ours}.up.{i}", f"{theirs}.model.{10 + n + i}"
    yield f"{ours}.up.6", f"{theirs}.model.{17 + n}"  # after another padding layer


def _up_conv(network: UNet, level: int) -> tuple[str, int]:
    """Return our convolution of an upsampler, and the number of layers before the original's."""
    basic = not isinstance(network.up[level], torch.nn.Sequential)
    return (f"up.{level}", 0) if basic else (f"up.{level}.1", 2)


def _unet_all(ours: str, theirs: str, network: UNet) -> Pairs:
    for i in range(len(network.down)):
        block = f"{theirs}.model" + ".submodule" * i
        conv, offset = _up_conv(network, i)
        yield f"{ours}.down.{i}", f"{block}.down.{1 if i else 0}"
        yield f"{ours}.down_norm.{i}", f"{block}.down.2"
        yield f"{ours}.{conv}", f"{block}.up.{1 + offset}"
        yield f"{ours}.up_norm.{i}", f"{block}.up.{2 + offset}"


def _unet_input(ours: str, theirs: str, network: UNet) -> Pairs:
    depth, block = len(network.down), f"{theirs}.model.model"
    # CycleGAN's release keeps the position of an absent norm.
    normed = network.cyclegan or not isinstance(network.up_norm[1], torch.nn.Identity)
    for i in range(depth):
        conv, offset = _up_conv(network, i)
        first = 1 if i else 0
        inner = normed and 0 < i < depth - 1  # has a norm on the way down
        after = first + 1 + inner  # the submodule, or on the innermost level the activation
        up = after + (1 if i == depth - 1 else 2) + offset
        yield f"{ours}.down.{i}", f"{block}.{first}"
        yield f"{ours}.down_norm.{i}", f"{block}.{first + 1}"
        yield f"{ours}.{conv}", f"{block}.{up}"
        yield f"{ours}.up_norm.{i}", f"{block}.{up + 1}"
        block = f"{block}.{after}.model"


def _latent_encoder(encoder: LatentEncoder, norm: str) -> Pairs:
    first, second = (2, 5) if norm != "none" else (1, 3)
    block = {
        "conv1": f"conv.{first}", "conv2": f"conv.{second}.0", "norm1": "conv.0", "norm2": "conv.3",
        "shortcut": "shortcut.1",
    }  # fmt: skip
    yield "encoder.conv", "E.conv"
    for i, layer in enumerate(encoder.conv):
        if hasattr(layer, "shortcut"):
            yield from ((f"encoder.conv.{i}.{a}", f"E.conv.{i}.{b}") for a, b in block.items())
    yield "encoder.mean", "E.fc.0"
    yield "encoder.logvar", "E.fcVar.0"


def _patches(ours: str, theirs: str, network: MultiPatchDiscriminator) -> Pairs:
    for i in range(len(network.scales)):
        yield f"{ours}.scales.{i}", f"{theirs}.model" + (f"_{i}" if len(network.scales) > 1 else "")
