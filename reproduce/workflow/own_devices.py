"""A command on GPUs that no other command of the same graph uses, where a machine has several.

``python -m reproduce.workflow.own_devices FOLDER SLOTS DEVICES WANTED COMMAND...`` becomes the command, which
sees as many GPUs as it wants. SLOTS files in FOLDER are locked, each for a share of one of the
DEVICES (their numbers or names, with commas); a lock ends with the processes that have it open.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path


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
            held[device] = descriptor
        if len(held) == wanted:
            for descriptor in held.values():
                os.set_inheritable(descriptor, True)
            return list(held)
        for descriptor in held.values():
            os.close(descriptor)
        time.sleep(0.5)


def main(words: Sequence[str]) -> None:
    folder, slots, devices, wanted, *command = words
    chosen = own_devices(Path(folder), int(slots), devices.split(","), int(wanted))
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
