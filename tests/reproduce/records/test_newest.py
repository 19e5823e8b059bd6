"""A row of a table is of one network: what was measured on an earlier one is left out."""

from __future__ import annotations

from typing import Any

from reproduce.records.current import newest


def record(metric: str, value: float, checkpoint: str | None, **more: Any) -> dict[str, Any]:
    given = {"metric": metric, "value": value, "task": "t", "method": "munit", "seed": 0}
    return given | ({"checkpoint_sha256": checkpoint} if checkpoint else {}) | more


def values(records: list[dict[str, Any]], seed: int = 0) -> dict[str, float]:
    rows = newest(records, seed)
    return {metric: r["value"] for metric, r in rows.get(("t", "munit"), {}).items()}


def test_the_last_of_a_metric_counts() -> None:
    assert values([record("d", 1, "a"), record("d", 2, "a")]) == {"d": 2}


def test_numbers_of_an_earlier_network_go_and_people_stay() -> None:
    old = [record("d", 1, "a"), record("quality-human", 40, None), record("fid", 9, "a")]
    assert values([*old, record("d", 2, "b")]) == {"d": 2, "quality-human": 40}


def test_seeds_and_rows_are_apart() -> None:
    other = record("d", 5, "z", seed=1)
    assert values([record("d", 1, "a"), other]) == {"d": 1}
    assert values([other], seed=1) == {"d": 5}
    assert values([record("d", 1, "a"), record("fid", 3, "b", method="unit")]) == {"d": 1}


def test_real_pictures_are_told_apart_by_their_fingerprint() -> None:
    old = record("d", 1, None, data_sha256="p")
    assert values([old, record("fid", 2, None, data_sha256="q")]) == {"fid": 2}
