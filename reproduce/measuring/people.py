"""Import a human study's analysis as records: Table 1's Quality, by people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import benchmarks.study.analyse  # noqa: F401  (declares the metric)
from benchmarks.files import foreign, sha256_file
from benchmarks.intervals import Interval
from benchmarks.metric import Measurement
from models.errors import UserError
from models.zoo import METHODS, nearest
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.records.environment import environment

METRIC, REFERENCE = "quality-human", "munit"


def take_in(preset: Preset, task: str, path: Path, seed: int, places: Places) -> list[str]:
    """Record a study's results (``analysis.json``) for ``task``; return the methods' names.

    The study's methods must have the table's names (munit-wo-x, unit, ...) and be compared with
    munit. Results already on record are not recorded again; methods with too few votes are left
    out.
    """
    results, sha256 = read_analysis(path), sha256_file(path)
    records, names = places.records(preset), []
    for method, measured in results:
        if method not in METHODS:
            raise UserError(
                f"{path}: no method '{method}' in the table: {nearest(method, METHODS)}"
            )
        if measured is None:
            continue
        names.append(method)
        same = dict(metric=METRIC, task=task, method=method, seed=seed, analysis_sha256=sha256)
        if records.find(**same) is None:
            size = {"size": measured.protocol["resolution"][0]}
            about = {"preset": preset.name, "environment": environment(places.device)}
            records.append(measured.as_dict() | same | about | size)
    return names


def read_analysis(path: Path) -> list[tuple[str, Measurement | None]]:
    """Read and check the methods of a study's analysis and their measurements; UserError for any
    other file."""
    remedy = "give the file that 'python -m benchmarks study analyse' wrote"
    with foreign(f"{path} is no analysis of a study", remedy):
        analysis = json.loads(path.read_text(encoding="utf-8"))
        reference = str(analysis["design"]["reference"])
        results = [(str(r["method"]), _measurement(r["measurement"])) for r in analysis["results"]]
    if reference != REFERENCE:
        raise UserError(
            f"{path}: the study's reference is '{reference}', and the table's Quality is a "
            f"preference over {REFERENCE}: prepare it with --reference {REFERENCE}"
        )
    return results


def _measurement(given: dict[str, Any] | None) -> Measurement | None:
    if given is None:
        return None
    if given["metric"] != METRIC or int(given["protocol"]["resolution"][0]) < 1:
        raise ValueError(f"its measurement is {given['metric']}")
    about = Interval(**given["interval"]), dict(given["protocol"])
    try:
        return Measurement(METRIC, float(given["value"]), *about)
    except UserError as error:
        raise ValueError(str(error)) from None
