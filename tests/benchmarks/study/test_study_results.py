"""From votes to numbers and files: preferences recovered, exclusions applied, nobody named."""

import json
from collections import Counter
from pathlib import Path

import pytest
from simulated import honest, simulate
from study_case import copied, rows_of, votes_of

from benchmarks.study.analyse import analyse, report, write_analysis
from benchmarks.study.folder import Study
from benchmarks.study.votes import (
    RATER_COLUMNS,
    StoredVote,
    by_rater,
    export_raters,
    export_votes,
    reopen,
)
from models.errors import UserError

SHARES = {"unit": 0.3, "cyclegan": 0.65}


def wrong_on_catches(kind: str, method: str) -> bool:
    return kind != "catch"


@pytest.fixture(scope="module")
def answered(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Nineteen honest raters, two who fail the catch trials by always taking the method, and one
    who left early."""
    study = copied(prepared, tmp_path_factory.mktemp("answered") / "study")
    simulate(study, [f"good{k}" for k in range(19)], honest(SHARES))
    simulate(study, ["bad0", "bad1"], wrong_on_catches)
    simulate(study, ["short"], honest(SHARES), 1)
    return study


def test_known_preferences_are_recovered(answered: Study):
    found = analyse(answered)
    for result in found.results:
        assert result.measurement is not None and result.measurement.interval is not None
        interval = result.measurement.interval
        assert interval.low < 100 * SHARES[result.method] < interval.high
        assert 10 < interval.high - interval.low < 30  # 40 questions x 4 to 5 votes
        assert result.measurement.as_dict()["metric"] == "quality-human"
        assert result.measurement.as_dict()["unit"] == "%"
    # Coins without questions that differ: raters agree as much as by chance.
    assert found.alpha is not None and abs(found.results[0].alpha or 0) < 0.2


@pytest.mark.parametrize(
    ("right", "answered", "excluded"), [(2, 2, False), (0, 0, True), (4, 5, False), (3, 5, True)]
)
def test_the_rule(right: int, answered: int, excluded: bool, study: Study):
    def vote(number: int, kind: str, choice: str) -> StoredVote:
        return StoredVote(f"q{number}", number, kind, "m", "i", "00", "00", 1, 1, choice, 0)

    votes = [vote(k, "catch", "left" if k < right else "right") for k in range(answered)]
    votes.append(vote(99, "real", "left"))
    assert by_rater(votes, study.design)[1].excluded is excluded
    free = study.design.model_copy(update={"catch": 0.0})
    assert by_rater(votes, free)[1].excluded is False


def test_the_report_and_the_record_name_no_one(answered: Study, tmp_path: Path):
    found = analyse(answered)
    text = report(found)
    assert "unit" in text and "preferred to munit" in text and "rule: raters with under 80%" in text
    assert "excluded:" in text and "0 of 2 catch trials right" in text
    write_analysis(found, tmp_path / "deep" / "analysis.json")
    raw = (tmp_path / "deep" / "analysis.json").read_text()
    assert "good" not in text + raw and "bad" not in text + raw
    record = json.loads(raw)
    measured = {r["method"]: r["measurement"] for r in record["results"]}
    assert 0 <= measured["unit"]["interval"]["low"] <= measured["unit"]["value"] <= 100
    assert measured["unit"]["protocol"]["reference"] == "munit"
    assert record["design"]["exclude_below"] == 0.8


def test_too_few_votes_are_told_not_measured(study: Study):
    with pytest.raises(UserError, match="has no votes yet"):
        analyse(study)
    simulate(study, ["a"], honest(SHARES))
    found = analyse(study)
    assert all(result.measurement is None for result in found.results)
    assert "too few votes" in report(found)
    assert "not every question has its 5 votes yet" in report(found)
    with pytest.raises(UserError, match="level 0 is outside"):
        analyse(study, 0)


def test_raw_votes_say_the_same_as_the_analysis(answered: Study, tmp_path: Path):
    count = export_votes(answered, tmp_path / "votes.csv")
    rows = rows_of(tmp_path / "votes.csv")
    assert len(rows) == count == len(votes_of(answered))
    for result in analyse(answered).results:
        kept = [
            row for row in rows
            if row["method"] == result.method and row["kind"] == "real" and row["excluded"] == "0"
        ]  # fmt: skip
        preferred = sum(row["preferred"] == "method" for row in kept)
        assert result.measurement is not None and result.votes == len(kept)
        assert result.measurement.value == pytest.approx(100 * preferred / len(kept))
        for row in kept:
            assert (row["choice"] == row["method_side"]) == (row["preferred"] == "method")
    assert {row["reference"] for row in rows if row["kind"] == "real"} == {"munit"}
    assert "good" not in (tmp_path / "votes.csv").read_text()


def test_raters_file_has_the_codes_to_pay_by(answered: Study, tmp_path: Path):
    export_raters(answered, tmp_path / "raters.csv")
    rows = {row["name"]: row for row in rows_of(tmp_path / "raters.csv")}
    assert tuple(rows["good0"]) == RATER_COLUMNS
    assert rows["good0"]["code"] == answered.code("link", "good0", rows["good0"]["visit"])
    excluded = {name for name, row in rows.items() if row["excluded"] == "1"}
    assert {"bad0", "bad1"} <= excluded <= {"bad0", "bad1", "short"}
    assert rows["short"]["votes"] == "1" and rows["short"]["code"] == ""
    assert len({row["code"] for row in rows.values()}) == len(rows)
    with pytest.raises(UserError, match="cannot write"):
        export_raters(answered, tmp_path / "raters.csv" / "below")


def test_what_excluded_raters_answered_is_asked_anew(study: Study):
    simulate(study, ["bad0", "bad1"], wrong_on_catches)
    simulate(study, ["open"], wrong_on_catches, 19)
    real = sum(v.kind == "real" for v in votes_of(study) if v.rater < 3)
    assert reopen(study) == real == 36
    assert reopen(study) == 0
    simulate(study, [f"good{k}" for k in range(40)], honest(SHARES))
    votes = votes_of(study)
    excluded = {r.rater for r in by_rater(votes, study.design).values() if r.excluded}
    valid = Counter(v.question for v in votes if v.kind == "real" and v.rater not in excluded)
    held = Counter(v.question for v in votes if v.kind == "real" and v.rater == 3)
    assert len(valid) == 80
    assert all(5 - held[q] - 1 <= n <= 5 for q, n in valid.items())
    assert sum(n == 5 for n in valid.values()) >= 80 - 18
