"""Weight initialisation by the original releases' rules, from an explicit generator."""

from __future__ import annotations

from torch import Generator, nn
from torch.nn import init

from models.blocks import LayerNorm
from models.errors import UserError

RULES = ("kaiming", "gaussian", "xavier", "default")
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def initialise(network: nn.Module, rule: str, generator: Generator) -> None:
    """Draw the weights of all convolutions and linear layers; biases become zero.

    kaiming: fan-in, gain sqrt(2) (MUNIT). gaussian: N(0, 0.02^2) (its discriminators, CycleGAN).
    xavier: Glorot with gain 0.02 (BicycleGAN). default: PyTorch's own rule, including biases.
    Norms keep their initial values, except the gain of layer norm: U(0, 1).
    """
    if rule not in RULES:
        raise UserError(f"unknown init '{rule}': use one of {', '.join(RULES)}")
    for layer in network.modules():
        if isinstance(layer, _LAYERS):
            _draw(layer, rule, generator)
        elif isinstance(layer, LayerNorm):
            init.uniform_(layer.gamma, generator=generator)


def _draw(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, rule: str, g: Generator) -> None:
    match rule:
        case "kaiming":
            init.kaiming_normal_(layer.weight, generator=g)
        case "gaussian":
            init.normal_(layer.weight, 0.0, 0.02, generator=g)
        case "xavier":
            init.xavier_normal_(layer.weight, gain=0.02, generator=g)
        case "default":
            init.kaiming_uniform_(layer.weight, a=5**0.5, generator=g)
    if layer.bias is None:
        return
    if rule == "default":
        fan_in, _ = init._calculate_fan_in_and_fan_out(layer.weight)
        bound = fan_in**-0.5
        init.uniform_(layer.bias, -bound, bound, generator=g)
    else:
        init.zeros_(layer.bias)
