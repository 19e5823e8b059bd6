"""Numbers of styles and contents, computed again from their raw values.

The weights of encoders that no translation reads are not stored, so codes are not encoded again.
"""

from __future__ import annotations

import numpy as np
from regression_world import Findings, Record, World, check_value

from benchmarks.metrics.theory.contents import DOMAIN_ACCURACY, PAIR_DISTANCE, RETRIEVAL_RANK, Pairs
from benchmarks.metrics.theory.styles import METRICS as STYLES
from benchmarks.metrics.theory.styles import Sample

THEORY = {metric.name for metric in (*STYLES, DOMAIN_ACCURACY, PAIR_DISTANCE, RETRIEVAL_RANK)}


def check_theory(world: World, records: dict[str, Record], findings: Findings) -> None:
    """Compare ``records`` of ``THEORY`` with what their raw values give."""
    styles = [known.name for known in STYLES]
    for metric, record in records.items():
        arrays = world.arrays(record)
        if metric in styles:
            told = record["theory"]["domains"]
            findings.same(metric, "domains", sorted(told), sorted(set(arrays) - {"meta"}))
            once, row = np.ones((1, len(arrays[min(told)]))), styles.index(metric)
            found = {d: float(Sample(arrays[d]).numbers(once)[row, 0]) for d in told}
            for domain, value in told.items():
                check_value(record | {"value": value}, found[domain], findings)
            check_value(record, float(np.mean(list(found.values()))), findings)
        elif metric == DOMAIN_ACCURACY.name:
            check_value(record, float(arrays["hits"].mean()), findings)
        else:
            of = Pairs(arrays["same"], arrays["others"], arrays["ranks"], arrays["first"])
            found_now = of.ratio if metric == PAIR_DISTANCE.name else float(of.ranks.mean())
            check_value(record, found_now, findings)
