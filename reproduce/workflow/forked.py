"""Start jobs in a tenth of a second, by forking a process that has imported PyTorch once.

Snakemake starts the server (``Snakefile``) and passes it a listening socket; a job's command asks the
server for a process, passes it its stdout and stderr, and waits for its end. If no server answers, the
command runs the job itself. A forked job is in Snakemake's process group like any other, so it gets
the same signals. Run this as a file, without the package: the asking side must start at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence

STOPS = ("SIGINT", "SIGTERM", "SIGHUP")
IMPORTED = (
    "reproduce.commands.cli", "reproduce.workflow.do", "reproduce.measuring.kinds",
    "reproduce.analysis.tables", "scipy.stats",
    "torch._dynamo",  # every optimiser imports it, which takes as long as PyTorch itself
)  # fmt: skip
LONGEST = 1 << 16  # bytes of a command line


def ask(address: str, words: Sequence[str]) -> int:
    """Let the server run ``words`` (``python -m reproduce ...``); returns the exit status."""
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(address)
            told = json.dumps(list(words)).encode()
            socket.send_fds(server, [told], [1, 2])
        except OSError:
            os.execv(words[0], list(words))
        for name in STOPS:  # the job gets these signals too, saves and ends
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        status = server.recv(16)
        return int(status) if status else 1


def serve(listener: socket.socket) -> list[str] | None:
    """Fork a process for each request. Returns, in the forked process, the words it has to run; in the
    server, None when its standard input ends, as it does when the process that started it ends."""
    for name in STOPS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    jobs: dict[int, tuple[int, socket.socket]] = {}  # by the pidfd of the process
    asking: dict[int, int] = {}  # the asking side's descriptor -> the process
    while True:
        waited: list[int | socket.socket] = [0, listener, *jobs, *asking]
        ready, _, _ = select.select(waited, [], [])
        for fd in ready:
            if fd is listener:
                connection, _ = listener.accept()
                data, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 2)
                if len(descriptors) != 2:
                    connection.close()
                    continue
                pid = os.fork()
                if pid == 0:
                    for other, its_connection in jobs.items():
                        os.close(other)
                        its_connection[1].close()
                    return _become(json.loads(data), descriptors, [listener, connection])
                for descriptor in descriptors:
                    os.close(descriptor)
                jobs[os.pidfd_open(pid)] = pid, connection
                asking[connection.fileno()] = pid
            elif fd in jobs:
                pid, connection = jobs.pop(fd)
                os.close(fd)
                asking.pop(connection.fileno(), None)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with connection, contextlib.suppress(OSError):
                    connection.send(str(code if code >= 0 else 128 - code).encode())
            elif fd in asking:  # the asking side is gone: end its job
                os.kill(asking.pop(fd), signal.SIGTERM)
            elif fd == 0 and not os.read(0, 1):
                return None


def _become(
    words: list[str], descriptors: list[int], sockets: Sequence[socket.socket]
) -> list[str]:
    """Give this forked process the output and signal handlers of the one that asked."""
    for name in STOPS:
        standing = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
        signal.signal(getattr(signal, name), standing)
    for number, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    for taken in sockets:
        taken.close()
    return words


def main() -> int:
    """``forked.py ADDRESS WORD ...`` asks; ``forked.py`` alone serves the socket on descriptor 3."""
    if len(sys.argv) > 1:
        return ask(sys.argv[1], sys.argv[2:])
    import importlib
    import runpy

    sys.path.pop(0)  # this file's folder, whose modules belong to the package
    with socket.socket(fileno=3) as listener:
        for name in IMPORTED:
            importlib.import_module(name)
        words = serve(listener)
    if words is not None:
        sys.argv = words[2:]  # without python -m
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
