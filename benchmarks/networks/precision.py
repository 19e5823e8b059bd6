"""Full float32 precision for measurements, without faster approximations on GPUs."""

from __future__ import annotations

import torch


def no_tf32() -> None:
    """Switch off TF32, which would change the third digit, and make cuDNN deterministic.

    The setting lasts for the process: restoring it after a call would affect other threads too.
    """
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def full_precision(device: torch.device) -> torch.autocast:
    """Call ``no_tf32`` and return a context without autocast, which is a per-thread setting."""
    no_tf32()
    return torch.autocast(device.type, enabled=False)
