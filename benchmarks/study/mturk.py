"""Mechanical Turk without a server: export a static bundle, import its results.

A row of ``hits.csv`` is one HIT with as many questions as a session. Assign every HIT to as many
workers as the study has raters per question. Which picture of a question is the method's is drawn
at random and stored only in the database.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

from benchmarks.files import comma_separated, whole_folder, write_text
from benchmarks.study.folder import PICTURES, Study, counted, new_id
from benchmarks.study.sessions import different_inputs
from benchmarks.study.store import rater_of, transaction
from models.errors import UserError

ROLES = ("input", "a", "b")
WORKER = re.compile(r"[A-Za-z0-9]{1,128}")
ANSWERS = ("al", "ar", "bl", "br")


def export_bundle(study: Study, folder: Path, base_url: str) -> int:
    """Write ``template.html``, ``hits.csv``, ``pictures/`` and ``README.txt`` to a new ``folder``.
    ``base_url``: https address of the pictures. Returns the number of HITs. The HITs of a study are
    drawn once; another export, e.g. for another address, has the same HITs."""
    if folder.exists():
        raise UserError(f"{folder} exists already: remove it, or choose another --mturk")
    if not re.fullmatch(r"https://[^\s\"'<>]+", base_url):
        raise UserError(f"--base-url {base_url}: give the https address of the pictures' folder")
    with study.connect() as connection:
        with transaction(connection):
            _draw_hits(connection, study)
        rows = connection.execute(
            "SELECT hit, turn, a_first, input_picture, first_picture, second_picture FROM hits "
            "JOIN questions ON questions.id = question ORDER BY hit, turn"
        ).fetchall()
        files = dict(connection.execute("SELECT id, file FROM pictures").fetchall())
    hits: dict[str, list[str]] = {}
    for hit, _, a_first, shown, first, second in rows:
        hits.setdefault(hit, []).extend([shown, *((first, second) if a_first else (second, first))])
    with whole_folder(folder) as unfinished:
        (unfinished / PICTURES).mkdir()
        for ids in hits.values():
            for public in ids:
                # copy2 preserves the fixed time stamp
                shutil.copy2(study.path / PICTURES / f"{files[public]}.png",
                             unfinished / PICTURES / f"{public}.png")  # fmt: skip
        count = study.design.per_rater
        columns = [f"{role}_{k}" for k in range(1, count + 1) for role in ROLES]
        base = base_url.rstrip("/")
        rows = [[hit, *(f"{base}/{public}.png" for public in ids)] for hit, ids in hits.items()]
        write_text(unfinished / "hits.csv", comma_separated(["hit", *columns], rows))
        (unfinished / "template.html").write_text(_template(study), encoding="utf-8")
        (unfinished / "README.txt").write_text(_readme(study, base, len(hits)), encoding="utf-8")
    return len(hits)


def _draw_hits(connection: sqlite3.Connection, study: Study) -> None:
    """Distribute the questions evenly over HITs and fill these up with catch trials. If possible,
    no input occurs twice in a HIT."""
    if connection.execute("SELECT 1 FROM hits LIMIT 1").fetchone():
        return
    design = study.design
    draws = counted(design.seed, "hits")
    waiting = connection.execute(
        "SELECT question, input FROM seats JOIN questions ON questions.id = question "
        "WHERE seat = 0 AND kind = 'real' ORDER BY position"
    ).fetchall()
    catches = [row[0] for row in connection.execute(
        "SELECT id FROM questions WHERE kind = 'catch' ORDER BY number"
    )]  # fmt: skip
    count = math.ceil(len(waiting) / design.real_per_session)
    used = 0
    for left in range(count, 0, -1):
        every = ((question, question, name) for question, name in waiting)
        chosen = different_inputs(every, math.ceil(len(waiting) / left))
        waiting = [row for row in waiting if row[0] not in set(chosen)]
        lacking = design.per_rater - len(chosen)
        if lacking > len(catches):
            raise UserError(
                f"each of {count} HITs needs {lacking} catch trials, but the study has {len(catches)}: "
                "prepare it with another --per-rater or --catch"
            )
        chosen += [catches[(used + k) % len(catches)] for k in range(lacking)]
        used += lacking
        hit = new_id()
        order = draws.permutation(len(chosen)).tolist()
        connection.executemany(
            "INSERT INTO hits VALUES (?, ?, ?, ?)",
            [(hit, turn, chosen[k], int(draws.integers(2))) for turn, k in enumerate(order)],
        )


def _template(study: Study) -> str:
    def harmless(value: object) -> object:
        # MTurk substitutes ${...}, which texts must not contain.
        return Markup(escape(value).replace("$", "&#36;")) if isinstance(value, str) else value

    page = resources.files("benchmarks.study").joinpath("static", "mturk.html").read_text("utf-8")
    template = Environment(autoescape=True, finalize=harmless).from_string(page)
    texts = study.settings.model_dump(include={"title", "instructions", "consent"})
    return template.render(**texts, count=study.design.per_rater)


def _readme(study: Study, base: str, hits: int) -> str:
    return f"""Mechanical Turk bundle

1. Upload the files of pictures/ so that {base}/ serves them publicly.
2. Create a project of the type "Other"; paste template.html as its design layout.
3. Set "Number of assignments per task" to {study.design.raters}: the number of workers per question.
4. Publish a batch with hits.csv ({hits} tasks).
5. Download the results and run: python -m benchmarks study import --study STUDY --results FILE.csv
   then: python -m benchmarks study analyse --study STUDY

Neither these files nor their names reveal which method made a picture.
Exclusion rule, fixed in advance: {study.design.rule}.
"""


@dataclass
class Imported:
    """Counts of an import. ``known``: assignments imported before; ``repeated``: a worker's further
    answers to the same question."""

    votes: int = 0
    assignments: int = 0
    known: int = 0
    rejected: int = 0
    repeated: int = 0


def import_results(study: Study, path: Path) -> Imported:
    """Import MTurk's batch results (CSV) into the study, all or nothing. Rejected and previously
    imported assignments are skipped; a worker's first answer to a question counts. Raises
    UserError, which names the line, for an invalid file."""
    csv.field_size_limit(10_000_000)
    outcome = Imported()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file, study.connect() as connection:
            hits: dict[str, list[tuple[str, int]]] = {}
            for hit, question, a_first in connection.execute(
                "SELECT hit, question, a_first FROM hits ORDER BY hit, turn"
            ):
                hits.setdefault(hit, []).append((question, a_first))
            with transaction(connection):
                for number, row in enumerate(csv.DictReader(file), 2):
                    try:
                        _import_row(connection, hits, row, outcome)
                    except ValueError as error:
                        raise UserError(f"{path} line {number}: {error}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path} ({error}): give MTurk's results as CSV") from None
    return outcome


def _import_row(
    connection: sqlite3.Connection, hits: Mapping[str, list[tuple[str, int]]],
    row: Mapping[str, str], outcome: Imported,
) -> None:  # fmt: skip
    worker, assignment, hit = (row.get(k) or "" for k in ("WorkerId", "AssignmentId", "Input.hit"))
    if not WORKER.fullmatch(worker) or not WORKER.fullmatch(assignment):
        raise ValueError("WorkerId or AssignmentId is missing: give MTurk's unchanged file")
    if hit not in hits:
        raise ValueError(f"'{hit}' is not a HIT of this study: give the results of its own bundle")
    if row.get("AssignmentStatus") == "Rejected":
        outcome.rejected += 1
        return
    answers = _answers(row, len(hits[hit]))
    now = time.time_ns() // 1_000_000
    rater = rater_of(connection, "mturk", worker)
    session = connection.execute(
        "INSERT INTO sessions (rater, visit, planned, begun, seen, finished) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (rater, assignment, len(answers), now, now, now),
    )
    if not session.rowcount:
        outcome.known += 1
        return
    outcome.assignments += 1
    for turn, ((question, a_first), answer) in enumerate(zip(hits[hit], answers, strict=True)):
        picture, side = answer[0], answer[1]
        first_chosen = (picture == "a") == bool(a_first)
        first_left = first_chosen == (side == "l")
        seat = _seat(connection, question, rater)
        if seat is None:
            outcome.repeated += 1
            continue
        connection.execute(
            "UPDATE seats SET rater = ?, session = ?, turn = ?, first_left = ? WHERE id = ?",
            (rater, session.lastrowid, turn, int(first_left), seat),
        )
        choice = "left" if side == "l" else "right"
        connection.execute("INSERT INTO votes VALUES (?, ?, ?)", (seat, choice, now))
        outcome.votes += 1


def _seat(connection: sqlite3.Connection, question: str, rater: int) -> int | None:
    """Return a seat of ``question``, free or new; None if the rater already has one."""
    seats = connection.execute(
        "SELECT id, seat, rater FROM seats WHERE question = ? ORDER BY seat", (question,)
    ).fetchall()
    if any(holder == rater for _, _, holder in seats):
        return None
    free = [seat for seat, _, holder in seats if holder is None]
    if free:
        return int(free[0])
    further = max((number for _, number, _ in seats), default=-1) + 1
    insert = "INSERT INTO seats (question, seat, first_left) VALUES (?, ?, 0) RETURNING id"
    return int(connection.execute(insert, (question, further)).fetchone()[0])


def _answers(row: Mapping[str, str], count: int) -> list[str]:
    """Return the answers of an assignment, in any of MTurk's formats for radio buttons."""
    try:
        tasks = json.loads(row.get("Answer.taskAnswers") or "[{}]")
        given = tasks[0] if isinstance(tasks, list) and isinstance(tasks[0], dict) else {}
    except (ValueError, LookupError, RecursionError):
        raise ValueError("Answer.taskAnswers is not JSON: give MTurk's unchanged file") from None
    answers = []
    for k in range(1, count + 1):
        boxes = given.get(f"q{k}", {})
        found = {word for word in ANSWERS if isinstance(boxes, dict) and boxes.get(word) is True}
        found |= {w for w in ANSWERS if (row.get(f"Answer.q{k}.{w}") or "").lower() == "true"}
        found |= {w for w in ANSWERS if w in (row.get(f"Answer.q{k}"), boxes)}
        if len(found) != 1:
            raise ValueError(f"question {k} has no valid answer: reject the assignment")
        answers.append(found.pop())
    return answers
