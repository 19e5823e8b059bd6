"""The arguments of ``python -m reproduce ablate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from reproduce.commands.parser_parts import lpips_weights, made_from_runs


def add_ablate(commands: Any, shown: dict[str, Any]) -> None:
    """The command that trains a method with several values of a setting."""
    ablate = commands.add_parser("ablate",
        help="train a method with several values of a setting or two; measure, tabulate, draw",
        description="Each value is trained once with each seed, measured as in the tables, and "
        "drawn with intervals over trainings (Student's t). Values of a second setting are lines of "
        "their own. A value that the preset has anyway is the preset's own run, and recon_c=0 of "
        "munit is that of munit-wo-c: what is trained or measured already is not done again.",
        epilog="examples:\n  python -m reproduce ablate munit recon_c=0,0.1,1,10 --task drawn-shoes "
        "--preset cpu --seeds 0 1 2\n  python -m reproduce ablate munit recon_x=1,10 style_dim=2,8 "
        "--task drawn-handbags --preset quick --dry-run\n  python -m reproduce ablate munit "
        "steps=800,1600,3200 --task drawn-housecats-dogs --metric cis --metric content-confusion",
        **shown)  # fmt: skip
    ablate.add_argument("method", help="e.g. munit, unit, cyclegan, bicyclegan")
    ablate.add_argument("values", nargs="+", metavar="KEY=VALUE,VALUE,...",
        help="one or two settings, of the method or of its training (steps, batch, ...)")  # fmt: skip
    ablate.add_argument("--task", required=True, help="a task's name, e.g. drawn-shoes")
    ablate.add_argument(
        "--preset", default="cpu", help="scale: quick, cpu, gpu, paper or a .yaml file of your own"
    )
    ablate.add_argument("--seeds", type=at_least(0), nargs="+", default=[0],
        help="of weights, order, noise: everything is trained once with each")  # fmt: skip
    ablate.add_argument("--metric", action="append", default=[], dest="metrics", metavar="METRIC",
        help="instead of the usual ones (diversity and silhouette-iou of drawn edges, diversity of "
        "photographs, cis and is of animals): any that applies, such as truth-distance, fid, style-mmd; "
        "repeatable")  # fmt: skip
    ablate.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="override another setting at all values; repeatable")  # fmt: skip
    how = ablate.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true",
        help="say which trainings are missing and about how long they take")  # fmt: skip
    how.add_argument("--stored", action="store_true",
        help="tabulate and draw from stored records alone, without training")  # fmt: skip
    ablate.add_argument("--device", default="cpu", help="cpu or cuda")
    ablate.add_argument("--data", type=Path, default=Path("data"), help="where pictures are kept")
    ablate.add_argument("--threads", type=at_least(0), default=0,
        help="CPU threads of measuring (default: torch's choice)")  # fmt: skip
    ablate.add_argument("--no-progress", action="store_true", help="no progress bars")
    lpips_weights(ablate)
    ablate.add_argument("--inception-weights", type=Path, help="Inception-v3 weights for "
        "photographs: torch-fidelity's for fid, torchvision's for cis")  # fmt: skip
    ablate.add_argument("--inception-sha256", help="what those weights must hash to")
    made_from_runs(ablate)
