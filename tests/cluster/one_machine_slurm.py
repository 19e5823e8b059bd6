"""A SLURM cluster on this one machine, on which the graph runs to its end though jobs are killed.

Needs root and Debian: installs slurm-wlm and munge where they are missing, and runs their daemons
without systemd and cgroups, with keys, ports and files of its own, for as long as it takes. The node
claims eight cores. Three trainings are taken away amid their steps: one by ``scancel``, one by
``scontrol requeue``, and one twice because its time is over; each must go on from its checkpoint, and
end with the bits of a training that nobody disturbed.

    python tests/cluster/one_machine_slurm.py
    python tests/cluster/one_machine_slurm.py --preset quick --folder /tmp/cluster
"""

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "reproduce" / "workflow" / "profiles" / "slurm"
TINY = """
extends: quick
about: Nothing is learned; the trainings that are killed last long enough for it.
run: {size: 32, batch: 2, steps: 4, train: 12, test: 8, lr_policy: linear}
methods:
  munit: {dim: 4, n_res: 1, mlp_dim: 8, dis_dim: 4, dis_layers: 3, dis_scales: 1}
  unit: {dim: 4, n_downsample: 1, n_res: 1, dis_dim: 4, dis_layers: 3, steps: 400}
  cyclegan: {dim: 4, n_blocks: 1, dis_dim: 4, dis_layers: 2, depth: 5, steps: 8000}
  cyclegan-noise: {steps: 4}
  bicyclegan: {dim: 4, depth: 5, enc_dim: 4, enc_blocks: 2, dis_dim: 4, dis_layers: 2, steps: 400}
measure: {protocol: paper, inputs: 4, samples: 38, scores: none}
tables: {1: [drawn-shoes]}
figures: {}
"""
CONF = Path("/etc/slurm/slurm.conf")
CORES = 8
# Who is killed, and how, each time; {} is the job. Of a time that is over SLURM learns within half a minute.
TIME_IS_OVER = ["scontrol", "update", "JobId={}", "TimeLimit=1"]
VICTIMS = {
    "unit": [["scancel", "{}"]],
    "bicyclegan": [["scontrol", "requeue", "{}"]],
    "cyclegan": [TIME_IS_OVER, TIME_IS_OVER],
}
TASK = "drawn-shoes"


def conf(folder: Path) -> str:
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
NodeName={host} NodeAddr=127.0.0.1 CPUs={CORES} RealMemory={memory} State=UNKNOWN
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
def cluster(folder: Path) -> Iterator[None]:
    """A cluster of this machine, without systemd and cgroups: its daemons, as children of this process,
    ended whatever happens."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    path = folder / "slurm.conf"
    path.write_text(conf(folder))
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
            say(f"a cluster of {CORES} cores is up: {asked('sinfo', '--version').strip()}")
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


class Graph:
    """One run of the graph under ``folder``."""

    def __init__(self, folder: Path, preset: str) -> None:
        self.folder, self.preset, self.name = folder, preset, Path(preset).stem
        self.plan = folder / "plan.json"
        self.environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def reproduce(self, *words: str) -> str:
        """What ``python -m reproduce`` prints."""
        command = [sys.executable, "-m", "reproduce", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def all(self, *more: str) -> str:
        cores = [f"--cores={CORES}", f"--jobs={CORES}"]
        return self.reproduce("all", f"--preset={self.preset}", *cores, *more)

    def snakemake(self, log: Path) -> subprocess.Popen[bytes]:
        words = [
            "--snakefile", str(ROOT / "reproduce" / "workflow" / "Snakefile"), "--config", f"plan={self.plan}",
            "--profile", str(PROFILE), "--directory", str(self.folder / "snakemake"),
            # No accounting here, and no other machine whose files come late.
            "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5",
            "--latency-wait", "5",
        ]  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *words], stdout=log.open("wb"),
            stderr=subprocess.STDOUT, env=self.environment, cwd=self.folder,
        )  # fmt: skip

    def run(self, method: str) -> Path:
        return self.folder / "runs" / self.name / TASK / f"{method}-seed0"

    def progress(self, method: str) -> tuple[int, int]:
        """Steps done, and of how many."""
        try:
            told = json.loads((self.run(method) / "progress.json").read_text())
        except (OSError, ValueError):
            return 0, 0  # not begun
        return told["step"], told["steps"]


def job_of(method: str) -> str:
    """The SLURM job that trains ``method`` now, or nothing."""
    rule = f"rule_train_{TASK}_{method}_seed0".replace("-", "_")
    for line in asked("squeue", "-h", "-t", "RUNNING,COMPLETING", "-o", "%i|%k").splitlines():
        number, _, comment = line.partition("|")
        if comment.startswith(rule):  # a digest follows
            return number
    return ""


def take_away(graph: Graph, method: str, how: list[str]) -> int:
    """End the training of ``method`` as a scheduler does; the step of the checkpoint it leaves."""
    job = job_of(method)
    at, steps = graph.progress(method)
    words = [word.format(job) for word in how]
    say(f"{' '.join(words)}: {method} is at step {at} of {steps}")
    subprocess.run(words, check=True)
    last = graph.run(method) / "last.safetensors"
    until("a checkpoint", lambda: last.exists() and job_of(method) != job, 150)
    with safe_open(last, framework="pt") as file:
        step = int(file.metadata()["step"])
    say(f"{method} was saved after step {step}")
    assert at <= step < steps, "it was not killed amid its training"
    return step


def first_logged(folder: Path) -> list[int]:
    """The first step that each attempt at a run has logged."""
    paths = sorted((folder / "tensorboard").iterdir(), key=lambda p: p.stat().st_mtime_ns)
    every = [EventAccumulator(str(path)).Reload() for path in paths]
    return [of.Scalars(of.Tags()["scalars"][0])[0].step for of in every if of.Tags()["scalars"]]


def prove(graph: Graph) -> None:
    """Run the graph, disturb it, and look at what it made."""
    graph.all(f"--plan={graph.plan}")
    jobs = json.loads(graph.plan.read_text())["jobs"]
    log = graph.folder / "snakemake.log"
    begin = time.monotonic()
    process = graph.snakemake(log)
    say(f"{len(jobs)} jobs are given to the cluster, by Snakemake ({log})")
    left = {method: [*ways] for method, ways in VICTIMS.items()}
    saved = dict.fromkeys(left, 0)
    try:
        while process.poll() is None:
            for method in list(left):
                at, steps = graph.progress(method)
                if saved[method] + steps // 10 <= at < steps and job_of(method):
                    saved[method] = take_away(graph, method, left[method].pop(0))
                    if not left[method]:
                        del left[method]
            time.sleep(0.2)
    finally:
        process.kill()  # asked to end, it would wait for its jobs; the cluster ends those
        process.wait()
    minutes = (time.monotonic() - begin) / 60
    assert process.returncode == 0, f"Snakemake failed: see {log}"
    assert not left, f"nobody came to kill {list(left)}"
    say(f"the graph ran to its end in {minutes:.1f} minutes")
    for method, step in saved.items():
        begun = first_logged(graph.run(method))
        assert begun[-1] > step, f"{method} began anew, at step {begun[-1]}"
        assert len(begun) > len(VICTIMS[method]), f"{method} was killed less often: {begun}"
        say(f"{method} went on after step {step}: attempts logged from steps {begun}")
        again = graph.folder / "undisturbed" / method
        graph.reproduce(
            "train", method, f"--task={TASK}", f"--preset={graph.preset}", f"--out={again}",
            "--threads=1", "--no-progress",
        )  # fmt: skip
        ours, whole = (
            hashlib.sha256((f / "last.safetensors").read_bytes()).hexdigest()
            for f in (graph.run(method), again)
        )
        assert ours == whole, f"{method} ended with other weights than when undisturbed"
        say(f"{method}'s last checkpoint is that of an undisturbed training: sha256 {ours[:16]}")
    said = graph.all()
    assert "up to date" in said, said
    say(said.strip())


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", help="quick, e.g. (default: one that learns nothing)")
    parser.add_argument("--folder", type=Path, help="new, and kept (default: a temporary one)")
    arguments = parser.parse_args()
    if os.geteuid():
        raise SystemExit("only root can start SLURM's daemons and read the key they share")
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        raise SystemExit(
            f"{sys.executable} has no Snakemake plugin for SLURM: pip install -e '.[cluster]'"
        )
    # The daemons must not outlive this, asked to end once or twice.
    signal.signal(signal.SIGTERM, _end)
    installed()
    with contextlib.ExitStack() as stack:
        if arguments.folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        else:
            folder = arguments.folder.absolute()
            folder.mkdir(parents=True)
        preset = arguments.preset
        if preset is None:
            preset = str(folder / "tiny.yaml")
            Path(preset).write_text(TINY)
        stack.enter_context(cluster(folder))
        prove(Graph(folder, preset))
    say("all is well")


if __name__ == "__main__":
    main()
