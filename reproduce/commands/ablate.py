"""``python -m reproduce ablate``: a method with several values of a setting or two."""

from __future__ import annotations

import argparse
from typing import Any

from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "ablate", run,
        help="train a method with several values of a setting or two; measure, tabulate, draw",
        description="Each value is trained once with each seed, measured as in the tables, and "
        "drawn with intervals over trainings (Student's t). Values of a second setting are lines of "
        "their own. A value that the preset has anyway is the preset's own run, and recon_c=0 of "
        "munit is that of munit-wo-c: what is trained or measured already is not done again.",
        epilog="examples:\n  python -m reproduce ablate munit recon_c=0,0.1,1,10 --task drawn-shoes "
        "--preset cpu --seeds 0 1 2\n  python -m reproduce ablate munit recon_x=1,10 style_dim=2,8 "
        "--task drawn-handbags --preset quick --dry-run\n  python -m reproduce ablate munit "
        "steps=800,1600,3200 --task drawn-housecats-dogs --metric cis --metric content-confusion",
    )  # fmt: skip
    sub.add_argument("method", help="e.g. munit, unit, cyclegan, bicyclegan")
    sub.add_argument("values", nargs="+", metavar="KEY=VALUE,VALUE,...",
        help="one or two settings, of the method or of its training (steps, batch, ...)")  # fmt: skip
    sub.add_argument("--task", type=options.task, nargs=1, required=True, metavar="TASK", dest="tasks",
        help="a task's name, e.g. drawn-shoes, or a folder of your own pictures")  # fmt: skip
    options.add(sub, "seeds", default=[0],
        help="of weights, order, noise: everything is trained once with each")  # fmt: skip
    sub.add_argument("--metric", action="append", default=[], dest="metrics", metavar="METRIC",
        help="instead of the usual ones (diversity and silhouette-iou of drawn edges, diversity of "
        "photographs, cis and is of animals): any that applies, such as truth-distance, fid, style-mmd; "
        "repeatable")  # fmt: skip
    options.add_making(sub, stored="tabulate and draw")


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
    if not arguments.stored:
        from reproduce.workflow.run import make

        if make(request, options.how_of(arguments)) is None:
            return 0
    curves = curves_of(ablation, metrics, results)
    paths = write_ablation(ablation, curves, results)
    paths.append(ablation_figure(ablation, curves, results))
    print(ablation_table(ablation, curves).markdown())
    print("\n".join(map(str, paths)))
    return 0
