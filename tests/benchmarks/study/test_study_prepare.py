"""Prepared studies: what is asked follows from the seed, and nothing tells the methods apart."""

import dataclasses
import itertools
import os
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from study_case import METHODS, draw_material, selected

from benchmarks.pictures import read
from benchmarks.study.folder import Study
from benchmarks.study.prepare import Plan, draw_questions, prepare, seat_order
from models.errors import UserError

SAMPLES = {f"in{k}": ["00", "01", "02"] for k in range(10)}


QUESTIONS = "SELECT number, kind, method, input, first, second FROM questions ORDER BY number"
SEATS = (
    "SELECT number, seat, position, first_left FROM seats "
    "JOIN questions ON questions.id = question ORDER BY position"
)


# Drawing


def test_inputs_are_used_equally_often_and_no_pair_twice():
    drawn = draw_questions("unit", SAMPLES, SAMPLES, 90, seed=0)
    assert len(set(drawn)) == 90  # all there are: 10 inputs x 3 x 3 samples
    assert set(Counter(q.input for q in drawn[:25]).values()) == {2, 3}
    backwards = dict(reversed(SAMPLES.items()))
    assert drawn == draw_questions("unit", backwards, backwards, 90, seed=0)
    other = draw_questions("cyclegan", SAMPLES, SAMPLES, 90, seed=0)
    assert [q.input for q in drawn] != [q.input for q in other]


def test_seats_are_given_out_round_by_round_with_methods_in_turn():
    order = list(seat_order("abc", 30, raters=5, seed=0))
    assert {*order} == {*itertools.product(range(90), range(5))} and len(order) == 450
    assert [seat for _, seat in order] == sorted(seat for _, seat in order)
    for k in range(0, 450, 3):
        assert {number // 30 for number, _ in order[k : k + 3]} == {0, 1, 2}
    firsts = Counter(number // 30 for number, _ in order[::3])
    assert min(firsts.values()) > 30  # who comes first is drawn: 50 each, on average


# The folder


def test_the_same_seed_asks_the_same_under_other_ids(material: Plan, prepared: Path, tmp_path):
    prepare(material, tmp_path / "again")
    prepare(dataclasses.replace(material, seed=1), tmp_path / "other")
    first, again, other = map(Study, (prepared, tmp_path / "again", tmp_path / "other"))
    for query in (QUESTIONS, SEATS):
        assert selected(first, query) == selected(again, query) != selected(other, query)
    ids = [{*selected(study, "SELECT id FROM pictures")} for study in (first, again)]
    assert not ids[0] & ids[1]
    assert first.secret != again.secret


def test_every_question_has_its_raters_and_balanced_sides(prepared: Path):
    study = Study(prepared)
    asked = [q for q in selected(study, QUESTIONS) if q[1] == "real"]
    assert Counter(q[2] for q in asked) == {"unit": 40, "cyclegan": 40}
    lefts: dict[int, list[int]] = {}
    for number, _, _, first_left in selected(study, SEATS):
        lefts.setdefault(number, []).append(first_left)
    assert len(lefts) == 80
    assert {len(sides) for sides in lefts.values()} == {5}
    assert {sum(sides) for sides in lefts.values()} == {2, 3}
    # Which side has the odd one is drawn; 40 of 80 on average, 4.5 standard deviations.
    assert 20 < sum(sum(sides) == 3 for sides in lefts.values()) < 60


def test_nothing_on_the_disk_tells_the_methods_apart(material: Plan, prepared: Path):
    files = sorted((prepared / "pictures").iterdir())
    assert len(files) >= 200
    for file in files:
        assert len(file.stem) == 32 and set(file.stem) <= set("0123456789abcdef")
        assert file.stat().st_mtime == 0
        data = file.read_bytes()
        kinds, at = [], 8
        while at < len(data):
            kinds.append(data[at + 4 : at + 8])
            at += 12 + int.from_bytes(data[at : at + 4], "big")
        assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
    assert {read(file).size for file in files} == {(32, 32)}
    assert stat.S_IMODE((prepared / "secret").stat().st_mode) == 0o600
    assert sorted(os.listdir(prepared.parent)) == ["study"]  # nothing unfinished is left


def test_pictures_shown_are_those_of_the_question(material: Plan, prepared: Path):
    rows = selected(
        Study(prepared),
        "SELECT kind, method, input, first, second, a.file, b.file, c.file FROM questions "
        "JOIN pictures a ON a.id = input_picture JOIN pictures b ON b.id = first_picture "
        "JOIN pictures c ON c.id = second_picture",
    )
    ((public,),) = selected(Study(prepared), "SELECT count(DISTINCT id) FROM pictures")
    assert public == 3 * len(rows)  # no picture is told again by its id

    def pixels(path: Path) -> np.ndarray:
        return np.asarray(read(path))

    pictures = {path.stem: pixels(path) for path in (prepared / "pictures").iterdir()}

    for kind, method, name, first, second, above, one, other in rows:
        assert (pictures[above] == pixels(material.inputs / f"{name}.png")).all()
        if kind == "real":
            translation = material.methods[method] / f"{name}_sample{first}.png"
            reference = material.methods["munit"] / f"{name}_sample{second}.png"
            assert (pictures[one] == pixels(translation)).all()
            assert (pictures[other] == pixels(reference)).all()
        else:
            right = pixels(material.real / f"{name}.png")
            assert (pictures[one] == right).all()
            assert np.abs(pictures[other].astype(int) - right).mean() > 20  # another, or spoilt
    assert Counter(row[4] for row in rows if row[0] == "catch") == {"another": 5, "spoilt": 5}


def test_metadata_and_transparency_stay_behind(tmp_path):
    plan = draw_material(tmp_path / "m", inputs=3)
    note = PngImagePlugin.PngInfo()
    note.add_text("method", "unit")
    unit = tmp_path / "m" / "unit"
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(unit / "000_sample00.png", pnginfo=note)
    Image.new("RGB", (32, 32)).save(unit / "001_sample00.png", icc_profile=b"unit", dpi=(72, 72))
    prepare(dataclasses.replace(plan, questions=12, real=None), tmp_path / "study")
    whites = 0
    for file in (tmp_path / "study" / "pictures").iterdir():
        data = file.read_bytes()
        assert b"unit" not in data and b"iCCP" not in data
        whites += bool((np.asarray(read(file)) == 255).all())
    assert whites == 1


# What is refused


def test_plans_and_material_that_do_not_fit(tmp_path):
    plan, study = draw_material(tmp_path / "m", inputs=4), tmp_path / "study"

    def refused(told: str, **changes: object) -> None:
        with pytest.raises(UserError, match=told):
            prepare(dataclasses.replace(plan, **changes), study)

    refused("--reference muni is not one of the methods", reference="muni")
    refused("make 16 pairs", questions=17)  # 4 inputs x 2 x 2 samples
    refused("would be catch trials: raise --per-rater", per_rater=1)
    unit = tmp_path / "m" / "unit"
    kept = (unit / "002_sample01.png").read_bytes()
    Image.new("RGB", (64, 64)).save(unit / "002_sample01.png")
    refused(r"unit: sample 01 of input '002' has 64x64 pixels, others 32x32", questions=16)
    (unit / "002_sample01.png").write_bytes(kept[:-40])
    refused(r"002_sample01.png is no picture that can be read", questions=16)
    for sample in ("00", "01"):
        (unit / f"002_sample{sample}.png").unlink()
    refused(r"no translation of input '002'")
    (tmp_path / "m" / "real" / "003.png").unlink()
    whole = {method: tmp_path / "m" / method for method in ("munit", "cyclegan")}
    refused("no real picture of input '003'", methods=whole)
    refused("give a second --method", methods={"munit": whole["munit"]})
    assert sorted(os.listdir(tmp_path)) == ["m"]
    study.mkdir()
    refused("exists already")


def test_portable_greymaps_are_inputs_too_and_names_of_methods_are_free(tmp_path):
    plan = draw_material(tmp_path / "m", inputs=3)
    for path in sorted((tmp_path / "m" / "inputs").iterdir()):
        Image.open(path).convert("L").save(path.with_suffix(".pgm"))
        path.unlink()
    names = dict(zip(METHODS, ["MUNIT (full)", "a/b\0c'; --", "ünit"], strict=True))
    methods = {names[m]: folder for m, folder in plan.methods.items()}
    renamed = dataclasses.replace(plan, methods=methods, reference=names["munit"], questions=3)
    prepare(renamed, tmp_path / "study")
    design = Study(tmp_path / "study").design
    assert (design.inputs, design.reference) == (3, "MUNIT (full)")


def test_a_design_that_was_changed_afterwards_is_refused(study: Study):
    path = study.path / "study.json"
    text = path.read_text()
    path.write_text(text.replace("Which picture is the better translation?", "Shoes"))
    assert Study(study.path).settings.title == "Shoes"
    for changed, told in (
        (text.replace('below": 0.8', 'below": 0.2'), "below = 0.2, but the study was prepared with 0.8"),
        (text.replace('url": null', 'url": "javascript:alert(1)"'), "study.json: completion_url"),
        (text[:100], "study.json: the file: Invalid JSON"),
    ):  # fmt: skip
        path.write_text(changed)
        with pytest.raises(UserError, match=told):
            Study(study.path)
