"""``python -m reproduce ablate``: train and measure a method over values of one or two settings."""

from __future__ import annotations

import argparse
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "ablate", run,
        help="train a method over values of one or two settings; measure, tabulate and plot",
        description="Train each value with each seed, measure it as in the tables, and plot it with "
        "confidence intervals over trainings (Student's t). Each value of a second setting is a line. "
        "Existing runs and records are reused: a value equal to the preset's is the preset's own run, "
        "and recon_c=0 of munit is munit-wo-c.",
        epilog="examples:\n  python -m reproduce ablate munit recon_c=0,0.1,1,10 --task drawn-shoes "
        "--preset cpu --seeds 0 1 2\n  python -m reproduce ablate munit recon_x=1,10 style_dim=2,8 "
        "--task drawn-handbags --preset quick --dry-run\n  python -m reproduce ablate munit "
        "steps=800,1600,3200 --task drawn-housecats-dogs --metric cis --metric content-confusion",
    )  # fmt: skip
    sub.add_argument("method", help="e.g. munit, unit, cyclegan, bicyclegan")
    sub.add_argument("values", nargs="+", metavar="KEY=VALUE,VALUE,...",
        help="one or two settings of the method or of its training (steps, batch, ...)")  # fmt: skip
    sub.add_argument("--task", type=options.task, nargs=1, required=True, metavar="TASK", dest="tasks",
        help="name of a task, e.g. drawn-shoes, or a folder of your own pictures")  # fmt: skip
    options.add(sub, "seeds", default=[0],
        help="train every value once with each seed (default: 0)")  # fmt: skip
    sub.add_argument("--metric", action="append", default=[], dest="metrics", metavar="METRIC",
        help="metric to measure, such as truth-distance, fid or style-mmd; repeatable (default: diversity "
        "and silhouette-iou for drawn edges, diversity for photographs, cis and is for animals)")  # fmt: skip
    options.add_making(sub, stored="tabulate and plot")


def run(arguments: argparse.Namespace) -> int:
    from reproduce.analysis.ablation import ablation_table, curves_of, write_ablation
    from reproduce.measuring.ablation import chosen_metrics
    from reproduce.report.ablation_figure import ablation_figure

    told = {key: getattr(arguments, key) for key in ("method", "values", "metrics")}
    request = options.request_of(
        arguments, arguments.seeds, f"ablation of {arguments.method}", ablation=told
    )
    ablation, results = request.points, request.places.results
    told["metrics"] = metrics = chosen_metrics(ablation.spec, arguments.method, arguments.metrics)
    if not arguments.stored and options.make(arguments, request) is None:
        return 0
    curves = curves_of(ablation, metrics, results)
    paths = write_ablation(ablation, curves, results)
    paths.append(ablation_figure(ablation, curves, results))
    print(ablation_table(ablation, curves).markdown())
    print("\n".join(map(str, paths)))
    return 0
