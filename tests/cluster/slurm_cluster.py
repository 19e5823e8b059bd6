"""A SLURM cluster of one machine, for as long as a ``with`` block: no systemd, no cgroups, and keys,
ports and files of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CONF = Path("/etc/slurm/slurm.conf")


def conf(folder: Path, cores: int) -> str:
    """slurm.conf of this machine."""
    host = socket.gethostname()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 9 // 10
    return f"""
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
MinJobAge=3600
KillWait=120
ReturnToService=2
SlurmdParameters=config_overrides
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def until(
    what: str, condition: Callable[[], bool], seconds: float, *processes: subprocess.Popen[bytes]
) -> None:
    """Wait for ``condition``; fail when it takes too long or one of ``processes`` has ended."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end or any(p.poll() is not None for p in processes):
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.2)


def installed() -> None:
    """Install what is missing, from Debian."""
    if all(map(shutil.which, ("munged", "slurmctld", "slurmd", "sbatch"))):
        return
    say("installing slurm-wlm and munge")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-qy", "slurm-wlm", "munge"]):
        subprocess.run(["apt-get", *words], check=True, env=quiet, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def cluster(folder: Path, cores: int) -> Iterator[None]:
    """The daemons, as children of this process; ended whatever happens."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    path = folder / "slurm.conf"
    path.write_text(conf(folder, cores))
    # There, since Snakemake hides SLURM_CONF from the steps of its jobs.
    if CONF.exists() or CONF.is_symlink():
        raise SystemExit(f"{CONF} is there: this machine is of another cluster, or was left so")
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    commands = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(path)],
        ["slurmd", "-D", "-f", str(path)],
    ]
    daemons: list[subprocess.Popen[bytes]] = []
    with (folder / "daemons.log").open("wb") as log:
        try:
            CONF.symlink_to(path)
            for command in commands:
                say(f"starts {command[0]}")
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
                if command[0] == "munged":
                    until("munged", (folder / "munge.socket").exists, 20, *daemons)
            until("an idle node", lambda: "idle" in asked("sinfo", "-ho", "%T"), 60, *daemons)
            say(f"a cluster of {cores} cores is up: {asked('sinfo', '--version').strip()}")
            yield
        finally:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(["scancel", "--user=root"], timeout=20, check=False)
                until("an empty queue", lambda: not asked("squeue", "-h").strip(), 60)
            for daemon in reversed(daemons):
                daemon.send_signal(signal.SIGTERM)
                try:
                    daemon.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
            CONF.unlink(missing_ok=True)
            say("the daemons have ended")


def asked(*words: str) -> str:
    """What a command prints; nothing where it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""
