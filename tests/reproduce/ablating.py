"""``ablate`` with runs so small that they learn nothing."""

from __future__ import annotations

from pathlib import Path

SHOES, ANIMALS = "drawn-shoes", "drawn-housecats-dogs"
STEPS = 120
PRESET = f"""
extends: quick
about: Nothing is learned.
run: {{size: 32, batch: 2, steps: {STEPS}, train: 30, test: 8, lr_policy: linear}}
methods:
  munit: {{dim: 4, n_res: 1, mlp_dim: 8, dis_dim: 4, dis_layers: 3, dis_scales: 1, init: kaiming}}
  cyclegan: {{dim: 4, n_blocks: 1, dis_dim: 4, dis_layers: 2, depth: 5}}
  bicyclegan: {{dim: 4, depth: 5, enc_dim: 4, enc_blocks: 2, dis_dim: 4, dis_layers: 2}}
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
    places = [f"--{name}={root / name}" for name in ("data", "runs", "results")]
    return [
        "ablate", method, *values, "--task", task, f"--preset={preset}", "--no-progress",
        "--threads=1", "--jobs=2", *places,
    ]  # fmt: skip
