"""Processors and GPUs of the graph: how many trainings side by side, and each on GPUs of its own.

``python -m reproduce.workflow.devices FOLDER SLOTS DEVICES WANTED COMMAND...`` becomes the command,
which sees as many GPUs as it wants. SLOTS files in FOLDER are locked, each for a share of one of the
DEVICES (their numbers or names, with commas); a lock ends with the processes that have it open.
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
    """How jobs are run; 0 for the default. ``side_by_side``: trainings at a time. ``threads``: of the
    processor, for each job that does not train. ``profile``: Snakemake's; ``plan``: where to write the
    plan, and no more."""

    cores: int = 0
    side_by_side: int = 0
    gpus_per_training: int = 1
    threads: int = 0
    dry_run: bool = False
    profile: str | None = None
    plan: Path | None = None

    def on_nodes(self, device: str) -> bool:
        """Whether a cluster's machines run the jobs. A plan for processors may be made here, too."""
        return self.profile is not None or (self.plan is not None and device != "cpu")


@dataclass(frozen=True)
class Machine:
    """What the graph may use: processor cores, trainings side by side, GPUs for each of them.

    ``devices``: the GPUs here that jobs are spread over, by number or name; none where there is one
    at most, where one was named, or where a scheduler gives them out.
    """

    cores: int
    side_by_side: int
    gpus_per_training: int
    devices: tuple[str, ...] = ()

    @property
    def threads(self) -> int:
        """Of each process of a training, of which there is one a GPU."""
        return max(1, self.cores // (self.side_by_side * self.gpus_per_training))

    @property
    def gpu_slots(self) -> int:
        """Jobs that compute on GPUs at a time: one on each, or as many as trainings need."""
        return max(len(self.devices), self.side_by_side * self.gpus_per_training)


NODE_CORES = 8  # that a training asks a cluster for; a login node's say nothing of them


def machine_of(how: How, device: str, trainings: int) -> Machine:
    """Of a cluster, where its cores are each training's; or this one. ``trainings``: how many there
    are; one alone has all cores."""
    from benchmarks.devices import cores as own_cores

    gpus = how.gpus_per_training
    if how.on_nodes(device):
        return Machine(how.cores or NODE_CORES, 1, gpus)
    cores, devices = how.cores or own_cores(), _devices(device)
    if device != "cpu" and gpus > max(1, len(devices)):
        raise UserError(
            f"--gpus-per-training {gpus}: PyTorch sees {max(1, len(devices))} here; give no more"
        )
    side = how.side_by_side or max(len(devices) // gpus, 1 if device != "cpu" else min(4, cores))
    side = max(1, min(side, cores, trainings))
    return Machine(cores, side, gpus, devices if len(devices) > 1 else ())


def _devices(device: str) -> tuple[str, ...]:
    """All GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; none where one was named."""
    if device != "cuda":
        return ()
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    count = torch.cuda.device_count()
    return tuple(named if len(named) == count and all(named) else map(str, range(count)))


def own_devices(folder: Path, slots: int, devices: Sequence[str], wanted: int) -> list[str]:
    """So many of the ``devices``, all different, locked until this process and its like end."""
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
            except OSError as error:  # a file that stands for a lock would outlive the command
                raise UserError(
                    f"{folder} knows no locks ({error.strerror}), by which jobs share the GPUs: choose "
                    "another --runs, or one GPU (--device cuda:0)"
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
