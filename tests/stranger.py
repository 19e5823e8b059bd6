"""Somebody's method, which knows nothing of this project: tints every picture, in plain NumPy.

python stranger.py INPUTS OUTPUTS SAMPLES
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

inputs, outputs, samples = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for path in sorted(inputs.glob("*.png")):
    draws = np.random.default_rng(list(path.stem.encode()))
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=float)
    (outputs / path.stem).mkdir(parents=True, exist_ok=True)
    for k in range(samples):
        tinted = (pixels * draws.uniform(0.3, 1, 3)).round().astype(np.uint8)
        Image.fromarray(tinted).save(outputs / path.stem / f"{k}.png")
