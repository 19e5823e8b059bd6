"""``python -m reproduce step``: run one job of a plan, as Snakemake does."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from models.errors import UserError
from reproduce.commands import options


def add(commands: Any) -> None:
    # It has no help, so that it is not listed: it is for Snakemake.
    sub = options.command(commands, "step", run, description="Run a job of a plan, for Snakemake.")
    sub.add_argument("job", help="name of the job, as all --dry-run lists it")
    sub.add_argument("--plan", type=Path, required=True, help="file that all --plan wrote")
    options.add(sub, "threads")


def run(arguments: argparse.Namespace) -> int:
    from reproduce.experiments.places import set_threads
    from reproduce.records.code import take_digests
    from reproduce.training.checkpoints import NonFiniteWeight
    from reproduce.training.loop import Interrupted, ManyUntaken
    from reproduce.training.processes import rank
    from reproduce.workflow.do import make, share
    from reproduce.workflow.graph import is_done
    from reproduce.workflow.jobs import Request

    try:
        plan = json.loads(arguments.plan.read_text(encoding="utf-8"))
        request, digests = Request.read(plan["request"]), plan["digests"]
        take_digests(plan["code"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{arguments.plan} is no plan of python -m reproduce: {error}") from None
    job = request.jobs().get(arguments.job)
    if job is None or arguments.job not in digests:
        raise UserError(f"{arguments.plan} has no job {arguments.job}")
    if job.digest != digests[arguments.job]:
        raise UserError(
            f"the code or the preset changed after {arguments.plan} was written: run the command "
            "that wrote it again"
        )
    set_threads(arguments.threads)
    if is_done(job, request.places.runs):
        return 0
    try:
        if rank():
            share(request, job)
        else:
            make(request, job)
    except Interrupted as stop:
        print(f"saved after step {stop.step}", file=sys.stderr)
        return 130
    except (ManyUntaken, NonFiniteWeight) as error:
        raise UserError(f"{error}: remove pictures of a single colour, or lower lr") from None
    return 0
