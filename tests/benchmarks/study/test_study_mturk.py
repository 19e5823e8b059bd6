"""The bundle for Mechanical Turk: tells nothing, and its results come back as votes."""

import csv
import json
from pathlib import Path

import pytest
from study_case import METHODS, rows_of, selected, votes_of

from benchmarks.study.folder import Study
from benchmarks.study.mturk import export_bundle, import_results
from benchmarks.study.votes import by_rater
from models.errors import UserError

BASE = "https://pictures.example.org/study"
Rows = list[dict[str, str]]


@pytest.fixture
def bundle(study: Study, tmp_path: Path) -> Path:
    hits = export_bundle(study, tmp_path / "bundle", BASE + "/")
    assert hits == 5  # 80 questions, at most 18 a HIT
    return tmp_path / "bundle"


def hits_of(bundle: Path) -> Rows:
    return rows_of(bundle / "hits.csv")


def first_pictures(study: Study) -> set[str]:
    return {name for (name,) in selected(study, "SELECT first_picture FROM questions")}


def results(study: Study, bundle: Path, worker: str, form: str) -> Rows:
    """A worker's assignments, always for ``first``, in one of the forms that MTurk writes."""
    firsts, rows = first_pictures(study), []
    for number, hit in enumerate(hits_of(bundle)):
        row = {
            "HITId": f"H{number}", "WorkerId": worker, "AssignmentStatus": "Submitted",
            "AssignmentId": f"A{number}{worker}", "Input.hit": hit["hit"],
        }  # fmt: skip
        answers = {}
        for k in range(1, 21):
            picture = "a" if Path(hit[f"a_{k}"]).stem in firsts else "b"
            answers[f"q{k}"] = picture + ("l" if (k + number) % 2 else "r")
        if form == "plain":
            row |= {f"Answer.{q}": answer for q, answer in answers.items()}
        elif form == "boxes":
            row |= {f"Answer.{q}.{w}": str(w == answer).lower()
                    for q, answer in answers.items() for w in ("al", "ar", "bl", "br")}  # fmt: skip
        else:
            boxes = {q: {"al": False, "br": False, answer: True} for q, answer in answers.items()}
            row["Answer.taskAnswers"] = json.dumps([boxes])
        rows.append(row)
    return rows


def written(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def contents(study: Study) -> list[str]:
    with study.connect() as connection:
        return list(connection.iterdump())


def test_the_bundle_tells_nothing(study: Study, bundle: Path):
    for file in bundle.rglob("*"):
        if file.suffix in (".html", ".csv", ".txt"):
            text = file.read_text()
            assert not any(method in text.lower() for method in METHODS)
            assert "sample" not in text and "catch_" not in text
    used = {v for row in hits_of(bundle) for k, v in row.items() if k != "hit"}
    assert used == {f"{BASE}/{path.name}" for path in (bundle / "pictures").iterdir()}
    firsts = first_pictures(study)
    on_a = [Path(row[f"a_{k}"]).stem in firsts for row in hits_of(bundle) for k in range(1, 21)]
    assert 30 < sum(on_a) < 70  # of 100, drawn


def test_every_question_is_in_one_hit_with_its_share_of_catch_trials(study: Study, bundle: Path):
    rows = selected(
        study, "SELECT hit, kind, question FROM hits JOIN questions ON questions.id = question"
    )
    assert len(rows) == 5 * 20
    real = [question for _, kind, question in rows if kind == "real"]
    assert len({*real}) == len(real) == 80
    for hit in {row[0] for row in rows}:
        own = [row for row in rows if row[0] == hit]
        assert sum(kind == "catch" for _, kind, _ in own) == 4  # 16 real ones each
        assert len({question for *_, question in own}) == 20


def test_texts_cannot_break_out_of_the_template(study: Study, tmp_path: Path):
    path = study.path / "study.json"
    path.write_text(path.read_text().replace("Which picture", "</h1><script>${input_1}</script>"))
    export_bundle(Study(study.path), tmp_path / "bundle", BASE)
    template = (tmp_path / "bundle" / "template.html").read_text()
    assert template.count("<script") == 2 and template.count("${input_1}") == 1


def test_exporting_again_gives_the_same_hits(study: Study, bundle: Path, tmp_path: Path):
    export_bundle(study, tmp_path / "again", "https://other.example")
    again = [[Path(v).stem for v in row.values()] for row in hits_of(tmp_path / "again")]
    assert again == [[Path(v).stem for v in row.values()] for row in hits_of(bundle)]
    with pytest.raises(UserError, match="exists already"):
        export_bundle(study, bundle, BASE)
    with pytest.raises(UserError, match="https address"):
        export_bundle(study, tmp_path / "third", "ftp://example.org")


@pytest.mark.parametrize("form", ["plain", "boxes", "tasks"])
def test_results_come_back_as_votes(form: str, study: Study, bundle: Path, tmp_path: Path):
    rows = results(study, bundle, "W1", form) + results(study, bundle, "W2", form)
    rows[-1]["AssignmentStatus"] = "Rejected"
    path = written(tmp_path / "results.csv", rows)
    found = import_results(study, path)
    assert (found.assignments, found.rejected, found.known) == (9, 1, 0)
    votes = votes_of(study)
    ((free,),) = selected(study, "SELECT count(*) FROM seats WHERE session IS NULL")
    assert found.votes == len(votes) and found.votes + found.repeated == 9 * 20
    assert all(vote.won for vote in votes)
    assert {vote.choice for vote in votes} == {"left", "right"}
    real = sum(vote.kind == "real" for vote in votes)
    assert free == 400 - real  # votes took the seats that the server would have given out
    assert not any(record.excluded for record in by_rater(votes, study.design).values())
    before = contents(study)
    again = import_results(study, path)
    assert (again.votes, again.known) == (0, 9) and contents(study) == before


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("Input.hit", "0" * 32, "is not a HIT of this study"),
        ("WorkerId", "", "WorkerId or AssignmentId is missing"),
        ("WorkerId", "=cmd()", "WorkerId or AssignmentId is missing"),
        ("Answer.q7", "", "question 7 has no valid answer"),
        ("Answer.taskAnswers", "[{", "is not JSON"),
        ("Answer.taskAnswers", '[{"q7": {"al": true, "br": true}}]', "question 7 has no valid"),
    ],
)
def test_damaged_results_change_nothing(column, value, told, study, bundle, tmp_path):
    rows = results(study, bundle, "W1", "plain")
    rows[2][column] = value
    for row in rows:
        row.setdefault(column, "")
    before = contents(study)
    with pytest.raises(UserError, match=rf"results.csv line 4: .*{told}"):
        import_results(study, written(tmp_path / "results.csv", rows))
    assert contents(study) == before


def test_a_file_that_is_no_table_is_refused(study: Study, bundle: Path, tmp_path: Path):
    (tmp_path / "r.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="give MTurk's results as CSV"):
        import_results(study, tmp_path / "r.csv")
