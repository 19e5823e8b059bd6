"""The table and the plots of speed, from made records."""

from pathlib import Path

import pytest
from reading import csv_rows
from speed_case import MACHINE, memory_record, step_record, stored, stream_record

from models.choices import ALL
from reproduce.commands.cli import main
from reproduce.speed.plot import series, streams, whole_trainings
from reproduce.speed.store import load
from reproduce.speed.table import brief, rows

NORMS = {"ways": ["norms"], "precision": "float32"}
SIZES = [(32, 1, 8), (32, 4, 8), (32, 1, 32), (64, 1, 8), (64, 8, 16), (128, 2, 8), (256, 1, 64)]
RECORDS = [step_record(*size) for size in SIZES]
MEMORY = [memory_record(sorted(ALL), 30 * 2**20), memory_record([], 40 * 2**20)]
STREAM = stream_record([100, 1000])


def test_the_newest_record_of_a_measurement_counts(tmp_path: Path) -> None:
    old, new = step_record() | {"value": 1.0}, step_record() | {"value": 2.0}
    elsewhere = step_record() | {"environment": {**old["environment"], "threads": 1}}
    found = load(stored(tmp_path, [old, elsewhere, new]))
    assert [r["value"] for r in found] == [elsewhere["value"], 2.0]


def test_the_table_tells_what_is_on_record(tmp_path, said):
    without = {"ways": sorted(ALL - {"norms"}), "precision": "float32"}
    records = [step_record(), *MEMORY, step_record(against=without), STREAM]
    words = ["speed", "table", f"--results={stored(tmp_path, records)}"]
    shown = said(words).out
    assert shown.count("### ") == 3 and "norms" in shown and "IS and CIS" not in shown
    (row,) = csv_rows(said([*words, "--kind=step", "--format=csv"]).out)
    seconds = float(row["s/step"])
    assert float(row["ratio"]) == 0.5 and float(row["plain s/step"]) == 2 * seconds
    assert (float(row["MiB"]), float(row["MiB ratio"])) == (30, 0.75)
    flop = records[0]["measured"]["first"]["counts"]["flop"]
    assert float(row["% of product"]) == pytest.approx(100 * flop / seconds / MACHINE["flop_per_s"])
    assert float(row["pictures/s"]) == pytest.approx(2 / seconds)


def test_the_brief_table_is_of_what_was_measured_whole(tmp_path: Path) -> None:
    records = [step_record(64), step_record(), *MEMORY, STREAM]
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- speed -->\n<!-- /speed -->\nb\n")
    words = ["speed", "table", f"--readme={readme}", f"--results={stored(tmp_path, records)}"]
    assert main(words) == 0
    text = readme.read_text()
    assert text.startswith("a\n<!-- speed -->\nOn some processor, 2 threads:\n\n| what")
    assert text.endswith("<!-- /speed -->\nb\n")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + 3 and "32 px, batch 1" in lines[1] and "30 (40)" in lines[1]
    taken = records[1]["value"]
    told = [cell.strip() for cell in lines[1].split("|")]
    assert told[2:4] == [f"{taken:.3g} s", f"{2 * taken:.3g} s, the plain path"]
    assert told[4] == "0.50 [0.50, 0.50]"
    assert "translations, munit" in lines[2] and "50 a second" in lines[2]
    assert "1,000 of them" in lines[3] and "20 s" in lines[3] and "1 (1 after 100)" in lines[3]


@pytest.mark.parametrize("graphs", [True, False, None])
def test_steps_that_were_not_recorded_are_not_those_of_all_ways(graphs: bool | None) -> None:
    record = step_record()
    record["measured"]["first"]["graphs"] = graphs
    (row,) = rows("step", [record])
    assert row["ways"] == ("all, eager" if graphs is False else "all")
    assert ("training step" in brief([record, *MEMORY])) == (graphs is not False)


def test_lines_are_of_steps_that_differ_in_one_thing() -> None:
    points = [(32, 1, 8), (64, 1, 8), (64, 4, 8), (64, 4, 16)]
    records = [step_record(*point) for point in points]
    lines = series(records, "size")
    assert list(lines) == ["munit, batch 1, dim 8", "munit, batch 1, dim 8, plain"]
    assert [x for x, _ in lines["munit, batch 1, dim 8"]] == [32 * 32, 64 * 64]
    assert [x for x, _ in series(records, "batch")["munit, 64 px, dim 8"]] == [1, 4]
    assert [x for x, _ in series(records, "dim")["munit, 64 px, batch 4"]] == [8, 16]
    slow = [y for _, y in lines["munit, batch 1, dim 8, plain"]]
    assert slow == pytest.approx([2 * y for _, y in lines["munit, batch 1, dim 8"]])


def test_steps_and_pictures_add_up() -> None:
    short = step_record(steps=2)
    lines = whole_trainings([short, step_record(64, steps=12), step_record(against=NORMS)])
    assert list(lines) == [f"munit, 64 px, batch 1, dim 8{plain}" for plain in ("", ", plain")]
    steps, seconds = zip(*lines["munit, 64 px, batch 1, dim 8"], strict=True)
    assert steps == (1, 2, 5, 10, 12)
    assert seconds == pytest.approx([n * step_record(64)["value"] for n in steps])
    assert [*streams([STREAM], "seconds").values()] == [[(100, 2), (1000, 20)]]
    assert [*streams([STREAM], "above_bytes", 2**-20).values()] == [[(100, 1), (1000, 1)]]


def test_plots_are_drawn(tmp_path: Path, said) -> None:
    results = stored(tmp_path, [*RECORDS, STREAM])
    paths = [Path(line) for line in said(["speed", "plot", f"--results={results}"]).out.split()]
    assert [p.name for p in paths] == ["steps.png", "pictures.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in paths)
