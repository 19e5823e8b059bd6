"""A human study's analysis fills Table 1's Quality, or is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from reading import refusal

from benchmarks.metrics.preference import preference
from reproduce.experiments.preset import load_preset
from reproduce.measuring.people import take_in
from reproduce.records.store import Records

TASK = "drawn-shoes"


def analysis(tmp_path: Path, **changes: Any) -> Path:
    """As ``study analyse`` writes it: unit preferred in 60 of 200 votes, cyclegan with too few."""
    import benchmarks.study.analyse as study

    found = preference([k % 10 < 3 for k in range(200)], [k // 5 for k in range(200)],
                       [k % 5 for k in range(200)])  # fmt: skip
    measured = found.measurement(study.QUALITY_HUMAN.name, {"resolution": [32, 32]}).as_dict()
    content: dict[str, Any] = {
        "design": {"reference": "munit"},
        "results": [
            {"method": "unit", "measurement": measured},
            {"method": "cyclegan", "measurement": None},
        ],
    }
    path = tmp_path / "analysis.json"
    path.write_text(json.dumps(content | changes))
    return path


def test_people_are_recorded_once_and_shown(tmp_path, said):
    human = f"--human={TASK}={analysis(tmp_path)}"
    words = ["table", "1", "--preset=cpu", "--stored", f"--results={tmp_path / 'results'}", human]
    shown = said(words).out
    assert said(words).out == shown
    (record,) = Records(tmp_path / "results", "cpu").all()
    assert (record["metric"], record["method"]) == ("quality-human", "unit")
    assert record["value"] == pytest.approx(30.0)
    rows = [line for line in shown.splitlines() if line.startswith("| UNIT")]
    assert "30.0 ± " in rows[0] and "% (human)" in rows[0]
    assert "(human)" not in rows[1]  # the other task
    assert "30.0 ± " in (tmp_path / "results" / "cpu" / "table1.md").read_text()


def told(**changes: object) -> dict[str, Any]:
    """Results of unit, whose measurement is another."""
    from benchmarks.study.analyse import QUALITY_HUMAN

    about = {"metric": QUALITY_HUMAN.name, "value": 30.0, "protocol": {"resolution": [32, 32]},
             "interval": {"low": 20.0, "high": 40.0, "level": 0.95, "method": "m", "over": "x"}}  # fmt: skip
    return {"results": [{"method": "unit", "measurement": about | changes}]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": {"reference": "unit"}}, "--reference munit"),
        ({"results": [{"method": "unit"}]}, "no analysis"),
        ({"results": [{"method": "nuit", "measurement": None}]}, "did you mean unit"),
        (told(value=120.0), "outside its limits"),
        (told(metric="quality-judged"), "no analysis"),
        (told(value="many"), "no analysis"),
    ],
)
def test_what_is_no_such_analysis_is_refused(tmp_path, places, changes, words):
    line = refusal(take_in, load_preset("cpu"), TASK, analysis(tmp_path, **changes), 0, places)
    assert words in line and "analysis.json" in line
    assert not places.results.exists()
