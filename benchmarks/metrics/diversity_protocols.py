"""The LPIPS diversity metric and its protocols by name: pairs, their number, version of LPIPS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from benchmarks.metric import Metric
from benchmarks.metrics.lpips_features import MEASURED_SIDE
from benchmarks.networks.weights import Version
from models.errors import UserError

PairRule = Literal["independent", "consecutive", "all"]
# Part of every name: pictures are enlarged until their shorter side has this many pixels.
ENLARGED = f"-min{MEASURED_SIDE}"
METRIC_OF = {
    weights: Metric(
        name=f"diversity-{weights}",
        unit="LPIPS" if weights == "lpips" else weights,
        direction="higher",
        protocol=f"mean distance ({text}) over pairs of translations of one input, then over "
        "inputs; for real data over random pairs of pictures; pictures whose shorter side "
        f"is under {MEASURED_SIDE} px are enlarged to it",
        limits=(0.0, None),
    )
    for weights, text in {
        "lpips": "LPIPS, AlexNet trained on ImageNet",
        "lpips-unverified": "LPIPS, an AlexNet file of unknown training",
    }.items()
}


def pairs(rule: PairRule, samples: int) -> torch.Tensor:
    """Return indices (P, 2) into ``samples`` translations of one input. "independent": (0, 1), (2,
    3), ..., each picture once, for an even number of samples; "consecutive": (0, 1), (1, 2), ...;
    "all": every i < j. Pairs are not random, since styles are; for real pictures ``real_diversity``
    draws pairs. UserError for fewer than two samples, and for an odd number if independent."""
    if samples < 2:
        raise UserError(f"diversity needs at least 2 samples an input, got {samples}")
    index = torch.arange(samples)
    if rule == "independent":
        if samples % 2:
            raise UserError(
                f"independent pairs need an even number of samples, got {samples}: "
                f"use {samples + 1}"
            )
        return index.view(-1, 2)
    if rule == "consecutive":
        return torch.stack((index[:-1], index[1:]), dim=1)
    return torch.combinations(index, 2)


@dataclass(frozen=True)
class Protocol:
    """A diversity protocol: inputs, samples per input, pairs to compare, LPIPS version."""

    name: str
    rule: PairRule
    samples: int
    inputs: int
    version: Version
    source: str

    def pairs(self) -> torch.Tensor:
        return pairs(self.rule, self.samples)

    def scaled(self, inputs: int | None = None, samples: int | None = None) -> Protocol:
        """Return the protocol at another size, which its name then states as inputs x pairs per
        input, e.g. ``paper-min64@20x9``."""
        inputs = self.inputs if inputs is None else inputs
        samples = self.samples if samples is None else samples
        if (inputs, samples) == (self.inputs, self.samples):
            return self
        if inputs < 2:
            raise UserError(f"diversity needs at least 2 inputs, got {inputs}")
        base = self.name.split("@")[0]
        count = len(pairs(self.rule, samples))
        return replace(self, name=f"{base}@{inputs}x{count}", inputs=inputs, samples=samples)


def _both_versions(name: str, rule: PairRule, samples: int, source: str) -> list[Protocol]:
    return [
        Protocol(f"{name}{ENLARGED}", rule, samples, 100, "0.0", source),
        Protocol(f"{name}-v0.1{ENLARGED}", rule, samples, 100, "0.1", source),
    ]


PROTOCOLS: dict[str, Protocol] = {
    protocol.name.removesuffix(ENLARGED): protocol
    for protocol in [
        *_both_versions(
            "paper", "independent", 38, "MUNIT, section 5.2: 100 inputs, 19 pairs each, LPIPS 0.0"
        ),
        *_both_versions("consecutive", "consecutive", 20, "BicycleGAN's README: 20 samples"),
        *_both_versions("all-pairs", "all", 20, "every pair of 20 samples: least variance"),
    ]
}


def get_protocol(name: str, inputs: int | None = None, samples: int | None = None) -> Protocol:
    """Return the protocol ``name`` (a key of ``PROTOCOLS``), at its own size or another. Raises
    UserError for an unknown name."""
    if name not in PROTOCOLS:
        raise UserError(f"unknown diversity protocol {name!r}: use one of {sorted(PROTOCOLS)}")
    return PROTOCOLS[name].scaled(inputs, samples)


def real_name(pairs: int) -> str:
    """Return the protocol name for ``pairs`` random pairs of real pictures."""
    return f"real{ENLARGED}@{pairs}"
