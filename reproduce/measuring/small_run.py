"""A run small enough for a test: its scores with several seeds predict those with another one.

The regression test trains it with a seed that was never stored. A change to training (to an
objective, an optimiser, the order of pictures) moves its scores out of the predicted interval.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.files import sha256_file
from benchmarks.intervals import bootstrap_mean
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.diversity import diversity
from benchmarks.metrics.diversity_protocols import METRIC_OF, get_protocol
from benchmarks.metrics.ground_truth import SILHOUETTE, silhouette_iou
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.networks.weights import trained
from models.munit import Munit
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.subject import Pictures, open_pictures
from reproduce.records.environment import environment
from reproduce.records.store import Records
from reproduce.tasks.pictures import Preparation
from reproduce.training.checkpoints import load_method
from reproduce.training.loop import Logging
from reproduce.training.session import train
from reproduce.training.translate import stream

PRESET = "regression"  # the folder of its records
METHOD, TASK = "munit", "drawn-shoes"
SETTINGS: dict[str, object] = {
    "batch": 4, "steps": 160, "train": 150, "test": 40, "dim": 8, "dis_dim": 16,
}  # fmt: skip
RECONSTRUCTION = Metric(
    name="reconstruction-l1",
    unit="of a range of 2",
    direction="lower",
    protocol="mean absolute difference of real test pictures of both domains and what their "
    "own codes and styles are decoded to",
    limits=(0.0, 2.0),
)
METRICS = (METRIC_OF["lpips"].name, SILHOUETTE.name, RECONSTRUCTION.name)
INPUTS, SAMPLES = 40, 8


def small_run(seed: int) -> RunConfig:
    """Return the run with one seed."""
    return load_preset("quick").make_run(METHOD, TASK, seed, SETTINGS)


def train_small(seed: int, data: Path, runs: Path) -> tuple[RunConfig, Path]:
    """Train it in a run directory under ``runs``; return the run and its checkpoint."""
    run = small_run(seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # fast enough, and the same bits on any number of cores
    try:
        quiet = Logging(tensorboard=False, progress=False, grids=0)
        return run, train(run, runs / f"{METHOD}-seed{seed}", data_dir=data, logging=quiet)
    finally:
        torch.set_num_threads(threads)


def measure_small(run: RunConfig, checkpoint: Path, places: Places) -> list[Measurement]:
    """Measure diversity, agreement with the true silhouettes, and reconstruction."""
    method, _ = load_method(checkpoint)
    assert isinstance(method, Munit)
    pictures, protocol = open_pictures(run, places), get_protocol("paper", INPUTS, SAMPLES)
    inputs, fixed = pictures.domains.test_a, Preparation(run.size)
    made = list(stream(method, inputs, fixed, samples=SAMPLES, seed=run.seed))
    first = {name: picture for name, k, picture in made if k == 0}
    distance = LpipsDistance(trained(protocol.version))
    return [
        diversity(made, distance, protocol, seed=run.seed).measurement(),
        silhouette_iou(first, pictures.silhouettes(first), run.seed),
        _reconstruction(method, pictures, run.seed),
    ]


@torch.no_grad()
def _reconstruction(method: Munit, pictures: Pictures, seed: int) -> Measurement:
    found: list[float] = []
    for own, domain in ((method.gen_a, "a"), (method.gen_b, "b")):
        source = pictures.of_domain(domain)["test"]
        x = torch.stack([pictures.read(source, i) for i in range(len(source))])
        again = own.decoder(own.content(x), own.style(x))
        found += (again - x).abs().mean((1, 2, 3)).tolist()
    interval = bootstrap_mean(found, seed, over="pictures")
    value = math.fsum(found) / len(found)
    return Measurement(RECONSTRUCTION.name, value, interval, {"N": len(found)})


def record_small_runs(seeds: Sequence[int], places: Places) -> list[dict[str, Any]]:
    """Train and measure the small run with each of ``seeds`` that has no record yet."""
    records, found = Records(places.results, PRESET), []
    for seed in seeds:
        pictures = open_run_task(small_run(seed), places).fingerprint()
        known = stored_small_runs(records.all(), small_run(seed), pictures)
        if all(seed in known.get(name, {}) for name in METRICS):
            continue
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="small-run-") as folder:
            run, checkpoint = train_small(seed, places.data, Path(folder))
            measured = measure_small(run, checkpoint, places)
            facts = {
                "preset": PRESET, "task": TASK, "method": METHOD, "seed": seed, "size": run.size,
                "steps": run.steps, "config": run.as_dict(), "config_sha256": run.digest(),
                "checkpoint_sha256": sha256_file(checkpoint), "data_sha256": pictures,
                "environment": environment("cpu"),
            }  # fmt: skip
        facts["seconds"] = round(time.perf_counter() - begin, 2)
        found += [records.append(facts | m.as_dict()) for m in measured]
    return found


def stored_small_runs(
    records: Sequence[Mapping[str, Any]], run: RunConfig, pictures: str
) -> dict[str, dict[int, float]]:
    """Return metric -> seed -> value from the newest records of ``run`` with any seed on the same
    ``pictures`` (their fingerprint)."""
    config = run.as_dict() | {"seed": None}
    found: dict[str, dict[int, float]] = {}
    for record in records:
        same = record.get("config", {}) | {"seed": None} == config
        if same and record["data_sha256"] == pictures:
            found.setdefault(record["metric"], {})[record["seed"]] = record["value"]
    return found
