"""Check on a GPU what only a GPU can show: does it compute the same as the CPU, and how fast?

    python tests/gpu_check.py --out gpu-check
    python -m reproduce speed table --results gpu-check

Needs only this checkout, and takes at most eight minutes (``--minutes``). The most important checks
come first: recorded cases of the original implementations in float64; steps as CUDA graphs compared
with steps kernel by kernel; a training that moves from the GPU to the CPU and back; translations and
their LPIPS on both; seconds per step of every method; and, for the remaining time, a training of MUNIT
with the preset ``gpu``. ``OUT/gpu_check.json`` has all figures, ``OUT/speed/records.jsonl`` those that
``speed table`` shows. Exit code 1 if a check fails.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "models"))

import torch
from golden_case import GoldenCase
from tiny_methods import TINY, fresh, pictures
from torch import Tensor

from benchmarks.metrics.diversity import diversity
from benchmarks.metrics.diversity_protocols import get_protocol
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from models.choices import ALL, choose
from models.method import Method
from models.original import load_original, to_original
from reproduce.commands.cli import parser as command_line
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig, progress_of
from reproduce.records.environment import environment
from reproduce.records.store import Records
from reproduce.speed.planning import planned
from reproduce.speed.stepping import repeats, time_step
from reproduce.speed.store import PRESET, append
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.registry import open_task
from reproduce.tasks.sources import Domains
from reproduce.training.checkpoints import load_method, read_checkpoint
from reproduce.training.distributed import World
from reproduce.training.loop import Interrupted, Logging
from reproduce.training.processes import handled
from reproduce.training.session import train
from reproduce.training.shared import make_trainer
from reproduce.training.trainer import Trainer
from reproduce.training.translate import stream

HERE = Path(__file__).resolve().parent
BAR = 1e-8  # tolerance of the recorded cases, as on CPUs
TASK = "drawn-shoes"
TIMED = ("munit", "unit", "cyclegan", "bicyclegan", "unit-release", "cyclegan-noise")
BRIEFLY = 2.0  # seconds of the training with --small
Figures = dict[str, Any]
NO_TIME: Figures = {"passed": None, "told": "no time left"}


class Check:
    """The device, size and deadline of the checks, and their results."""

    def __init__(self, device: str, out: Path, scratch: Path, minutes: float, small: bool) -> None:
        self.device, self.out, self.scratch, self.small = device, out, scratch, small
        self.begin, self.begun = time.monotonic(), time.process_time()
        self.end = self.begin + 60 * minutes
        self.found: list[Figures] = []

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.end - time.monotonic()

    def take(self, work: Callable[[Check], Figures]) -> None:
        """Run one check. An exception counts as a failure and does not stop the next check; a check
        that returns may set ``passed`` itself."""
        begin = time.monotonic()
        entry: Figures = {"name": work.__name__, "about": (work.__doc__ or "").split("\n")[0]}
        try:
            entry |= {"passed": True} | (work(self) if self.left > 0 else NO_TIME)
        except Exception as error:
            entry |= {"passed": False, "told": str(error) or type(error).__name__}
            entry["traceback"] = traceback.format_exc()
        self.found.append(entry | {"seconds": round(time.monotonic() - begin, 1)})
        print(json.dumps({k: v for k, v in self.found[-1].items() if k != "traceback"}), flush=True)
        self.write()

    def write(self) -> None:
        """Write all results so far; called after every check, since the machine may be taken away."""
        told = {
            "device": self.device, "small": self.small, "environment": environment(self.device),
            "seconds": round(time.monotonic() - self.begin, 1),
            "processor_seconds": round(time.process_time() - self.begun, 1),
        }  # fmt: skip
        text = json.dumps(told | {"checks": self.found}, indent=1)
        (self.out / "gpu_check.json").write_text(text + "\n")


def golden(check: Check) -> Figures:
    """Recorded cases of the original implementations in float64: every loss and weight."""
    furthest = {}
    for folder in sorted(p.parent for p in (HERE / "golden").glob("*/case.json")):
        if check.small and not folder.name.startswith("munit"):
            continue
        case = GoldenCase(folder)
        method = case.method()
        load_original(method, case.init)
        trainer = Trainer(method.to(check.device), 0, case.case["steps"], noise=case.noise)
        off = 0.0
        for k, recorded in enumerate(case.case["losses"]):
            x_a, x_b = (case.inputs[f"step{k}.x_{d}"].to(check.device) for d in "ab")
            losses = case.losses(method, trainer.step(x_a, x_b, k))
            off = max(off, *(abs(losses[n] - v) / max(1, abs(v)) for n, v in recorded.items()))
        weights = to_original(method.cpu())
        for name, value in case.final.items():
            off = max(off, (weights[name].reshape(value.shape) - value).abs().max().item())
        furthest[folder.name] = off
    assert furthest and max(furthest.values()) < BAR, f"further than {BAR} apart: {furthest}"
    return {"furthest": furthest}


def graphs(check: Check) -> Figures:
    """Steps replayed as CUDA graphs, compared with the same steps kernel by kernel."""
    found: Figures = {}
    for precision in ("float32",) if check.small else ("float32", "bf16"):
        for name in TIMED[:1] if check.small else TIMED:
            (eager, _), (graphed, repeated) = (
                _losses(check, name, ways, precision) for ways in (ALL - {"graphs"}, ALL)
            )
            off = max(
                abs(x - y) / max(1e-3, abs(x))
                for one, other in zip(eager, graphed, strict=True)
                for x, y in zip(one.values(), other.values(), strict=True)
            )
            same = {"off": off, "same_bits": eager == graphed, "graphs": repeated}
            found[f"{name} {precision}"] = same
    worst = {k: v for k, v in found.items() if v["off"] > (1e-3 if "float32" in k else 5e-2)}
    assert not worst, f"graphs compute something else: {worst}"
    return {"losses": found} | _eager(check, found)


def _eager(check: Check, found: Figures) -> Figures:
    """A failure if a GPU did not replay steps as CUDA graphs but launched every kernel (with the same
    results)."""
    eager = [name for name, figures in found.items() if not figures["graphs"]]
    if not eager or not check.device.startswith("cuda"):
        return {}
    told = f"no CUDA graphs were recorded (reason on stderr): {', '.join(eager)}"
    return {"passed": False, "told": told}


def _losses(
    check: Check, name: str, ways: frozenset[str], precision: str
) -> tuple[list[dict[str, float]], bool | None]:
    method = fresh(name).to(check.device)
    choose(method, ways)
    trainer = make_trainer(method, 3, 12, World(device=check.device), precision)
    losses = [
        trainer.step(*(pictures(2, seed=2 * k + i).to(check.device) for i in (0, 1)), k)
        for k in range(9)
    ]
    return losses, repeats(trainer)


def _run(method: str = "munit", **settings: object) -> RunConfig:
    small = {"train": 20, "test": 8, "batch": 2, "steps": 6, "lr_policy": "constant"}
    return load_preset("quick").make_run(method, TASK, 0, TINY[method] | small | settings)


def _trained(check: Check, run: RunConfig, name: str, device: str, **how: Any) -> Path:
    quiet = Logging(tensorboard=False, progress=False, grids=0)
    data = check.scratch / "data"
    return train(run, check.scratch / name, data_dir=data, device=device, logging=quiet, **how)


def _drawn(check: Check, run: RunConfig) -> Domains:
    return open_task(run.task, data_dir=check.scratch / "data", size=run.size, train=run.train,
                     test=run.test, progress=False)  # fmt: skip


def _apart(one: Path, other: Path) -> float:
    tensors, others = (read_checkpoint(path).part("model") for path in (one, other))
    return max((t - others[k]).abs().max().item() for k, t in tensors.items())


def resume(check: Check) -> Figures:
    """A training that moves from the GPU to the CPU and back, compared with one that stays."""
    whole = _trained(check, _run(), "whole", check.device)
    again = _trained(check, _run(), "again", check.device)
    for last, device in ((2, check.device), (4, "cpu"), (6, check.device)):
        moved = _trained(check, _run(steps=last), "moved", device, resume=True)
    found = {"apart": _apart(whole, moved), "same_device_apart": _apart(whole, again)}
    assert read_checkpoint(moved).step == 6 and found["apart"] < 1e-3, found
    return found


def measurement(check: Check) -> Figures:
    """Translations of one network, and their LPIPS, on the CPU and on the GPU."""
    checkpoint = _trained(check, _run(size=64), "measured", "cpu")
    with _switches():
        made = [_measured(check, checkpoint, device) for device in ("cpu", check.device)]
    (cpu, value), (own, other) = made
    pixels = max((x - y).abs().max().item() for x, y in zip(cpu, own, strict=True))
    found = {"pixels_apart": pixels, "lpips": value, "lpips_apart": abs(value - other)}
    assert pixels < 1e-3 and found["lpips_apart"] < 1e-5, found
    return found


@contextlib.contextmanager
def _switches() -> Iterator[None]:
    """Restore the TF32 settings: metrics turn TF32 off for the process, but steps are timed with it."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic
    yield
    cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic = before


def _measured(check: Check, checkpoint: Path, device: str) -> tuple[list[Tensor], float]:
    method: Method
    method, read = load_method(checkpoint, device)
    run = read.run
    domains = _drawn(check, run)
    protocol = get_protocol("consecutive", 4)
    made = list(stream(method, domains.test_a, Preparation(run.size).at_test(),
                       samples=protocol.samples, inputs=4))  # fmt: skip
    lpips = LpipsDistance(trained(protocol.version), device)
    return [picture.cpu() for _, _, picture in made], diversity(made, lpips, protocol).value


def step_times(check: Check) -> Figures:
    """Seconds per step at 256 px, batch 1 and 8, float32 and bf16, compared with the plain path."""
    records = Records(check.out, PRESET)
    small = ["--size=32", "--steps=2", *(f"--set={key}={n}" for key, n in TINY["munit"].items())]
    found: Figures = {}
    rest: Figures = {}
    every = itertools.product((1, 8), ("float32", "bf16"), TIMED)
    for batch, precision, name in itertools.islice(every, 1 if check.small else None):
        if check.left < 60 and not check.small:  # reserved for the training
            rest = {"told": "no time for the rest"}
            break
        pairs = 2 if name == "bicyclegan" and batch == 1 else batch
        words = ["speed", "step", "--no-memory", f"--methods={name}", f"--batch={pairs}",
                 f"--precision={precision}", *(small if check.small else ["--size=256"])]  # fmt: skip
        asked = command_line().parse_args(words)
        asked.device = check.device
        (one,) = planned(asked)
        begin = time.perf_counter()
        made = {"measured": time_step(one.about, lambda: None)}
        made["environment"] = environment(check.device)
        append(records, one, made, time.perf_counter() - begin)
        fast, plain = (made["measured"][k] for k in ("first", "second"))
        found[f"{name} batch {pairs} {precision}"] = {
            "fast": fast["median"], "plain": plain["median"], "graphs": fast["graphs"],
        }  # fmt: skip
        if check.device.startswith("cuda"):
            torch.cuda.empty_cache()
    return {"seconds_a_step": found} | rest | _eager(check, found)


def training(check: Check) -> Figures:
    """Training of MUNIT with the preset gpu, for the remaining time."""
    settings = {"train": 20, "test": 8, "steps": 10**5, "lr_policy": "constant"}
    if check.small:
        run = _run(steps=10**5)
    else:
        run = load_preset("gpu").make_run("munit", TASK, 0, settings | {"train": 500, "test": 50})
    folder = check.scratch / "training"
    _drawn(check, run)  # before the time left is read
    seconds = BRIEFLY if check.small else check.left - 15
    if seconds <= 0:
        return NO_TIME
    with _stopped_after(seconds), contextlib.suppress(Interrupted):
        _trained(check, run, folder.name, check.device)
    reached = read_checkpoint(folder / "last.safetensors").step
    assert reached > 0
    if not (told := progress_of(folder)):  # written after ten steps
        return {"steps": reached}
    assert reached >= told["step"]
    return {"steps": reached, "steps_a_second": told["step"] / told["seconds"], "told": told}


@contextlib.contextmanager
def _stopped_after(seconds: float) -> Iterator[None]:
    """Stop a training as a batch system does. Repeats the signal until the training has ended, since
    it ignores signals before its first step."""
    ended = threading.Event()

    def ask() -> None:
        ended.wait(seconds)
        while not ended.is_set():
            signal.raise_signal(signal.SIGTERM)
            ended.wait(0.2)

    asking = threading.Thread(target=ask)
    with handled(lambda *_: None, "SIGTERM"):
        asking.start()
        try:
            yield
        finally:
            ended.set()
            asking.join()


CHECKS = (golden, graphs, resume, measurement, step_times, training)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="output folder")
    parser.add_argument("--minutes", type=float, default=8.0, help="time limit of all checks")
    parser.add_argument("--small", action="store_true", help="tiny, for a CPU: under a minute")
    names = [check.__name__ for check in CHECKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="only these checks")
    arguments = parser.parse_args(words)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        check = Check(
            arguments.device, arguments.out, Path(scratch), arguments.minutes, arguments.small
        )
        for work in CHECKS:
            if work.__name__ in arguments.only:
                check.take(work)
    return int(any(entry["passed"] is False for entry in check.found))


if __name__ == "__main__":
    sys.exit(main())
