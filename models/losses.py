"""Loss terms of the objectives, as pure functions of tensors that return scalars."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from models.errors import UserError

Terms = dict[str, Tensor]
GAN_KINDS = ("lsgan", "cross-entropy")


def _wide(x: Tensor) -> Tensor:
    """Convert bfloat16 to float32: in mixed precision, losses are still computed in float32."""
    return x.float() if x.dtype == torch.bfloat16 else x


def l1(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference; gradients flow to both arguments."""
    return (_wide(x) - _wide(target)).abs().mean()


def gan(outputs: list[Tensor], real: bool, kind: str) -> Tensor:
    """Return the GAN loss of a discriminator's outputs for the target real (or fake).

    ``outputs`` holds one map per scale, of any shape; the means of the scales are summed.
    lsgan: mean (D - label)^2 (Mao et al., 2017). cross-entropy: the non-saturating loss of
    Goodfellow et al. (2014), from logits.
    """
    total = torch.zeros((), device=outputs[0].device)
    for raw in outputs:
        out = _wide(raw)
        if kind == "lsgan":
            total = total + ((out - 1) if real else out).square().mean()
        elif kind == "cross-entropy":
            total = total + F.softplus(-out if real else out).mean()
        else:
            raise UserError(f"unknown GAN loss '{kind}': use one of {', '.join(GAN_KINDS)}")
    return total


def kl_unit(mu: Tensor) -> Tensor:
    """UNIT's KL term: KL(N(mu, I) || N(0, I)) up to a factor and constants, mean(mu^2)."""
    return _wide(mu).square().mean()


def kl_gaussian(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, I)), summed over batch and dimensions (BicycleGAN)."""
    mu, logvar = _wide(mu), _wide(logvar)
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()


def perceptual(features: Tensor, target: Tensor) -> Tensor:
    """Domain-invariant perceptual distance (MUNIT section 5.1): features (N, C, H, W) are
    instance-normalised, which drops much of the domain's statistics, then compared by L2."""
    features, target = F.instance_norm(_wide(features)), F.instance_norm(_wide(target))
    return (features - target).square().mean()


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the objective: the sum of weight x term.

    A term of weight zero may be present; it is monitored, not optimised. A term without a weight,
    or a non-zero weight without its term, raises ValueError: silently skipping either is a common
    error of reimplementations.
    """
    unknown = sorted(set(terms) - set(weights))
    missing = sorted(name for name, w in weights.items() if w != 0 and name not in terms)
    if unknown or missing:
        raise ValueError(
            f"loss terms without a weight: {unknown}; weights without a term: {missing}"
        )
    used = [weights[name] * term for name, term in terms.items() if weights[name] != 0]
    if not used:
        raise UserError("all loss weights are zero: nothing to optimise; set one above zero")
    return torch.stack(used).sum()
