"""Names and numbers of the original releases.

Each published network is rebuilt here from plain torch layers, nested as its release nests them.
Our weights under the original names must load into it strictly, and both must compute the same:
that checks names, layer numbers, orders of concatenation and in-place activations together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.errors import UserError
from models.method import Method
from models.original import load_original, original_names, to_original
from models.zoo import make_config, make_method

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "in": nn.InstanceNorm2d,
    "bn": nn.BatchNorm2d,
    "none": lambda channels: nn.Identity(),
}


def build(name: str, **settings: object) -> Method:
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


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def pictures(n: int, size: int, channels: int = 3, seed: int = 0) -> Tensor:
    shape = (n, channels, size, size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def sequence(*layers: nn.Module | None) -> nn.Sequential:
    return nn.Sequential(*(layer for layer in layers if layer is not None))


# MUNIT and UNIT, as NVlabs/MUNIT nests them -----------------------------------------------------


class Named(nn.Module):
    """Children by name, run in order."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, x: Tensor) -> Tensor:
        for child in self.children():
            x = child(x)
        return x


class Plus(Named):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x


class Layer(Named):
    """(x - mean) / (std + eps) of the whole sample."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        mean, std = (t.view(-1, 1, 1, 1) for t in (flat.mean(1), flat.std(1)))
        return (x - mean) / (std + 1e-5) * self.gamma.view(-1, 1, 1) + self.beta.view(-1, 1, 1)


class Ada(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.numbers: Tensor

    def forward(self, x: Tensor) -> Tensor:
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
        offset, gain = (t[:, :, None, None] for t in self.numbers.chunk(2, 1))
        return (x - mean) / (var + 1e-5).sqrt() * gain + offset


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "lrelu": lambda: nn.LeakyReLU(0.2, inplace=True),
    "prelu": nn.PReLU,
    "selu": lambda: nn.SELU(inplace=True),
    "tanh": nn.Tanh,
}
PADS = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d, "zero": nn.ZeroPad2d}
MUNIT_NORMS: dict[str, Any] = dict(NORMS, none=None, ln=Layer, adain=Ada)


def conv(c_in: int, c_out: int, kernel: int, stride: int, pad: int, *, norm: str = "none",
         activ: str | None, kind: str) -> nn.Module:  # fmt: skip
    children: dict[str, nn.Module] = {"pad": PADS[kind](pad)}
    children["conv"] = nn.Conv2d(c_in, c_out, kernel, stride)
    if norm != "none":
        children["norm"] = MUNIT_NORMS[norm](c_out)
    if activ:
        children["activation"] = ACTIVATIONS[activ]()
    return Named(**children)


def residual(n: int, dim: int, norm: str, activ: str, kind: str) -> nn.Module:
    style: dict[str, Any] = dict(norm=norm, kind=kind)
    blocks = [
        Plus(model=sequence(conv(dim, dim, 3, 1, 1, activ=activ, **style),
                            conv(dim, dim, 3, 1, 1, activ=None, **style)))
        for _ in range(n)
    ]  # fmt: skip
    return Named(model=nn.Sequential(*blocks))


def content(c: Any) -> nn.Module:
    style: dict[str, Any] = dict(norm="in", activ=c.activ, kind=c.pad)
    layers, dim = [conv(3, c.dim, 7, 1, 3, **style)], c.dim
    for _ in range(c.n_downsample):
        layers.append(conv(dim, 2 * dim, 4, 2, 1, **style))
        dim *= 2
    layers.append(residual(c.n_res, dim, "in", c.activ, c.pad))
    return Named(model=nn.Sequential(*layers))


def style_encoder(c: Any) -> nn.Module:
    style: dict[str, Any] = dict(activ=c.activ, kind=c.pad)
    widths = [c.dim, 2 * c.dim, 4 * c.dim, 4 * c.dim, 4 * c.dim]
    layers = [conv(3, c.dim, 7, 1, 3, **style)]
    layers += [conv(a, b, 4, 2, 1, **style) for a, b in itertools.pairwise(widths)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(widths[-1], c.style_dim, 1)]
    return Named(model=nn.Sequential(*layers))


def decoder(c: Any, norm: str) -> nn.Module:
    dim = c.dim * 2**c.n_downsample
    layers = [residual(c.n_res, dim, norm, c.activ, c.pad)]
    for _ in range(c.n_downsample):
        layers.append(nn.Upsample(scale_factor=2))
        layers.append(conv(dim, dim // 2, 5, 1, 2, norm="ln", activ=c.activ, kind=c.pad))
        dim //= 2
    layers.append(conv(dim, 3, 7, 1, 3, activ="tanh", kind=c.pad))
    return Named(model=nn.Sequential(*layers))


def mlp(c: Any) -> nn.Module:
    n_out = 4 * c.n_res * c.dim * 2**c.n_downsample
    first = Named(fc=nn.Linear(c.style_dim, c.mlp_dim), activation=ACTIVATIONS[c.activ]())
    second = Named(fc=nn.Linear(c.mlp_dim, c.mlp_dim), activation=ACTIVATIONS[c.activ]())
    return Named(model=sequence(first, second, Named(fc=nn.Linear(c.mlp_dim, n_out))))


def multi_scale(c: Any) -> nn.Module:
    def one() -> nn.Module:
        style: dict[str, Any] = dict(activ=c.dis_activ, kind=c.dis_pad)
        layers, dim = [conv(3, c.dis_dim, 4, 2, 1, **style)], c.dis_dim
        for _ in range(c.dis_layers - 1):
            layers.append(conv(dim, 2 * dim, 4, 2, 1, norm=c.dis_norm, **style))
            dim *= 2
        return nn.Sequential(*layers, nn.Conv2d(dim, 1, 1))

    return Named(cnns=nn.ModuleList(one() for _ in range(c.dis_scales)))


SMALL: dict[str, object] = dict(dim=2, dis_dim=2, dis_layers=2, dis_scales=1, n_res=1)
TRAINER_VARIANTS: list[dict[str, object]] = [
    {},
    dict(n_res=4, n_downsample=1),
    dict(n_res=3, n_downsample=3, pad="zero"),
    dict(activ="prelu", dis_activ="prelu", dis_scales=3, n_res=2, pad="replicate"),
    dict(activ="lrelu", dis_norm="in", dis_activ="relu", dis_pad="zero"),
    dict(activ="selu", dis_norm="ln", dis_layers=3, dis_scales=2, dis_pad="replicate"),
    dict(activ="tanh", dis_norm="bn", dis_layers=1),
    dict(dis_norm="bn", dis_layers=3, dis_scales=2),
]


@pytest.mark.parametrize("variant", TRAINER_VARIANTS, ids=str)
@pytest.mark.parametrize("name", ["munit", "unit-release"])
def test_munit_and_unit_are_the_published_networks(name: str, variant: dict[str, object]) -> None:
    extra = dict(mlp_dim=5, style_dim=3) if name == "munit" else {}
    method = build(name, **(SMALL | extra | variant))
    c: Any = method.config
    state = to_original(method)
    x = pictures(2, 32)
    theirs: dict[str, nn.Module] = {}
    for d in "ab":
        theirs[f"dis_{d}"] = multi_scale(c)
        if name == "munit":
            theirs[f"gen_{d}"] = Named(enc_style=style_encoder(c), enc_content=content(c),
                                       dec=decoder(c, "adain"), mlp=mlp(c))  # fmt: skip
        else:
            theirs[f"gen_{d}"] = Named(enc=content(c), dec=decoder(c, "in"))
    released = nn.ModuleDict(theirs).double()
    released.load_state_dict(state, strict=True)
    dis: Any = released["dis_b"]
    for i, out in enumerate(method.dis_b(x)):  # type: ignore[union-attr,operator]
        same(out, dis.cnns[i](x))
        x = nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    gen_a: Any = released["gen_a"]
    gen_b: Any = released["gen_b"]
    x = pictures(2, 32, seed=1)
    if name == "munit":
        ours: Any = method
        same(ours.gen_b.style(x), gen_b.enc_style(x).flatten(1))
        style = torch.randn(2, 3, dtype=torch.float64)
        ada = [m for m in gen_b.dec.modules() if isinstance(m, Ada)]
        for layer, numbers in zip(ada, gen_b.mlp(style).chunk(len(ada), 1), strict=True):
            layer.numbers = numbers
        same(method.translate(x, "a2b", {"style": style}), gen_b.dec(gen_a.enc_content(x)))
    else:
        same(method.translate(x, "a2b"), gen_b.dec(gen_a.enc(x)))


# CycleGAN ---------------------------------------------------------------------------------------


def residual_generator(dim: int, n_blocks: int, norm: str, dropout: bool) -> nn.Module:
    bias, make = norm == "in", NORMS[norm]

    def block() -> nn.Module:
        d = 4 * dim
        return Plus(conv_block=sequence(
            nn.ReflectionPad2d(1), nn.Conv2d(d, d, 3, bias=bias), make(d), nn.ReLU(True),
            nn.Dropout(0.5) if dropout else None,
            nn.ReflectionPad2d(1), nn.Conv2d(d, d, 3, bias=bias), make(d),
        ))  # fmt: skip

    up: dict[str, Any] = dict(stride=2, padding=1, output_padding=1, bias=bias)
    return Named(model=sequence(
        nn.ReflectionPad2d(3), nn.Conv2d(3, dim, 7, bias=bias), make(dim), nn.ReLU(True),
        nn.Conv2d(dim, 2 * dim, 3, 2, 1, bias=bias), make(2 * dim), nn.ReLU(True),
        nn.Conv2d(2 * dim, 4 * dim, 3, 2, 1, bias=bias), make(4 * dim), nn.ReLU(True),
        *(block() for _ in range(n_blocks)),
        nn.ConvTranspose2d(4 * dim, 2 * dim, 3, **up), make(2 * dim), nn.ReLU(True),
        nn.ConvTranspose2d(2 * dim, dim, 3, **up), make(dim), nn.ReLU(True),
        nn.ReflectionPad2d(3), nn.Conv2d(dim, 3, 7), nn.Tanh(),
    ))  # fmt: skip


def patches(channels: int, dim: int, n_layers: int, norm: str, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, dim, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    widths = [dim * min(2**n, 8) for n in range(n_layers + 1)]
    for n, (a, b) in enumerate(itertools.pairwise(widths)):
        stride = 2 if n < n_layers - 1 else 1
        layers += [nn.Conv2d(a, b, 4, stride, 1, bias=bias), NORMS[norm](b)]
        layers.append(nn.LeakyReLU(0.2, True))
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))


def enlarge(a: int, b: int, upsample: str, bias: bool = True) -> list[nn.Module]:
    if upsample == "bilinear":
        pad = nn.ReflectionPad2d(1)
        return [nn.Upsample(scale_factor=2, mode="bilinear"), pad, nn.Conv2d(a, b, 3)]
    return [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=bias)]


class Skip(nn.Module):
    """A level of a nested U-Net; ``first``: the skip comes before what the level computes."""

    def __init__(self, model: nn.Sequential, first: bool | None) -> None:
        super().__init__()
        self.model, self.first = model, first

    def forward(self, x: Tensor) -> Tensor:
        if self.first is None:
            return self.model(x)
        if self.first:  # x is activated in place inside
            y = self.model(x)
            return torch.cat([x, y], 1)
        return torch.cat([self.model(x), x], 1)


def nested_unet(c_in: int, dim: int, depth: int, norm: str, dropout: bool, *, cyclegan: bool,
                nl: Callable[[], nn.Module], upsample: str = "basic") -> nn.Module:  # fmt: skip
    bias = norm == "in" if cyclegan else True
    widths = [dim * min(8, 2**i) for i in range(depth)]

    def norm_of(channels: int) -> nn.Module | None:
        return None if norm == "none" and not cyclegan else NORMS[norm](channels)

    inner: nn.Module | None = None
    for i in reversed(range(depth)):
        if i == 0:
            layers = [nn.Conv2d(c_in, dim, 4, 2, 1, bias=bias), inner, nl()]
            layers += enlarge(2 * dim, 3, upsample)
            return Skip(sequence(*layers, nn.Tanh()), None)
        a, b = widths[i - 1], widths[i]
        down = [nn.LeakyReLU(0.2, True), nn.Conv2d(a, b, 4, 2, 1, bias=bias)]
        if inner is None:
            model = sequence(*down, nl(), *enlarge(b, a, upsample, bias), norm_of(a))
        else:
            drop = nn.Dropout(0.5) if dropout and i >= 4 else None
            up = enlarge(2 * b, a, upsample, bias)
            model = sequence(*down, norm_of(b), inner, nl(), *up, norm_of(a), drop)
        inner = Skip(model, cyclegan)
    raise AssertionError


CYCLEGAN = dict(dim=2, n_blocks=1, dis_dim=2, dis_layers=1)


@pytest.mark.parametrize("norm", ["in", "bn", "none"])
@pytest.mark.parametrize("dropout", [True, False])
@pytest.mark.parametrize("generator", ["resnet", "unet"])
def test_cyclegan_is_the_published_network(norm: str, dropout: bool, generator: str) -> None:
    blocks = 1 + len(norm)
    method: Any = build("cyclegan", **(CYCLEGAN | dict(
        norm=norm, dropout=dropout, generator=generator, n_blocks=blocks, depth=6,
        dis_layers=blocks - 1,
    )))  # fmt: skip
    theirs: dict[str, nn.Module] = {}
    for d in "AB":
        if generator == "resnet":
            theirs[f"G_{d}"] = residual_generator(2, blocks, norm, dropout)
        else:
            theirs[f"G_{d}"] = Named(
                model=nested_unet(3, 2, 6, norm, dropout, cyclegan=True, nl=lambda: nn.ReLU(True))
            )
        theirs[f"D_{d}"] = Named(model=patches(3, 2, blocks - 1, norm, bias=norm == "in"))
    released = nn.ModuleDict(theirs).double()
    released.load_state_dict(to_original(method), strict=True)
    x = pictures(2, 64)
    if not dropout:  # batch norms with the batch's own statistics
        same(method.translate(x, "a2b"), released["G_A"](x))
    method.eval(), released.eval()
    same(method.translate(x, "a2b"), released["G_A"](x))
    same(method.translate(x, "b2a"), released["G_B"](x))
    same(method.dis_b(x)[0], released["D_A"](x))  # their D_A judges domain B
    same(method.dis_a(x)[0], released["D_B"](x))


# BicycleGAN -------------------------------------------------------------------------------------


class WithZ(nn.Module):
    """A level of the U-Net whose every level is given z."""

    def __init__(self, down: nn.Module, submodule: nn.Module | None, up: nn.Module, outer: bool):
        super().__init__()
        self.down, self.submodule, self.up, self.outer = down, submodule, up, outer

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        z_map = z.view(*z.shape, 1, 1).expand(*z.shape, *x.shape[2:])
        y = self.down(torch.cat([x, z_map], 1))
        y = self.up(y if self.submodule is None else self.submodule(y, z))
        return y if self.outer else torch.cat([y, x], 1)


def unet_with_z(nz: int, dim: int, depth: int, norm: str, dropout: bool,
                nl: Callable[[], nn.Module], upsample: str) -> nn.Module:  # fmt: skip
    widths = [dim * min(8, 2**i) for i in range(depth)]

    def norm_of(channels: int) -> nn.Module | None:
        return None if norm == "none" else NORMS[norm](channels)

    level: nn.Module | None = None
    for i in reversed(range(depth)):
        before = widths[i - 1] if i else 3
        down = nn.Conv2d(before + nz, widths[i], 4, 2, 1)
        joined = widths[i] if level is None else 2 * widths[i]
        if i == 0:
            up = sequence(nl(), *enlarge(joined, 3, upsample), nn.Tanh())
            return WithZ(sequence(down), level, up, True)
        down_norm = None if level is None else norm_of(widths[i])
        drop = nn.Dropout(0.5) if dropout and level is not None and i >= 4 else None
        up = sequence(nl(), *enlarge(joined, before, upsample), norm_of(before), drop)
        level = WithZ(sequence(nn.LeakyReLU(0.2, True), down, down_norm), level, up, False)
    raise AssertionError


class Halve(nn.Module):
    def __init__(self, a: int, b: int, norm: str) -> None:
        super().__init__()

        def norm_of() -> nn.Module | None:
            return None if norm == "none" else NORMS[norm](a)

        self.conv = sequence(
            norm_of(), nn.LeakyReLU(0.2, True), nn.Conv2d(a, a, 3, 1, 1),
            norm_of(), nn.LeakyReLU(0.2, True),
            nn.Sequential(nn.Conv2d(a, b, 3, 1, 1), nn.AvgPool2d(2, 2)),
        )  # fmt: skip
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(a, b, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y + self.shortcut(x)


class Encoder(nn.Module):
    def __init__(self, nz: int, dim: int, n: int, norm: str, kind: str) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, dim, 4, 2, 1)]
        if kind == "resnet":
            widths = [dim * min(4, i + 1) for i in range(n)]
            layers += [Halve(a, b, norm) for a, b in itertools.pairwise(widths)]
            layers.append(nn.LeakyReLU(0.2, True))
        else:
            widths = [dim * min(4, 2**i) for i in range(n)]
            layers.append(nn.LeakyReLU(0.2, True))
            for a, b in itertools.pairwise(widths):
                layers.append(nn.Conv2d(a, b, 4, 2, 1))
                if norm != "none":
                    layers.append(NORMS[norm](b))
                layers.append(nn.LeakyReLU(0.2, True))
        self.conv = nn.Sequential(*layers, nn.AvgPool2d(8))
        self.fc = nn.Sequential(nn.Linear(widths[-1], nz))
        self.fcVar = nn.Sequential(nn.Linear(widths[-1], nz))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = self.conv(x).flatten(1)
        return self.fc(flat), self.fcVar(flat)


BICYCLE_VARIANTS: list[dict[str, object]] = [
    dict(where="all"),
    dict(where="all", norm="bn", dropout=True, dis_scales=3, activ="lrelu"),
    dict(where="all", upsample="bilinear", conditional=True, enc_kind="conv"),
    dict(where="all", norm="none", dis_scales=1, same_discriminator=True, activ="elu"),
    dict(where="input"),
    dict(where="input", norm="bn", dropout=True, upsample="bilinear", enc_kind="conv"),
    dict(where="input", norm="none", enc_kind="conv", conditional=True),
    dict(where="input", norm="none", upsample="bilinear", same_discriminator=True, activ="elu"),
]


@pytest.mark.parametrize("variant", BICYCLE_VARIANTS, ids=str)
def test_bicyclegan_is_the_published_network(variant: dict[str, object]) -> None:
    method: Any = build("bicyclegan", **(dict(
        dim=2, depth=6, noise_dim=3, enc_dim=2, enc_blocks=3, dis_dim=5, dis_layers=2,
    ) | variant))  # fmt: skip
    c = method.config
    nl: Callable[[], nn.Module] = {
        "relu": lambda: nn.ReLU(True),
        "lrelu": lambda: nn.LeakyReLU(0.2, True),
        "elu": lambda: nn.ELU(inplace=True),
    }[c.activ]
    if c.where == "all":
        unet = unet_with_z(3, 2, 6, c.norm, c.dropout, nl, c.upsample)
    else:
        unet = nested_unet(
            6, 2, 6, c.norm, c.dropout, cyclegan=False, nl=nl, upsample=c.upsample
        )  # fmt: skip

    def discriminator() -> nn.Module:
        channels, scales = 6 if c.conditional else 3, range(c.dis_scales)
        nets = [patches(channels, round(5 / 2**i), 2, c.norm, True) for i in scales]
        if len(nets) == 1:
            return Named(model=nets[0])
        return Named(**{f"model_{i}": net for i, net in enumerate(nets)})

    theirs = {"G": Named(model=unet), "E": Encoder(3, 2, 3, c.norm, c.enc_kind)}
    theirs["D"] = discriminator()
    if not c.same_discriminator:
        theirs["D2"] = discriminator()
    released = nn.ModuleDict(theirs).double()
    released.load_state_dict(to_original(method), strict=True)
    method.eval(), released.eval()
    x, z = pictures(2, 64), torch.randn(2, 3, dtype=torch.float64)
    z_map = z.view(2, 3, 1, 1).expand(2, 3, 64, 64)
    expected = unet(x, z) if c.where == "all" else unet(torch.cat((x, z_map), 1))
    same(method.translate(x, "a2b", {"z": z}), expected)
    for ours, recorded in zip(method.encoder(x), released["E"](x), strict=True):
        same(ours, recorded)
    y = pictures(2, 64, 6 if c.conditional else 3)
    for out, net in zip(method.dis(y), released["D"].children(), strict=True):
        same(out, net(y))
        y = nn.functional.avg_pool2d(y, 3, 2, 1, count_include_pad=False)


# The map itself ---------------------------------------------------------------------------------

ALL: list[tuple[str, dict[str, object]]] = (
    [("munit", SMALL | dict(mlp_dim=4) | v) for v in TRAINER_VARIANTS]
    + [("unit-release", SMALL | v) for v in TRAINER_VARIANTS]
    + [("cyclegan", CYCLEGAN | dict(norm=n)) for n in ("in", "bn", "none")]
    + [("cyclegan-noise", dict(dim=2, depth=5, dis_dim=2))]
    + [("bicyclegan", dict(dim=2, depth=5, enc_dim=2, dis_dim=2) | v) for v in BICYCLE_VARIANTS]
)  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), ALL, ids=str)
def test_round_trip_is_exact(name: str, settings: dict[str, object]) -> None:
    method = build(name, **settings)
    names = original_names(method)
    state = method.state_dict()
    assert set(names) == set(state)
    assert len(set(names.values())) == len(names)
    other = build(name, **settings)
    scramble(other, 99)
    load_original(other, to_original(method))
    for key, value in other.state_dict().items():
        assert torch.equal(value, state[key]), key


def small_munit() -> Method:
    return build("munit", **SMALL, mlp_dim=4)


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
    method = build("cyclegan", **CYCLEGAN, norm="bn")
    state = {k: v for k, v in to_original(method).items() if "num_batches" not in k}
    other = build("cyclegan", **CYCLEGAN, norm="bn")
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
        (to_original(build("unit-release", **SMALL)), "does not fit Munit"),
    ):
        with pytest.raises(UserError, match=words):
            load_original(method, wrong)
    assert all(torch.equal(v, before[k]) for k, v in method.state_dict().items())


def test_methods_without_a_release_say_so() -> None:
    nips = build("unit", dim=2, n_downsample=1, n_res=1, dis_dim=2, dis_layers=2)
    with pytest.raises(UserError, match="no published checkpoint format"):
        to_original(nips)
