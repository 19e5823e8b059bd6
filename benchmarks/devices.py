"""Devices that exist."""

from __future__ import annotations

import torch

from models.errors import UserError


def check_device(name: str) -> str:
    """A device that exists; UserError otherwise."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device '{name}': use cpu or cuda") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"PyTorch sees {torch.cuda.device_count() or 'no'} GPU, so no '{name}': "
            "use --device cpu, or another number"
        )
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}' is not supported: use cpu or cuda")
    return name
