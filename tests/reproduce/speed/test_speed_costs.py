"""The cost model, the table and the plots, from made records."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from speed_case import MACHINE, WEIGHTS, memory_record, step_record, stored, stream_record

from models.choices import ALL
from reproduce.commands.cli import main
from reproduce.experiments.run import make_run
from reproduce.speed.cost_model import FEWEST, Row, fit, rows_of, step_estimate
from reproduce.speed.counting import Counts, count_step
from reproduce.speed.machine import Machine
from reproduce.speed.plot import series, streams, whole_trainings
from reproduce.speed.store import newest

NORMS = {"ways": ["norms"], "precision": "float32"}
SIZES = [(32, 1, 8), (32, 4, 8), (32, 1, 32), (64, 1, 8), (64, 8, 16), (128, 2, 8), (256, 1, 64)]
RECORDS = [step_record(*size) for size in SIZES]


def test_the_fit_finds_the_weights_behind_exact_times() -> None:
    model = fit(rows_of(RECORDS))
    assert model is not None and model.weights == pytest.approx(WEIGHTS, rel=1e-6)
    assert model.fitted_on == len(SIZES)


def test_another_machine_is_told_by_its_ceilings() -> None:
    faster = {"flop_per_s": 5e11, "bytes_per_s": 4e10, "call_s": 2e-6}
    mixed = RECORDS[:4] + [step_record(*size, machine=faster) for size in SIZES[4:]]
    model = fit(rows_of(mixed))
    assert model is not None and model.weights == pytest.approx(WEIGHTS, rel=1e-6)


def test_each_size_is_foretold_from_the_others() -> None:
    for k, record in enumerate(RECORDS):
        model = fit(rows_of(RECORDS[:k] + RECORDS[k + 1 :]))
        (row,) = rows_of([record])
        assert model is not None
        assert model.seconds(row.counts, row.machine) == pytest.approx(row.seconds, rel=1e-6)


def real_steps() -> list[Row]:
    """13 steps on one thread of an AMD EPYC (seconds of the processor, the least of three)."""
    lines = Path(__file__).with_name("steps.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Row(Counts(**r["counts"]), Machine(**r["machine"]), r["seconds"], r)
        for r in map(json.loads, lines)
    ]


def test_no_step_is_foretold_to_beat_the_matrix_product() -> None:
    model = fit(real_steps())
    assert model is not None
    machine = real_steps()[0].machine
    for method in ("munit", "unit", "bicyclegan"):
        run = make_run(method, "drawn-shoes", {"size": 256, "batch": 2}, {})
        counts = count_step(run.method, run.method_config, run.size, run.batch, ALL)
        assert model.seconds(counts, machine) >= counts.flop / machine.flop_per_s


def test_one_step_timed_many_times_is_one() -> None:
    against = [{"ways": [way], "precision": "float32"} for way in sorted(ALL)]
    again = [step_record(*SIZES[0], against=one) for one in against]
    assert len(rows_of(again)) == 1
    slow = step_record(*SIZES[0], steps=9)
    slow["measured"]["first"]["median"] *= 3
    (row,) = rows_of([*again, slow])
    assert row.seconds == slow["measured"]["first"]["median"]
    assert fit([row] * FEWEST) is None


def test_real_steps_of_a_size_are_foretold_from_the_other_sizes() -> None:
    timed = real_steps()
    for size in {row.protocol["size"] for row in timed}:
        model = fit([row for row in timed if row.protocol["size"] != size])
        assert model is not None
        for row in (row for row in timed if row.protocol["size"] == size):
            foretold = model.seconds(row.counts, row.machine)
            assert row.seconds / 2 < foretold < 2 * row.seconds, row.protocol


def test_too_little_or_something_else_on_record_is_no_model(tmp_path: Path) -> None:
    assert fit(rows_of(RECORDS[: FEWEST - 1])) is None
    others = [step_record(*size, ways=[]) for size in SIZES]
    others += [step_record(*size, precision="bf16") for size in SIZES]
    others += [step_record(*size, device="cuda") for size in SIZES]
    assert rows_of([*others, memory_record([], 5)]) == []
    assert len(rows_of(others, "cuda:1")) == len(SIZES)
    run = make_run("munit", "drawn-shoes", {"size": 32}, {"dis_layers": 3, "dis_scales": 1})
    assert step_estimate(run, 1, tmp_path) is None


def test_a_run_is_estimated_from_its_shapes_alone(tmp_path: Path) -> None:
    results = stored(tmp_path, RECORDS)
    settings = {"dim": 4, "dis_dim": 4, "dis_layers": 3, "dis_scales": 1}
    small, large = (
        step_estimate(make_run("munit", "drawn-shoes", {"size": size}, settings), 1, results)
        for size in (32, 1024)
    )
    assert small is not None and large is not None and 0 < small < large
    looks = {"perceptual": 1, **settings}
    assert step_estimate(make_run("munit", "drawn-shoes", {"size": 64}, looks), 1, results) is None


def test_the_newest_record_of_a_measurement_counts() -> None:
    old, new = step_record() | {"value": 1.0}, step_record() | {"value": 2.0}
    elsewhere = step_record() | {"environment": {**old["environment"], "threads": 1}}
    assert newest([old, elsewhere, new]) == [elsewhere, new]


def test_the_table_tells_what_is_on_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = sorted(ALL)
    without = [way for way in every if way != "norms"]
    records = [
        step_record(), memory_record(every, 30 * 2**20), memory_record([], 40 * 2**20),
        step_record(against={"ways": without, "precision": "float32"}), stream_record([100, 1000]),
    ]  # fmt: skip
    results = stored(tmp_path, records)
    assert main(["speed", "table", f"--results={results}"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("### ") == 3 and "norms" in shown and "IS and CIS" not in shown
    assert main(["speed", "table", "--kind=step", "--format=csv", f"--results={results}"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    seconds = float(row["s/step"])
    assert float(row["ratio"]) == 0.5 and float(row["plain s/step"]) == 2 * seconds
    assert (float(row["MiB"]), float(row["MiB ratio"])) == (30, 0.75)
    flop = records[0]["measured"]["first"]["counts"]["flop"]
    assert float(row["% of product"]) == pytest.approx(100 * flop / seconds / MACHINE["flop_per_s"])
    assert float(row["pictures/s"]) == pytest.approx(2 / seconds)


def test_the_brief_table_is_of_what_was_measured_whole(tmp_path: Path) -> None:
    every = sorted(ALL)
    with_memory = [memory_record(every, 30 * 2**20), memory_record([], 40 * 2**20)]
    records = [step_record(64), step_record(), *with_memory, stream_record([100, 1000])]
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


def test_lines_are_of_steps_that_differ_in_one_thing() -> None:
    records = [
        step_record(s, b, w) for s, b, w in [(32, 1, 8), (64, 1, 8), (64, 4, 8), (64, 4, 16)]
    ]
    lines = series(records, "size")
    assert list(lines) == ["munit, batch 1, dim 8", "munit, batch 1, dim 8, plain"]
    assert [x for x, _ in lines["munit, batch 1, dim 8"]] == [32 * 32, 64 * 64]
    assert [x for x, _ in series(records, "batch")["munit, 64 px, dim 8"]] == [1, 4]
    assert [x for x, _ in series(records, "dim")["munit, 64 px, batch 4"]] == [8, 16]
    slow = [y for _, y in lines["munit, batch 1, dim 8, plain"]]
    assert slow == pytest.approx([2 * y for _, y in lines["munit, batch 1, dim 8"]])


def test_steps_and_pictures_add_up() -> None:
    short = step_record(steps=2)
    for path in ("first", "second"):
        short["measured"][path]["seconds"] = short["measured"][path]["seconds"][:2]
    lines = whole_trainings([short, step_record(64, steps=12), step_record(against=NORMS)])
    assert list(lines) == [f"munit, 64 px, batch 1, dim 8{plain}" for plain in ("", ", plain")]
    steps, seconds = zip(*lines["munit, 64 px, batch 1, dim 8"], strict=True)
    assert steps == (1, 2, 5, 10, 12)
    assert seconds == pytest.approx([n * step_record(64)["value"] for n in steps])
    (stream,) = streams([stream_record([100, 1000])], "seconds").values()
    assert stream == [(100, 2), (1000, 20)]
    (memory,) = streams([stream_record([100, 1000])], "above_bytes", 2**-20).values()
    assert memory == [(100, 1), (1000, 1)]


def test_plots_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = stored(tmp_path, [*RECORDS, stream_record([100, 1000])])
    assert main(["speed", "plot", f"--results={results}"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [p.name for p in paths] == ["steps.png", "pictures.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in paths)
