"""Counted randomness: every draw has an address, and no generator has a history.

A draw is addressed by (seed, role, step, ...). Whoever asks for the same address gets the same
numbers: a resumed run, a run spread over several processes and an uninterrupted one agree to the
bit, and there is no random state to save.
"""

from __future__ import annotations

import hashlib

import torch


def counted_seed(seed: int, *address: str | int) -> int:
    """A 63-bit seed for ``address``; distinct addresses give unrelated seeds."""
    text = "/".join(repr(part) for part in (int(seed), *address))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *address: str | int) -> torch.Generator:
    """A fresh CPU generator for ``address``, e.g. ``generator(0, "style_a", step)``."""
    return torch.Generator().manual_seed(counted_seed(seed, *address))
