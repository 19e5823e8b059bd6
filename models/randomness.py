"""Counter-based randomness: every draw has an address, and no generator state persists.

The address of a draw is (seed, role, step, ...), and equal addresses give equal numbers. A resumed
run, a distributed run and an uninterrupted one therefore agree bit for bit, and there is no random
state to save.
"""

from __future__ import annotations

import hashlib

import torch


def counted_seed(seed: int, *address: str | int) -> int:
    """Return a 63-bit seed for ``address``; distinct addresses give unrelated seeds."""
    text = "/".join(repr(part) for part in (int(seed), *address))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *address: str | int) -> torch.Generator:
    """Return a new CPU generator for ``address``, e.g. ``generator(0, "style_a", step)``."""
    return torch.Generator().manual_seed(counted_seed(seed, *address))
