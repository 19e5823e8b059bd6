"""What ``python -m reproduce step``, the hidden helper of ``all``, does."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from models.errors import UserError
from reproduce.experiments.places import Places, set_threads
from reproduce.experiments.preset import load_preset
from reproduce.training.processes import rank
from reproduce.workflow.graph import is_done
from reproduce.workflow.jobs import all_jobs


def step(arguments: argparse.Namespace) -> int:
    """Make one job of a plan, in this process; for Snakemake."""
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import Interrupted
    from reproduce.training.trainer import NonFiniteLoss
    from reproduce.workflow.steps import make, share

    try:
        plan = json.loads(arguments.plan.read_text(encoding="utf-8"))
        words = plan["words"]
    except (OSError, ValueError, LookupError) as error:
        raise UserError(
            f"{arguments.plan} is no plan of python -m reproduce all: {error}"
        ) from None
    preset = load_preset(words["preset"]).changed(words["overrides"], {})
    jobs = all_jobs(
        preset, words["seeds"], threads=words["threads"], overrides=words["overrides"],
        sources=words["sources"], by_hand=words["by_hand"],
    )  # fmt: skip
    job = jobs.get(arguments.job)
    planned = plan["digests"].get(arguments.job)
    if job is None or planned is None:
        raise UserError(f"{arguments.plan} has no job {arguments.job}")
    if job.digest != planned:
        raise UserError(
            f"the code or the preset changed after {arguments.plan} was written: run "
            "python -m reproduce all again"
        )
    set_threads(job.threads)
    stamps = Path(words["runs"]) / preset.name / "stamps"
    places = Places(
        Path(words["data"]), Path(words["runs"]), Path(words["results"]), words["device"],
        progress=False,
    )  # fmt: skip
    if is_done(job, stamps):
        return 0
    try:
        if rank():
            share(preset, job, places)
        else:
            make(preset, job, places)
    except Interrupted as stop:
        print(f"saved after step {stop.step}", file=sys.stderr)
        return 130
    except (NonFiniteLoss, NonFiniteWeight) as error:
        raise UserError(f"{error}: try a lower lr") from None
    return 0
