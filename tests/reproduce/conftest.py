"""Pictures and trained runs that the tests of commands share."""

import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import tiny
import torch
from _pytest.capture import CaptureResult

from reproduce.commands.cli import main
from reproduce.experiments.places import Places


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test():
    """One whose test has failed would slow all that follow."""
    yield
    for process in multiprocessing.active_children():
        process.kill()


@pytest.fixture(autouse=True)
def _same_threads():
    """Commands set the number of threads. Tiny networks are fastest with one, and a test that
    compares bits needs the same number everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def refused(refused_by: Callable[..., str]) -> Callable[[Sequence[object]], str]:
    """A function: run a command that must be refused, and get its one line."""
    return partial(refused_by, main)


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[..., CaptureResult[str]]:
    """A function: run a command that ends with ``code``, and get what it printed, ``out`` and ``err``."""

    def run(
        words: Sequence[object], code: int = 0, program: Callable[[list[str]], int] = main
    ) -> CaptureResult[str]:
        capfd.readouterr()
        assert program([*map(str, words)]) == code
        return capfd.readouterr()

    return run


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that nobody listens at."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that mounts a disk of some KiB."""
    place = tmp_path / "disk"

    def mount(kib: int) -> Path:
        place.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("needs root, to mount a small disk")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Of pictures, runs and results of one test."""
    return tiny.places_of(tmp_path)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where drawn pictures are kept, drawn once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory):
    """A function from a method to the checkpoint of a tiny finished run."""
    known: dict[str, Path] = {}

    def get(method: str) -> Path:
        if method not in known:
            out = tmp_path_factory.mktemp(method) / "run"
            assert main(tiny.train_words(method, out, data)) == 0
            known[method] = out / "last.safetensors"
        return known[method]

    return get
