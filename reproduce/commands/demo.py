"""``python -m reproduce demo``: an interactive page for trained networks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.console import at_least
from reproduce.commands import options


def add(commands: Any) -> None:
    sub = options.command(
        commands, "demo", run, help="draw, and see translations in your browser",
        description="Serve a page at 127.0.0.1: draw edges or choose a picture, see it in random styles, "
        "change the numbers of a style, interpolate between two, use the style of an example, and compare "
        "methods. Nothing leaves this machine.",
        epilog="examples:\n  python -m reproduce demo\n  python -m reproduce demo "
        "runs/mine/last.safetensors --port 8000",
    )  # fmt: skip
    sub.add_argument("checkpoints", type=Path, nargs="*", metavar="CHECKPOINT",
        help="networks to show (default: the preset's stored weights)")  # fmt: skip
    options.add(sub, "preset", default="showcase")
    options.add(sub, "results", "device")
    sub.add_argument("--port", type=at_least(0), default=7860, help="0 takes any free port")
    sub.add_argument("--no-browser", action="store_true", help="only print the address")


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from benchmarks.devices import check_device
    from reproduce.experiments.preset import load_preset
    from reproduce.report.demo.app import serve
    from reproduce.report.demo.networks import networks_of, stored_networks

    device, preset = check_device(arguments.device), load_preset(arguments.preset)
    networks = (
        networks_of(arguments.checkpoints, device)
        if arguments.checkpoints
        else stored_networks(arguments.results, preset.name, device)
    )
    serve(networks, arguments.port, not arguments.no_browser)
    return 0
