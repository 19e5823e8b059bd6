"""The environment of a measurement: package versions, commit, device."""

from __future__ import annotations

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

OUTSIDE_DIGESTS = "records name the machine themselves"
PACKAGES = ("torch", "torchvision", "lpips", "torch-fidelity", "numpy", "scipy", "pillow")
ROOT = Path(__file__).resolve().parents[2]


def environment(device: str = "cpu") -> dict[str, object]:
    """Versions, processor or GPU, threads, and the code's commit (``dirty``: with local changes)."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else _processor()
    return {
        "python": platform.python_version(),
        "packages": {p: _version(p) for p in PACKAGES},
        "device": name,
        "threads": torch.get_num_threads(),
        **commit(),
        **({"gpu": _gpu()} if device.startswith("cuda") else {}),
    }


def _gpu() -> dict[str, object]:
    """What affects the last digits on a GPU, apart from the GPU: its software and precision flags."""
    cudnn = torch.backends.cudnn
    try:
        driver = Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    except (OSError, IndexError):
        driver = ""
    return {
        "driver": driver, "cuda": torch.version.cuda, "cudnn": cudnn.version(),  # type: ignore[no-untyped-call]
        "tf32": {"convolutions": cudnn.allow_tf32, "products": torch.backends.cuda.matmul.allow_tf32},
        "deterministic": cudnn.deterministic,
    }  # fmt: skip


@lru_cache(maxsize=1)
def commit() -> dict[str, object]:
    """The commit hash and whether tracked files differ from it; an empty hash outside a checkout.

    Changes in ``results`` do not count: appending a record does not change the code.
    """
    try:
        if Path(_git("rev-parse", "--show-toplevel")) != ROOT:
            # Installed inside the repository of another project.
            return {"commit": "", "dirty": True}
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "-uno", "--", ".", ":!results")
        return {"commit": head, "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return {"commit": "", "dirty": True}


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
