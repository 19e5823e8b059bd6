"""What ``python -m reproduce store`` does."""

from __future__ import annotations

import argparse
import sys

from reproduce.experiments.places import Places
from reproduce.experiments.preset import load_preset
from reproduce.measuring.small_run import PRESET, record_small_runs
from reproduce.measuring.storing import store_weights


def store(arguments: argparse.Namespace) -> int:
    """Store weights, or the small run's numbers, and say where."""
    places = Places(
        arguments.data, arguments.runs, arguments.results, progress=not arguments.no_progress
    )
    if arguments.small_run:
        made = record_small_runs(arguments.seeds, places)
        print(f"{len(made)} records: {places.results / PRESET}")
        return 0
    manifest = store_weights(load_preset(arguments.preset), arguments.seeds, places, _note)
    print(f"{len(manifest.files)} files, {manifest.bytes / 1e6:.1f} MB: {manifest.folder}")
    return 0


def _note(words: str) -> None:
    print(f"note: {words}", file=sys.stderr)
