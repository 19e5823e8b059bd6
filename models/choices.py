"""Optimisations that speed up a method or save memory and change results only by rounding.

A layer or method with optimised code has an attribute ``fast``, the names of the optimisations that
it may use; ``choose`` sets it in a whole method. Without any, the method computes as in its paper
or release: the plain path, with which benchmarks compare.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import nn

from models.errors import UserError

WAYS = {
    "batching": "what differs in its pictures alone goes through a network in one pass, and what is "
    "translated several times is encoded once",
    "sharing": "codes that both phases of a step need are computed once",
    "kernels": "narrow, upsampled and one-pixel convolutions, and gradients of pictures, as equal "
    "convolutions of better shape",
    "norms": "all by the kernels of group norm, layer norm as one multiplication and one addition",
    "memory": "large pictures that were padded are padded again for the gradients, and activations' "
    "inputs are not kept, of those without a norm before them not even made, and of a dropout a byte "
    "an element",
    "optimiser": "one kernel updates all weights",
    "graphs": "on a GPU, a step's kernels are recorded once and then asked for together",
}
ALL = frozenset(WAYS)
PLAIN: frozenset[str] = frozenset()


def ways_of(words: str) -> list[str]:
    """Parse ``plain``, or comma-separated names, which may include ``all``, to a sorted list.
    Raises UserError for an unknown name."""
    if words == "plain":
        return []
    names = {name.strip() for name in words.split(",")}
    if "all" in names:
        names = (names - {"all"}) | ALL
    choose(nn.Module(), names)
    return sorted(names)


def choose(network: nn.Module, ways: Iterable[str]) -> None:
    """Let ``network`` use only the optimisations ``ways``; raises UserError for an unknown one."""
    chosen = frozenset(ways)
    for name in sorted(chosen.difference(WAYS)):
        close = difflib.get_close_matches(name, WAYS, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UserError(f"unknown way to be fast '{name}': {hint}use some of {', '.join(WAYS)}")
    for module in network.modules():
        if hasattr(module, "fast"):
            module.fast = chosen  # type: ignore[assignment]
