"""A process that measures one thing: nothing else warms its caches or fills its memory.

It reads one JSON object from its standard input, and writes JSON lines: ``{"tick": 1}`` after each
piece of work, at last ``{"result": ...}`` or ``{"error": "..."}``.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.console import NO_MEMORY
from models.errors import UserError
from reproduce.records.environment import ROOT, environment

# What is measured -> the function that measures it.
KINDS = {
    "step": "reproduce.speed.stepping:time_step",
    "memory": "reproduce.speed.stepping:step_memory",
    "primitives": "reproduce.speed.counting:time_primitives",
    "translate": "reproduce.speed.translating:time_translation",
    "diversity": "reproduce.speed.measuring:time_diversity",
    "modes": "reproduce.speed.measuring:time_modes",
    "data": "reproduce.speed.stepping:time_waiting",
}
_KILLED = -9  # by the system, which is how it answers a want of memory


def module_of(kind: str) -> str:
    """The module whose code decides what ``kind`` measures."""
    return KINDS[kind].partition(":")[0]


def measured(kind: str, about: Mapping[str, Any], tick: Callable[[], object]) -> dict[str, Any]:
    """Measure in a fresh process; ``{"measured": ..., "environment": ...}``.

    Raises UserError for what a user can mend, RuntimeError where the process failed.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    last: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "reproduce.speed.worker"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        try:
            with process.stdin as channel:
                channel.write(json.dumps({"kind": kind, "about": dict(about)}))
            for line in process.stdout:
                last = json.loads(line)
                if "tick" in last:
                    tick()
            code = process.wait()
        finally:
            process.kill()
    if "error" in last:
        raise UserError(last["error"])
    if "result" not in last:
        if code == _KILLED:
            raise UserError(f"the process that measured was killed: {NO_MEMORY}")
        raise RuntimeError(f"the process that measured {kind} ended with {code}")
    result: dict[str, Any] = last["result"]
    return result


def main() -> int:
    """The process itself."""
    # What libraries print must not come between the lines.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**message: object) -> None:
        lines.write(json.dumps(message) + "\n")

    asked = json.load(sys.stdin)
    kind, about = asked["kind"], asked["about"]
    torch.set_num_threads(about["threads"])
    module, _, name = KINDS[kind].partition(":")
    try:
        found = getattr(importlib.import_module(module), name)(about, lambda: say(tick=1))
    except UserError as error:
        say(error=str(error))
        return 2
    except (MemoryError, RuntimeError) as error:
        told = str(error)
        if not (
            isinstance(error, MemoryError) or "allocate memory" in told or "out of memory" in told
        ):
            raise
        say(error=NO_MEMORY)
        return 2
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    say(result={"measured": found, "environment": environment(about["device"])})
    return 0


if __name__ == "__main__":
    sys.exit(main())
