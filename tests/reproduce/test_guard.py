"""What a command started ends with it, even when it is killed, and is waited for by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from models.errors import UserError
from reproduce.workflow import guard
from reproduce.workflow.guard import only_command
from reproduce.workflow.own_devices import own_devices

# Asked to stop, it takes a second to save.
JOB = """
import signal, sys, time
from pathlib import Path
def save(number, frame):
    time.sleep(1)
    Path("saved").write_text(str(time.time()))
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
Path("begun").touch()
time.sleep(60)
"""
PARENT = """
import os, sys, time
from pathlib import Path
from reproduce.workflow.guard import end_guarded, only_command, start_guarded
here = Path(".")
with only_command(here):
    words = ["sh", "-c", f"{sys.executable} job.py; true"]
    process = start_guarded(words, here, here / "log", dict(os.environ), "SIGTERM")
    process.wait()
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def parent(tmp_path: Path) -> subprocess.Popen[bytes]:
    (tmp_path / "job.py").write_text(JOB)
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def test_a_second_command_is_refused_in_one_line(
    parent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"another .* at work in .*: wait"), only_command(tmp_path):
        pass
    parent.kill()
    parent.wait()
    with only_command(tmp_path):
        assert (tmp_path / "saved").exists()


def test_what_a_killed_command_left_saves_and_is_waited_for(
    parent: subprocess.Popen[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert not (tmp_path / "saved").exists()
    with only_command(tmp_path):
        assert float((tmp_path / "saved").read_text()) <= time.time()
    assert capsys.readouterr().err.count("waiting for them") == 1


def test_what_does_not_end_is_named(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\nfrom reproduce.workflow import guard\nguard.GRACE = -59.8\n"
        "with guard.only_command(Path('.')): pass"
    )
    with FileLock(tmp_path / guard.GUARDED):
        other = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip
    assert "still at work in ." in other.stderr.splitlines()[-1]


def test_each_command_has_gpus_of_its_own(tmp_path: Path) -> None:
    # flock is of an opened file: a lock that this process holds counts for itself too.
    assert own_devices(tmp_path, 3, ["4", "7", "9"], 2) == ["4", "7"]
    assert own_devices(tmp_path, 3, ["4", "7", "9"], 1) == ["9"]
    words = [
        sys.executable,
        "-m",
        "reproduce.workflow.own_devices",
        str(tmp_path),
        "4",
        "4,7,9",
        "1",
    ]
    shown = [sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"]
    for _ in range(2):  # a slot is free again when its command has ended
        done = subprocess.run(
            [*words, *shown], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout == "4\n", "the fourth slot is the first GPU's second"
