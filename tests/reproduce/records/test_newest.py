"""A row of a table is of one network: what was measured on an earlier one is left out."""

from typing import Any

from reproduce.records.current import newest


def record(metric: str, value: float, checkpoint: str | None, **more: Any) -> dict[str, Any]:
    given = {"metric": metric, "value": value, "task": "t", "method": "munit", "seed": 0}
    return given | ({"checkpoint_sha256": checkpoint} if checkpoint else {}) | more


def values(records: list[dict[str, Any]], seed: int = 0) -> dict[str, float]:
    rows = newest(records, seed)
    return {metric: r["value"] for metric, r in rows.get(("t", "munit"), {}).items()}


ONE, OTHER = record("d", 1, "a"), record("d", 5, "z", seed=1)
OF_PICTURES = record("d", 1, None, data_sha256="p"), record("fid", 2, None, data_sha256="q")


def test_what_counts() -> None:
    assert values([ONE, record("d", 2, "a")]) == {"d": 2}, "the last of a metric"
    old = [ONE, record("quality-human", 40, None), record("fid", 9, "a")]
    told = "numbers of an earlier network go, and people stay"
    assert values([*old, record("d", 2, "b")]) == {"d": 2, "quality-human": 40}, told
    assert values([ONE, OTHER]) == {"d": 1} and values([OTHER], seed=1) == {"d": 5}, "seeds"
    assert values([ONE, record("fid", 3, "b", method="unit")]) == {"d": 1}, "rows are apart"
    assert values([*OF_PICTURES]) == {"fid": 2}, "real pictures by their fingerprint"
