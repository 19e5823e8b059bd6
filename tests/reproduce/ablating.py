"""``ablate`` with runs so small that they learn nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiny import NETWORKS, places

from reproduce.analysis.ablation import Curve, curves_of
from reproduce.experiments.ablation import Ablation, make_ablation
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import RunConfig
from reproduce.records.store import Records

SHOES, ANIMALS = "drawn-shoes", "drawn-housecats-dogs"
STEPS = 20
PRESET = f"""
extends: quick
run: {{size: 32, batch: 2, steps: {STEPS}, train: 30, test: 8, lr_policy: linear}}
{NETWORKS.replace("dis_scales: 1", "dis_scales: 1, init: kaiming")}
measure: {{protocol: paper, inputs: 4, samples: 4, scores: none,
          mode_inputs: 4, mode_samples: 3}}
tables: {{1: [drawn-shoes]}}
figures: {{}}
"""


def words(root: Path, *values: str, method: str = "munit", task: str = SHOES) -> list[str]:
    """The command's words, with the preset above; ``values`` may be options too."""
    preset = root / "tiny.yaml"
    if not preset.exists():
        preset.write_text(PRESET)
    return [
        "ablate", method, *values, "--task", task, f"--preset={preset}", "--no-progress",
        "--threads=1", "--jobs=2", *places(root),
    ]  # fmt: skip


IOU = "silhouette-iou"


def made(*values: str, seeds: Sequence[int] = (0, 1, 2), task: str = SHOES) -> Ablation:
    return make_ablation(load_preset("cpu"), "munit", task, values, seeds)


def store(
    results: Path, preset: Preset, run: RunConfig, value: float, **more: Any
) -> dict[str, Any]:
    """A record of a number; without an interval of its own unless one is given."""
    record = {
        "metric": IOU, "value": value, "unit": "IoU", "direction": "higher", "interval": None,
        "protocol": {"protocol": "paper", "sha256": "a" * 64}, "preset": preset.name,
        "task": run.task, "method": run.method, "seed": run.seed, "config": run.as_dict(),
        "data_sha256": "d" * 64, "size": 32,
    }  # fmt: skip
    return Records(results, preset.name).append(record | more)


def fill(
    results: Path,
    ablation: Ablation,
    values: Mapping[tuple[Any, ...], Sequence[float]],
    **more: Any,
) -> None:
    """Of each point, a number for each seed."""
    for point in ablation.points:
        for run, value in zip(point.runs, values.get(point.values, ()), strict=False):
            store(results, point.preset, run, value, **more)


def curve(ablation: Ablation, results: Path, metric: str = IOU) -> Curve:
    (found,) = curves_of(ablation, [metric], results)
    return found


def width(low: float, high: float) -> dict[str, Any]:
    return {"interval": {"low": low, "high": high, "level": 0.95}}
