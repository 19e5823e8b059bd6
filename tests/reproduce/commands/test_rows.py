"""Rows of one's own: a stranger's outputs in the table and the report, and nowhere else."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from reading import refusal
from steps_here import records_of
from stored_judges import store_judges
from tiny import last, places, places_of

from benchmarks.__main__ import main as benchmarks
from reproduce.analysis.estimate import Cells
from reproduce.analysis.table import Tables
from reproduce.analysis.tables import table1, table2
from reproduce.commands.cli import main
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import parse_settings
from reproduce.measuring.submission import read_submission
from reproduce.records.current import Current, Quantity, counting, newest, submitted
from reproduce.records.store import record_id
from reproduce.workflow.jobs import Request

STRANGER = Path(__file__).resolve().parents[2] / "stranger.py"
TINY = ["--preset=quick", "--set=train=20", "--set=test=6"]
SAID = {"name": "Tint", "link": "https://example.org/tint", "commit": "0123abc", "seed": 3}
FEW = ["--inputs=4", "--scores=none"]
FEW_SAMPLES = """
extends: quick
about: A few samples of a few inputs.
measure: {protocol: paper, inputs: 4, samples: 38, mode_inputs: 3, mode_samples: 5}
"""


def translated(inputs: Path, outputs: Path, samples: int = 38) -> None:
    """What the stranger makes of the inputs."""
    subprocess.run([sys.executable, STRANGER, inputs, outputs, str(samples)], check=True)


def written(root: Path, task: str, *more: str) -> Path:
    """The folder of the inputs that a row must translate."""
    words = ["inputs", task, f"--out={root / 'in'}", "--no-progress", f"--data={root / 'data'}"]
    assert main(last([*words, *TINY, *more])) == 0
    return root / "in"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the stranger's row of Table 1 was measured, and nothing trained."""
    root = tmp_path_factory.mktemp("rows")
    translated(written(root, "drawn-shoes", *FEW), root / "out" / "drawn-shoes")
    (root / "out" / "submission.yaml").write_text(yaml.safe_dump(SAID))
    assert main([*table(root, 1), *FEW]) == 0
    return root


def table(root: Path, number: int) -> list[str]:
    row = f"--row=Tint={root / 'out'}"
    return ["table", str(number), "--stored", row, "--no-progress", *TINY, *places(root)]


def test_inputs_are_what_the_table_measures(tmp_path: Path, said) -> None:
    words = ["inputs", "drawn-shoes", *TINY, "--no-progress", f"--data={tmp_path / 'data'}"]
    for more, count, samples in (
        (["--inputs=4", "--scores=none"], 4, 38), (["--scores=quality"], 6, 38),
        (["--scores=quality", "--protocol=consecutive", "--inputs=4"], 6, 20),
    ):  # fmt: skip
        out = tmp_path / str(samples) / str(count)
        told = said([*words, *more, f"--out={out}"]).out
        assert f"{count} inputs, 32x32; translate each {samples} times" in told
        assert sorted(p.name for p in out.iterdir()) == [f"{i:05d}.png" for i in range(count)]
    assert "exists already" in said([*words, f"--out={out}"], 2).err
    drawn = next((tmp_path / "data").glob("*/testA"))
    assert len(list(drawn.iterdir())) == 6


def test_a_stranger_stands_in_the_table(made: Path, said) -> None:
    before = records_of(made).path.read_text()
    told = said([*table(made, 1), *FEW]).out
    rows = [line for line in told.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 10 and rows[-2].startswith("| Tint ‡ ") and "±" in rows[-2]
    assert "‡ was not trained here" in told
    assert "- Tint ‡: Tint; commit 0123abc; link https://example.org/tint; seed 3." in told
    assert records_of(made).path.read_text() == before, "measured again"


def test_its_number_is_that_of_its_folder(made: Path, said) -> None:
    words = ["diversity", made / "out" / "drawn-shoes", "--json", "--no-progress"]
    (found,) = json.loads(said(words, program=benchmarks).out)["measured"]
    record = next(r for r in records_of(made).all() if r["metric"] == "diversity-lpips")
    assert found["value"] == record["value"] and found["interval"] == record["interval"]
    assert record["method"] == "Tint" and record["submission"] == SAID


def test_it_is_in_the_report_and_no_claim_sees_it(made: Path) -> None:
    words = ["report", "--no-progress", f"--out={made / 'report'}", *FEW, *TINY, *places(made)]
    assert main(words) == 0
    page = (made / "report" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<t[hd][^>]*>Tint ‡", page) and "https://example.org/tint" in page
    name = records_of(made).folder.name
    assert "holds no records: measure first" in refusal(Current.stored, made / "results", name)


def test_it_cannot_be_made_again(made: Path, said) -> None:
    name = record_id(records_of(made).all()[0])
    told = "about submitted outputs: measure them again by table --row 'Tint=OUTPUTS'"
    assert told in said(["rerun", name, *places(made)], 2).err
    assert name in said(["results", f"--results={made / 'results'}"]).out


def test_it_is_said_where_no_munit_is_there_to_be_preferred_to(made, tmp_path, said) -> None:
    (tmp_path / "data").symlink_to(made / "data")
    (tmp_path / "out").mkdir()
    black = np.zeros((6, 38, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "out" / "drawn-shoes.npz", samples=black)
    told = said([*table(tmp_path, 1), "--scores=quality", "--inputs=4"])
    assert "| Tint ‡" in told.out
    why = "it is preference over MUNIT, which was not measured here"
    assert f"note: no Quality of Tint on drawn-shoes: {why}" in told.err


def test_other_outputs_take_its_place(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (4, 38, 32, 32, 3), dtype=np.uint8)
    shutil.rmtree(tmp_path / "out" / "drawn-shoes")
    np.savez(tmp_path / "out" / "drawn-shoes.npz", samples=noise)
    assert main([*table(tmp_path, 1), *FEW]) == 0
    every = records_of(tmp_path).all()
    row = submitted(every, [0])["drawn-shoes", "Tint"]
    assert len({record["outputs_sha256"] for record in every}) == 2
    assert {record["outputs_sha256"] for record in row.values()} == {every[-1]["outputs_sha256"]}


@pytest.fixture(scope="module")
def made2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of Table 2, by classifiers that only claim to know."""
    root = tmp_path_factory.mktemp("rows2")
    settings = parse_settings(["train=20", "test=6"])
    (root / "mini.yaml").write_text(FEW_SAMPLES)
    run = load_preset("quick").table_runs(2, 0, settings)[0]
    store_judges(run, places_of(root))
    inputs = written(root, run.task, f"--preset={root / 'mini.yaml'}")
    for direction in ("a2b", "b2a"):
        translated(inputs / direction, root / "out" / direction, 5)
    assert main(table2_of(root)) == 0
    return root


def table2_of(root: Path) -> list[str]:
    return last([*table(root, 2), f"--preset={root / 'mini.yaml'}"])


def test_a_stranger_stands_in_table_2(made2: Path, said) -> None:
    told = said(table2_of(made2)).out
    head = next(line for line in told.splitlines() if line.startswith("| Direction"))
    assert [c.strip() for c in head.strip("|").split("|")][-1] == "Tint ‡, ours"
    cis = [r for r in records_of(made2).all() if r["metric"] == "cis"]
    assert {r["translation"] for r in cis} == {"a2b", "b2a"} and all(r["value"] > 0 for r in cis)
    assert f"{cis[0]['value']:.3f} ± " in told


# By records alone: what rows of one's own do to all others.
def record(method: str, seed: int, value: float, **more: Any) -> dict[str, Any]:
    return {
        "metric": "diversity-lpips", "value": value, "task": "drawn-shoes", "method": method,
        "preset": "quick", "seed": seed, "interval": {"low": value - 0.01, "high": value + 0.02},
        "protocol": {"extractor": "lpips", "protocol": "paper-min64@50x19"},
    } | more  # fmt: skip


def trained(method: str, seed: int, value: float) -> dict[str, Any]:
    about = {"checkpoint_sha256": f"{method}{seed}", "time": f"2026-01-0{seed + 1}"}
    return record(method, seed, value, **about)


OURS = [trained("munit", 0, 0.3), trained("munit", 1, 0.4), trained("unit", 0, 0.0)]
THEIRS = record(
    "Tint", 0, 0.5, outputs_sha256="t", submission={"name": "x"}, time="2026-02-01",
    protocol={"extractor": "lpips", "protocol": "all-pairs-min64@50x19"},
)  # fmt: skip


def test_rows_are_found_apart_from_trainings() -> None:
    every = [*OURS, THEIRS]
    assert newest(every, 0) == newest(OURS, 0)
    assert submitted(every, [0, 1]) == {("drawn-shoes", "Tint"): {"diversity-lpips": THEIRS}}
    assert [r["method"] for r in counting(every)].count("Tint") == 1


def first(records: list[dict[str, Any]], *seeds: int) -> Tables:
    return table1(load_preset("quick").only(tables=[1]), Cells(records, seeds or [0]))


def test_a_row_changes_no_other_row() -> None:
    """Though it was measured last, and in another way: there it shows a dash."""
    alone, beside = first(OURS), first([*OURS, THEIRS])
    lines = beside.parts[0].lines
    assert [line for line in lines if "‡" not in line[0]] == alone.parts[0].lines
    assert next(line for line in lines if "‡" in line[0])[4] == "—"


def test_a_row_is_no_training_among_several() -> None:
    theirs = THEIRS | {"protocol": OURS[0]["protocol"]}
    every = [*OURS, trained("unit", 1, 0.0), theirs]
    by_title = {line[0]: line[4] for line in first(every, 0, 1).parts[0].lines}
    assert by_title["Tint ‡"] == "0.500 ± 0.020", "with its own interval, and no word of seeds"
    claims = Current(every)
    assert claims.seeds == (0, 1)
    assert claims.values(Quantity("diversity", "munit", "drawn-shoes")) == {0: 0.3, 1: 0.4}


def test_a_preference_is_over_the_munit_of_the_table() -> None:
    told = {"metric": "quality-observed", "unit": "%"}
    old = THEIRS | told | {"protocol": {"reference_sha256": "munit-older"}}
    new = THEIRS | told | {"protocol": {"reference_sha256": "munit1"}}
    assert submitted([*OURS, old], [0, 1]) == {}
    row = submitted([*OURS, new, old], [0, 1])["drawn-shoes", "Tint"]
    assert row == {"quality-observed": new}
    assert submitted([*OURS, new], [0]) == {}


def test_table_2_takes_no_numbers_of_another_classifier() -> None:
    preset = load_preset("quick").only(tables=[2])
    task = preset.tables[2][0]
    about = {"domain": "dogs", "accuracy": 1.0, "modes": ["a", "b"], "protocol": "paper@6x100"}

    def score(method: str, sha256: str, **more: Any) -> dict[str, Any]:
        told = {"metric": "cis", "task": task, "translation": "a2b"}
        return record(method, 0, 0.1, protocol=about | {"sha256": sha256}, **told, **more)

    def shown(sha256: str) -> str:
        theirs = score("Tint", sha256, submission={}, outputs_sha256="t")
        made = table2(preset, Cells([score("munit", "1"), theirs], [0]))
        return made.parts[0].lines[0][-1]

    assert shown("1") == "0.100 ± 0.020" and shown("2") == "—"


def test_the_graph_measures_rows_before_the_table(tmp_path: Path) -> None:
    out, elsewhere, name = tmp_path / "out", tmp_path / "elsewhere", "row/1/drawn-shoes/My_row"
    request = Request("quick", places_of(tmp_path), [0, 1], "table/1", rows={"My row": str(out)})
    for folder in (out, elsewhere):
        folder.mkdir()
    found = request.jobs()
    row = found[name]
    assert {job.name for job in row.needs} == {"train/drawn-shoes/munit/seed0"}
    assert row in found["table/1"].needs
    assert not any(name.startswith("row/") for name in replace(request, rows={}).jobs())
    (out / "new.png").touch()
    new = request.jobs()[name].digest
    assert new != row.digest
    (elsewhere / "a.png").touch()
    (out / "linked").symlink_to(elsewhere)
    assert request.jobs()[name].digest != new


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file: Input should be a valid dictionary"),
        ("link: https://example.org\n", "name: Field required"),
        ("name: x\nlink: javascript:alert(1)\n", "link: "),
        ("name: x\ncommit: HEAD\n", "commit: "),
        ("name: x\nauthor: me\n", "author: Extra inputs are not permitted"),
        ("[" * 5000, "is no YAML (maximum recursion depth"),
        ("name: !!python/object:os.system x\n", "is no YAML"),
        ("name: &a [*a]\n", "name: "),
        ("name: x\nname: y\n", "is no YAML (name is given twice): correct it"),
        ("seed: 1" + "0" * 5000, "is no YAML"),
        ("name: x\ncommit: 1234567\n", "commit: Input should be a valid string: put it in quotes"),
        ('name: "a\\u202eb"\n', "name: the character U+202E is not printable: leave it out"),
        ('name: "a\\ud800b"\n', "name: Input should be a valid string"),
        ('name: x\nnotes: "a\\0b"\n', "notes: the character U+0000 is not printable"),
        ('name: x\nlink: "https://example.org/a|b"\n', "link: "),
    ],
)
def test_submissions_that_do_not_fit(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "submission.yaml").write_text(text)
    told = refusal(read_submission, tmp_path)
    assert told.startswith(str(tmp_path / "submission.yaml")) and message in told


def test_what_is_told_of_a_submission_is_text_on_one_line(tmp_path: Path) -> None:
    notes = "<script>alert(1)</script> | [x](y)\n- `z` *w* under_score _u_ &lt;"
    (tmp_path / "submission.yaml").write_text(yaml.safe_dump({"name": "a\nb", "notes": notes}))
    found = read_submission(tmp_path)
    assert found["name"] == "a b"
    beside = first([*OURS, THEIRS | {"submission": found}])
    assert beside.markdown().endswith(
        "\n- Tint ‡: a b; notes \\<script>alert(1)\\</script> \\| \\[x\\](y) - \\`z\\` \\*w\\* "
        "under_score \\_u\\_ \\&lt;.\n"
    )


def test_outputs_that_do_not_fit_are_refused_before_anything_is_made(tmp_path, refused):
    out = tmp_path / "out"
    given = [w for w in table(tmp_path, 1) if w != "--stored"] + ["--scores=none"]

    def write(shape: tuple[int, ...]) -> None:
        np.save(out / "drawn-shoes.npy", np.zeros(shape, np.uint8))

    assert "out has no outputs for table 1" in refused(given)
    out.mkdir()
    assert "holds no pictures" in refused(given)
    write((6, 38, 64, 64, 3))
    assert "64x64, an array of uint8; table 1 of preset quick is at 32x32" in refused(given)
    write((6, 8, 32, 32, 3))
    assert "38 samples per input requested, but there are 8" in refused(given)
    write((6, 38, 32, 32, 3))
    (out / "submission.yaml").write_text("name: 1\n")
    assert "submission.yaml: name: " in refused(given)
    assert not (tmp_path / "data").exists() and not (tmp_path / "results").exists()


def test_outputs_of_other_inputs_are_refused(made, tmp_path, refused):
    folder = tmp_path / "out" / "drawn-shoes"
    translated(made / "in", folder)
    words = last([*table(tmp_path, 1), *FEW, f"--data={made / 'data'}"])
    shutil.copytree(folder / "00003", folder / "other")
    for message in ("translates 'other', which", "has no translation of input '00003'"):
        assert f"drawn-shoes {message}" in refused(words)
        shutil.rmtree(folder / "00003", ignore_errors=True)
