"""Files that hold computed numbers: what is written, what counts as the same, and that other kernels
give it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparing import assert_same_csv, assert_same_text

from benchmarks.files import comma_separated

ROOT = Path(__file__).resolve().parent.parent
# Other sums in OpenBLAS, PyTorch and oneDNN than those that this processor would choose.
OTHER_KERNELS = {
    "OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE",
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("a,0.250785216,3\n", True),
        ("a,0.25078522,3.0\n", True),
        ("a,0.2507855,3\n", False),
        ("b,0.250785215,3\n", False),
        ("a,0.250785215,3\nb,1,2\n", False),
    ],
)
def test_csv(other: str, same: bool) -> None:
    assert _says(assert_same_csv, "x,y,n\na,0.250785215,3\n", f"x,y,n\n{other}") == same


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("| x  | 0.100 ± 0.02 | 12% | 3 seeds |", True),
        ("| x | 0.099 ± 0.03 | 13% | 3 seeds |", True),
        ("| x | 0.098 ± 0.02 | 12% | 3 seeds |", False),
        ("| x | 0.10 ± 0.02 | 12% | 3 seeds |", False),
        ("| x | 0.100 ± 0.02 | 12% | 4 seeds |", False),
        ("| x | -0.100 ± 0.02 | 12% | 3 seeds |", False),
    ],
)
def test_text(other: str, same: bool) -> None:
    assert _says(assert_same_text, "| x | 0.100 ± 0.02 | 12% | 3 seeds |", other) == same


def test_files_hold_nine_digits_of_a_float() -> None:
    row = [0.25078521500898676, np.float32(1 / 3), 3, None, "x", True, 2.0]
    assert comma_separated("abcdefg", [row]).split()[1] == "0.250785215,0.333333343,3,,x,True,2"


def test_tables_and_claims_are_the_same_with_other_kernels() -> None:
    """The tests that compare with stored files, drawn pictures and recorded training steps, on this
    machine as if it were another."""
    tests = ["test_readme.py", "reproduce/tasks/test_drawn.py", "models/test_golden.py"]
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k",
             "stored_records or raw_values or drawn_version or golden",
             *(str(ROOT / "tests" / name) for name in tests)]  # fmt: skip
    env = os.environ | OTHER_KERNELS | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def _says(same: object, one: str, other: str) -> bool:
    try:
        same(one, other)  # type: ignore[operator]
    except AssertionError:
        return False
    return True
