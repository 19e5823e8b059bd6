"""What examples and options of commands name."""

from pathlib import Path

import pytest
import tiny

from benchmarks.__main__ import main as benchmarks


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, a training on them, two translations and a study of these; to be copied."""
    folder = tmp_path_factory.mktemp("studied")
    own = tiny.data_set(folder / "own", suffix=".jpg")
    for path in own.glob("*/*.jpg"):
        path.rename(path.with_name(f"{path.stem:0>5}.jpg"))
    last = tiny.train("munit", folder / "run", folder / "data", task=str(own), steps=1)
    for name in ("munit", "unit"):
        tiny.translate(last, own / "testA", folder / "out" / name, "--samples=4")
    methods = [f"--method={name}={folder / 'out' / name}" for name in ("munit", "unit")]
    words = ["--questions=4", "--raters=1", "--per-rater=4", "--catch=0", "--reference=munit"]
    words += [f"--inputs={own / 'testA'}", f"--out={folder / 'study'}"]
    assert benchmarks(["study", "prepare", *methods, *words]) == 0
    return folder
