"""Jobs that are forked end, speak and are stopped as if they had been started."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import until

from reproduce.workflow import forked

SERVER = """
import os, runpy, signal, socket, sys, time
serve = runpy.run_path(sys.argv[1])["serve"]
with socket.socket(fileno=int(sys.argv[2])) as listener:
    words = serve(listener)
if words is not None:
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    exec(words[0])
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forked on Linux alone")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server in ``tmp_path``, whose jobs are lines of Python; it ends with its standard input."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "jobs.socket"))
        listener.listen()
        words = [sys.executable, "-c", SERVER, forked.__file__, str(listener.fileno())]
        server = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
    yield server
    server.communicate()
    assert server.returncode == 0


def ask(folder: Path, code: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-S", "-E", forked.__file__, "jobs.socket", code]
    return subprocess.Popen(
        words, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_job_has_its_own_output_and_status(served, tmp_path):
    asked = [
        ask(tmp_path, f"print({i}); print({-i}, file=sys.stderr); sys.exit({i})") for i in range(4)
    ]
    for i, one in enumerate(asked):
        assert (*one.communicate(), one.returncode) == (f"{i}\n", f"{-i}\n", i)
    failed = ask(tmp_path, "1 / 0")
    assert "ZeroDivisionError" in failed.communicate()[1] and failed.returncode == 1
    killed = ask(tmp_path, "os.kill(os.getpid(), 9)")
    killed.communicate()
    assert killed.returncode == 128 + 9


def test_a_job_ends_with_whoever_asked(served: subprocess.Popen[bytes], tmp_path: Path) -> None:
    one = ask(tmp_path, "print(os.getpid(), flush=True); time.sleep(600)")
    assert one.stdout is not None
    job = int(one.stdout.readline())
    one.kill()
    one.communicate()
    until(lambda: not Path(f"/proc/{job}").exists(), 20)


def test_a_signal_to_all_is_the_jobs_to_answer(served, tmp_path):
    code = """
def stop(number, frame):
    os.write(1, b"saved\\n")  # not print: the signal may come while the one below still flushes
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
print(os.getpid(), flush=True)
time.sleep(600)
"""
    one = ask(tmp_path, code)
    assert one.stdout is not None
    job = int(one.stdout.readline())
    ignored = 0
    while not ignored >> (signal.SIGTERM - 1) & 1:  # the job may speak before its asker waits
        status = Path(f"/proc/{one.pid}/status").read_text()
        ignored = int(status.split("SigIgn:")[1].split()[0], 16)
    for process in (one.pid, served.pid, job):
        os.kill(process, signal.SIGTERM)
    assert one.communicate()[0] == "saved\n" and one.returncode == 130
    assert ask(tmp_path, "pass").wait() == 0  # the server is there


def test_without_a_server_the_command_is_run_itself(tmp_path: Path) -> None:
    words = [sys.executable, "-S", "-E", forked.__file__, "jobs.socket"]
    code = "import sys; print(sys.flags.no_site); sys.exit(5)"
    one = subprocess.run([*words, sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert (one.stdout, one.returncode) == (b"0\n", 5)
