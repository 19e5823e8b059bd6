"""What is installed from a wheel, away from the checkout, has all that the commands read."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from reading import markdown_rows

pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("models", "reproduce", "benchmarks")


def files_under(folder: Path) -> set[str]:
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, unpacked."""
    tree = tmp_path_factory.mktemp("checkout")
    for name in (*PACKAGES, "results/paper"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, check=True
    )
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(tree / "dist" / done.stdout.splitlines()[-1]) as wheel:
        wheel.extractall(folder)
    return folder


def test_it_holds_every_file_of_the_packages(site: Path) -> None:
    for name in PACKAGES:
        missing = files_under(ROOT / name) - files_under(site / name)
        assert not missing, "not named in pyproject.toml's [tool.setuptools]"
    paper = {path.name: path.read_bytes() for path in (ROOT / "results" / "paper").glob("*.csv")}
    assert paper
    assert {p.name: p.read_bytes() for p in (site / "benchmarks" / "paper").iterdir()} == paper
    assert {p.name for p in site.iterdir() if p.suffix != ".dist-info"} == set(PACKAGES)
    networks = {p.name for p in (site / "benchmarks" / "networks").iterdir()}
    assert networks >= {"NOTICE.md", "alexnet_features.safetensors"}


AWAY = """
import reproduce
from benchmarks.__main__ import main as benchmarks
from reproduce.commands.cli import main
print(reproduce.__file__)
benchmarks(["lpips", "a.png", "b.png"])
main(["table", "1", "--preset", "cpu", "--stored"])
"""


def test_it_measures_and_prints_the_papers_column_without_the_checkout(site, tmp_path):
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (64, 64), colour).save(tmp_path / name)
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", AWAY]
    told = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    ).stdout
    place, distance, *table = told.splitlines()
    assert Path(place).is_relative_to(site)
    assert float(distance) > 0.1
    shown = [cells for cells in markdown_rows("\n".join(table)) if cells[0] != "Method"]
    assert len(shown) == 18
    assert shown[6] == ["MUNIT", "50.0%", "—", "0.109", "—", "—"]
