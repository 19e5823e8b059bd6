"""CPU cores and GPUs of the graph: how many trainings run at a time, and on which GPUs.

``python -m reproduce.workflow.devices FOLDER SLOTS DEVICES WANTED COMMAND...`` waits for WANTED free
GPUs and becomes the command, which sees only these. It locks files in FOLDER: there are SLOTS of them,
each for a share of one of the DEVICES (comma-separated numbers or names). A lock ends with the
processes that have it open.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.console import refuse
from models.errors import UserError


@dataclass(frozen=True)
class How:
    """How to run the jobs; 0 means the default. ``side_by_side``: trainings at a time. ``threads``: CPU
    threads of each job that does not train. ``profile``: Snakemake profile. ``plan``: file to write
    the plan to, without running it."""

    cores: int = 0
    side_by_side: int = 0
    gpus_per_training: int = 1
    threads: int = 0
    dry_run: bool = False
    profile: str | None = None
    plan: Path | None = None


@dataclass(frozen=True)
class Machine:
    """The resources of the graph: CPU cores, trainings at a time, GPUs per training.

    ``devices``: the GPUs of this machine among which jobs are distributed, by number or name; empty
    if there is at most one, if the user named one, or if a scheduler assigns them.
    ``on_nodes``: the jobs run on other machines.
    """

    cores: int
    side_by_side: int
    gpus_per_training: int
    devices: tuple[str, ...] = ()
    on_nodes: bool = False

    @property
    def threads(self) -> int:
        """CPU threads of each process of a training, which has one process per GPU."""
        return max(1, self.cores // (self.side_by_side * self.gpus_per_training))

    @property
    def gpu_slots(self) -> int:
        """Jobs on GPUs at a time: one per GPU, or as many as the trainings need."""
        return max(len(self.devices), self.side_by_side * self.gpus_per_training)


NODE_CORES = 8  # per training on a cluster, whose nodes may differ from the login node


def machine_of(how: How, device: str, trainings: int) -> Machine:
    """The resources of this machine, or of a cluster, where ``cores`` is per training. ``trainings``:
    their number; a single one gets all cores."""
    from benchmarks.devices import cores as own_cores

    gpus = how.gpus_per_training
    # A plan for the CPU counts as for this machine.
    if how.profile is not None or (how.plan is not None and device != "cpu"):
        return Machine(how.cores or NODE_CORES, 1, gpus, on_nodes=True)
    cores, devices = how.cores or own_cores(), _devices(device)
    if device != "cpu" and gpus > max(1, len(devices)):
        raise UserError(
            f"--gpus-per-training {gpus}: PyTorch sees {max(1, len(devices))} here: use at most that"
        )
    side = how.side_by_side or max(len(devices) // gpus, 1 if device != "cpu" else min(4, cores))
    side = max(1, min(side, cores, trainings))
    return Machine(cores, side, gpus, devices if len(devices) > 1 else ())


def _devices(device: str) -> tuple[str, ...]:
    """All GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; empty unless ``device`` is cuda."""
    if device != "cuda":
        return ()
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    count = torch.cuda.device_count()
    return tuple(named if len(named) == count and all(named) else map(str, range(count)))


def own_devices(folder: Path, slots: int, devices: Sequence[str], wanted: int) -> list[str]:
    """Lock ``wanted`` different ``devices`` until this process, and those that inherit the locks, end."""
    while True:
        held: dict[str, int] = {}
        for slot in range(slots):
            device = devices[slot % len(devices)]
            if device in held or len(held) == wanted:
                continue
            descriptor = os.open(folder / f".gpu-slot{slot}.lock", os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            except OSError as error:  # a file instead of a lock would outlive the command
                raise UserError(
                    f"{folder} does not support file locks ({error.strerror}), which jobs need to share "
                    "GPUs: choose another --runs, or one GPU (--device cuda:0)"
                ) from None
            held[device] = descriptor
        if len(held) == wanted:
            for descriptor in held.values():
                os.set_inheritable(descriptor, True)
            return list(held)
        for descriptor in held.values():
            os.close(descriptor)
        time.sleep(0.5)


def main(words: Sequence[str]) -> int:
    folder, slots, devices, wanted, *command = words
    try:
        chosen = own_devices(Path(folder), int(slots), devices.split(","), int(wanted))
    except UserError as error:
        return refuse(str(error))
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
