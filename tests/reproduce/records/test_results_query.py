"""Stored records looked up: by name and family, newest or all, as a table, CSV, JSON, DataFrame."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from reading import csv_rows

from models.errors import UserError
from reproduce.records.current import newest
from reproduce.records.query import COLUMNS, find, flat, frame, number, query
from reproduce.records.store import Records, line_of, record_id

STORED = Path(__file__).resolve().parents[3] / "results"


def record(**more: Any) -> dict[str, Any]:
    facts = {
        "preset": "cpu", "task": "drawn-shoes", "method": "munit", "seed": 0, "value": 0.0123456,
        "metric": "diversity-lpips", "unit": "LPIPS", "checkpoint_sha256": "ab" * 32,
        "protocol": {"N": 100, "K": 38, "protocol": "paper", "extractor": "lpips"},
        "interval": {"low": 0.0113, "high": 0.0133, "level": 0.95},
        "environment": {"commit": "c0ffee" * 6, "dirty": False, "packages": {"torch": "2.15.0"}},
    }  # fmt: skip
    return facts | more


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two presets, two methods, two networks of one of them, two directions, real pictures."""
    cpu, quick = Records(tmp_path, "cpu"), Records(tmp_path, "quick")
    cpu.append(record(value=0.5, checkpoint_sha256="00" * 32))
    cpu.append(record(metric="silhouette-iou", value=0.25, checkpoint_sha256="00" * 32))
    ends = {"low": 42.0, "high": 49.0}
    cpu.append(record(metric="quality-judged", unit="%", value=45.4, interval=ends))
    cpu.append(record())
    cpu.append(record(seed=1, value=0.013))
    cpu.append(record(method="unit", checkpoint_sha256="cd" * 32, value=0.002))
    cpu.append(record(method="real", checkpoint_sha256=None, data_sha256="ee" * 32, value=0.2))
    for translation in ("a2b", "b2a"):
        quick.append(record(preset="quick", task="drawn-housecats-dogs", metric="cis", interval=None,
                            translation=translation, value=1.5))  # fmt: skip
    (tmp_path / "paper").mkdir()
    return tmp_path


def words(results: Path, *more: str) -> list[str]:
    return ["results", f"--results={results}", *more]


def values(found: list[dict[str, Any]]) -> list[float]:
    return [r["value"] for r in found]


def test_a_record_parsed_from_its_line_has_the_id_of_the_line() -> None:
    facts = record(value=1e-300, unit='%\u2028\n"é', measure={"b": None, "a": [True, -0.0, 10**20]})
    line = line_of(facts)
    assert "\n" not in line
    assert record_id(json.loads(line)) == hashlib.sha256(line.encode()).hexdigest()[:12]
    assert record_id(dict(reversed(facts.items()))) == record_id(facts)


def test_ids_find_records(results: Path) -> None:
    stored = Records(results, "cpu").all()
    ids = [record_id(record) for record in stored]
    assert len(set(ids)) == 7
    assert find(results, ids[3]) == stored[3] == find(results, ids[3][:4].upper())


def test_filters_families_and_the_newest_network(results: Path) -> None:
    assert values(query(results, method="munit", metric="diversity", seed=0)) == [0.0123456]
    assert values(query(results, method="munit", metric="diversity")) == [0.0123456, 0.013]
    # The silhouette is of a network that was measured no more.
    with_old = query(results, preset="cpu", method="munit", newest=False)
    assert sorted(values(with_old)) == [0.0123456, 0.013, 0.25, 0.5, 45.4]
    assert query(results, metric="silhouette-iou") == []
    assert values(query(results, metric="silhouette", newest=False)) == [0.25]
    assert [r["translation"] for r in query(results, metric="cis")] == ["a2b", "b2a"]
    assert values(query(results, translation="b2a", task="drawn-housecats-dogs")) == [1.5]
    methods = [r["method"] for r in query(results, preset="cpu", metric="diversity", seed=0)]
    assert methods == ["unit", "munit", "real"]  # as in the tables
    assert len(query(results)) == 7


def test_an_empty_answer_says_what_there_is(results: Path, tmp_path: Path, said) -> None:
    told = said(words(results, "--method=unit", "--metric=quality"))
    assert "--method could be munit;" in told.err
    assert "--metric could be diversity-lpips\n" in told.err
    assert said(words(results, "--seed=7", "--csv=-")).out == ",".join(COLUMNS) + "\n"
    (tmp_path / "none").mkdir()
    assert "table 1 --preset quick" in said(words(tmp_path / "none")).err
    assert "nowhere" in said(words(tmp_path / "nowhere"), 2).err


def test_the_table_rounds_by_the_interval(results: Path, said) -> None:
    _, *rows = said(words(results, "--preset=cpu", "--seed=0")).out.splitlines()
    munit = next(row for row in rows if " munit " in row and "diversity" in row)
    assert "0.0123  [0.0113, 0.0133]" in munit
    assert munit.split()[0] == record_id(query(results, method="munit", metric="diversity")[0])
    assert "45.4  [42.0, 49.0]" in "\n".join(rows)
    told = said(words(results, "--method=munit", "--all", "--columns=value,translation")).out
    assert "\n 1.500  a2b\n" in told  # four digits where no interval is known


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (0.0123456, (0.0113, 0.0133), "0.0123"),
        (1234.5, (1000, 1500), "1234"),
        (0.0, (0.0, 0.0), "0"),
        (0.00123456, (None, None), "0.001235"),
        (0, (None, None), "0"),
    ],
)
def test_digits(value: float, ends: tuple[float | None, float | None], text: str) -> None:
    assert number(value, *ends) == text


def test_csv_json_and_frame_hold_the_numbers(results: Path, tmp_path: Path, said) -> None:
    chosen = query(results, method="munit", metric="diversity", seed=0)
    pick = ["--method=munit", "--metric=diversity", "--seed=0"]
    file = tmp_path / "out" / "x.csv"
    assert said(words(results, *pick, f"--csv={file}")).out == f"{file}\n"
    text = said(words(results, *pick, "--csv=-")).out
    assert file.read_text() == text
    (row,) = csv_rows(text)
    assert tuple(row) == COLUMNS
    assert float(row["value"]) == 0.0123456 and row["checkpoint"] == "ab" * 6
    assert row["commit"] == "c0ffee" * 2 and row["data"] == row["translation"] == ""
    assert (row["low"], row["high"], row["N"], row["K"]) == ("0.0113", "0.0133", "100", "38")

    (whole,) = json.loads(said(words(results, *pick, "--json")).out)
    assert whole.pop("id") == row["id"] == record_id(whole) and whole == chosen[0]
    chosen = json.loads(said(words(results, *pick, "--json", "--columns=value, id")).out)
    assert chosen == [{"value": 0.0123456, "id": row["id"]}]

    data = frame(query(results, preset="cpu"))
    assert tuple(data.columns) == COLUMNS and len(data) == 5
    assert data.set_index("method").loc["unit", "value"] == 0.002 and data["value"].dtype == float
    assert tuple(frame([]).columns) == COLUMNS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"preset": "quick"}, "is of preset quick, not of cpu"),
        ({"value": "0.1"}, 'has value "0.1", which is not a number'),
        ({"interval": {"low": 0}}, "interval without ends"),
        ({"value": float("nan")}, "NaN"),
        ({"seed": True}, "seed"),
        ({"raw": "cpu/raw/x.npz"}, "only one of raw and raw_sha256"),
    ],
)
def test_lines_that_are_no_records_are_named(results, change, reason, refused):
    path = results / "cpu" / "records.jsonl"
    lines = [*path.read_text().splitlines(), json.dumps(record(**change))]
    path.write_text("\n".join(lines) + "\n")
    told = refused(["claims", f"--results={results}", "--preset=cpu"])
    assert f"records.jsonl line {len(lines)} " in told and "restore" in told and reason in told


def test_ids_unknown_ambiguous_and_too_short(results: Path) -> None:
    ids = [record_id(r) for r in query(results, newest=False)]
    unknown = next(word for i in range(2**16) if (word := f"{i:04x}") not in {d[:4] for d in ids})
    with pytest.raises(UserError, match=f"no record {unknown} among the 9"):
        find(results, unknown)
    for word in ("abc", "xyz0", "", ids[0] + "0"):
        with pytest.raises(UserError, match="hex|no record"):
            find(results, word)
    # Two records whose ids begin alike, by search.
    lines: dict[str, str] = {}
    for k in range(10_000):
        line = line_of(record(seed=k))
        start = record_id(json.loads(line))[:4]
        if start in lines:
            break
        lines[start] = line
    path = results / "cpu" / "records.jsonl"
    path.write_text(f"{lines[start]}\n{line}\n")
    with pytest.raises(UserError, match=f"{start} matches the ids of 2 records"):
        find(results, start)


def test_the_stored_records_answer_as_the_tables_do() -> None:
    found = query(STORED, preset="cpu", task="drawn-shoes", method="munit", seed=0)
    of_table = newest(Records(STORED, "cpu").all(), seed=0)["drawn-shoes", "munit"]
    alone = [r for r in found if r.get("translation") is None]
    assert {r["metric"]: r for r in alone} == of_table and len(alone) == len(of_table)


def test_prune_drops_what_only_all_shows(tmp_path: Path, said) -> None:
    shutil.copytree(STORED / "regression", tmp_path / "regression")
    path = tmp_path / "regression" / "records.jsonl"
    shown = [flat(r) for r in query(tmp_path)]
    old = path.read_text(encoding="utf-8").splitlines()
    first = Records(tmp_path, "regression").all()[0]
    again = first | {"value": 0.5, "time": "2000-01-01T00:00:00+00:00"}
    path.write_text("\n".join([line_of(again), *old]) + "\n", encoding="utf-8")
    told = said(["results", "prune", f"--results={tmp_path}"]).out
    assert "regression: deleted 1 records and 0 files" in told
    assert [flat(r) for r in query(tmp_path)] == shown
    assert path.read_text(encoding="utf-8").splitlines() == old
    told = said(["results", "prune", "--metric=fid", f"--results={tmp_path}"], 2).err
    assert "leave --metric out" in told
