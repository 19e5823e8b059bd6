"""Measuring in float32 as it is, whatever a GPU could do faster."""

from __future__ import annotations

import torch


def no_tf32() -> None:
    """From now on this process computes in float32, in an order that stays the same, also on GPUs,
    where TF32 would change the third digit.

    The switches belong to the process: turned around a call, they would also change what other
    threads compute meanwhile.
    """
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def full_precision(device: torch.device) -> torch.autocast:
    """A context of ``no_tf32`` and without autocast, which is each thread's own."""
    no_tf32()
    return torch.autocast(device.type, enabled=False)
