"""Grids of pictures against torchvision's."""

import subprocess
import sys

import pytest
import torch
from torchvision.utils import make_grid

from benchmarks.pictures import grid


@pytest.mark.parametrize(("columns", "padding", "value"), [(4, 1, 0.0), (3, 2, 1.0), (1, 0, 0.5)])
def test_a_grid_is_torchvisions(columns: int, padding: int, value: float) -> None:
    for count in (2, 3, 4, 5, 9):
        pictures = torch.rand(count, 3, 5, 7)
        theirs = make_grid(pictures, nrow=columns, padding=padding, pad_value=value)
        assert torch.equal(grid(pictures, columns, padding, value), theirs)
    one = grid(torch.ones(1, 3, 2, 2), 4, padding=1)  # which has its frame too
    assert one.shape == (3, 4, 4) and one.sum() == 12


def test_a_training_imports_no_torchvision() -> None:
    code = (
        "import sys; import reproduce.training.session, reproduce.workflow.do; "
        "from benchmarks.pictures import grid; import torch; grid(torch.rand(2, 3, 4, 4), 2); "
        "print([m for m in ('torchvision', 'lpips', 'torch_fidelity') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
