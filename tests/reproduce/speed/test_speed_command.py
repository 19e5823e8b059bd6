"""``python -m reproduce speed``: what it keeps, skips and refuses."""

import json
import multiprocessing
from pathlib import Path

import pytest
import torch
from speed_case import SMALL, about, step_record, stored

from models.choices import ALL
from reproduce.commands.cli import main, parser
from reproduce.records.environment import environment
from reproduce.records.query import query
from reproduce.records.store import Records
from reproduce.speed import planning, store, worker
from reproduce.speed.machine import ratios
from reproduce.speed.planning import Networks, planned
from reproduce.speed.store import PRESET, Measurement, code_of, distinct, take
from reproduce.speed.store import stored as found_record
from reproduce.speed.table import rows
from reproduce.speed.worker import KINDS

STEP = ["speed", "step", "--methods=munit", "--size=16", "--batch=1", "--steps=2", "--threads=1",
        "--no-memory", "--no-progress", *SMALL]  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with a step and its convolutions, each measured in a process of its own."""
    results = tmp_path_factory.mktemp("speed")
    assert main([*STEP, "--primitives", f"--results={results}"]) == 0
    return results


def test_convolutions_alone_stand_beside_their_step(measured):
    step, alone = Records(measured, PRESET).all()
    (row,) = rows("primitives", [step, alone])
    assert row["s alone"] == alone["value"] and row["s/step"] == step["value"]
    assert row["% of step"] == 100 * alone["value"] / step["value"]
    assert row["GFLOP/s alone"] == alone["measured"]["flop"] / alone["value"] / 1e9
    # Nearly all of its FLOP are theirs.
    (first, second), found = (step["measured"][k] for k in ("first", "second")), alone["measured"]
    assert 0.9 * first["counts"]["flop"] < found["flop"] <= first["counts"]["flop"]
    assert found["different"] < found["calls"] < first["counts"]["calls"]
    assert step["measured"]["ratio"] == ratios(first["seconds"], second["seconds"])
    assert first["n"] == 2 and first["counts"]["flop"] != second["counts"]["flop"]
    assert first["graphs"] is second["graphs"] is None, "on a processor"
    # Of a step that was not timed nothing is said.
    assert rows("primitives", [alone])[0]["% of step"] is None


def test_a_second_run_measures_nothing_and_shows_what_is_on_record(measured, said):
    records = Records(measured, PRESET).all()
    shown = said([*STEP, "--primitives", f"--results={measured}"]).out
    assert "Convolutions of a training step, each timed alone" in shown and "munit" in shown
    assert Records(measured, PRESET).all() == records
    step = records[0]
    assert step == json.loads(json.dumps(step)) and step["value"] > 0
    assert step["environment"]["threads"] == 1 and step["code"] == code_of("step")
    assert query(measured, metric="speed-step") == [step]


def test_other_code_or_another_machine_is_measured_anew(tmp_path: Path) -> None:
    one = Measurement("step", about(), 1)
    here = environment("cpu") | {"threads": 1}
    same = step_record() | {"protocol": one.protocol, "environment": here, "code": code_of("step")}
    others = (
        {"code": "other"},
        *({"environment": here | x} for x in ({"device": "x"}, {"threads": 7})),
    )
    for number, change in enumerate((*others, {})):
        records = Records(stored(tmp_path / str(number), [same | change]), PRESET)
        assert (found_record(records, one) is None) == bool(change)
    assert found_record(records, Measurement("step", about(steps=3), 1)) is None


def test_what_fails_keeps_nothing_else_from_being_measured(tmp_path: Path) -> None:
    bad = Measurement("memory", about(method="munot"), 2)
    good = Measurement("step", about(), 6)
    kept = step_record() | {"protocol": good.protocol, "code": code_of("step")}
    results = stored(tmp_path, [kept | {"environment": environment("cpu") | {"threads": 1}}])
    found, failed = take([bad, good], results, tmp_path, again=False, progress=False)
    assert [r["protocol"] for r in found] == [good.protocol]
    assert len(failed) == 1 and "memory munot" in failed[0] and "did you mean munit" in failed[0]


@pytest.mark.parametrize("kind", KINDS)
def test_only_trainings_are_timed_with_tf32(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a real translation or measurement, whose process has turned it off."""
    monkeypatch.setattr(
        KINDS[kind][0].replace(":", "."),
        lambda about, tick: {"tf32": torch.backends.cudnn.allow_tf32},
    )
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    # A process that knows both.
    monkeypatch.setattr(worker, "get_context", lambda _: multiprocessing.get_context("fork"))
    found = worker.measured(kind, about(), lambda: None)
    assert found["measured"]["tf32"] == (kind in ("step", "memory", "primitives", "data"))


def test_the_code_of_a_measurement_is_also_how_its_process_begins(monkeypatch):
    monkeypatch.setattr(store, "digest_of", " ".join)
    modules = code_of.__wrapped__("translate").split()
    assert {"reproduce.speed.worker", "reproduce.speed.translating"} <= set(modules)


@pytest.mark.parametrize(
    ("words", "reason"), [(["table", "--format=csv"], "--kind"), (["plot"], "differ")]
)
def test_words_about_records(words, reason, tmp_path, refused):
    results = stored(tmp_path, [step_record()])
    assert reason in refused(["speed", *words, f"--results={results}"])


def asked(words: str) -> list[Measurement]:
    return planned(parser().parse_args(["speed", *words.split()]))


def test_each_way_is_left_out_once() -> None:
    found = asked(f"step --each-way --precision bf16 {' '.join(SMALL)} --size 16")
    times = [m.about["against"] for m in found if m.kind == "step"]
    assert times[0] == {"ways": [], "precision": "float32"}
    # On a processor there are no graphs.
    assert [ALL - {*t["ways"]} for t in times[1:]] == [{way} for way in sorted(ALL - {"graphs"})]
    memory = [(m.about["ways"], m.about["precision"]) for m in found if m.kind == "memory"]
    assert memory == [(sorted(ALL), "bf16"), ([], "float32")]


def test_widths_go_to_the_layers_that_there_are() -> None:
    wide = {"dim", "dis_dim"}
    for method, keys in (("munit", wide), ("bicyclegan", wide | {"enc_dim"})):
        run = Networks(width=12).run(method, size=256, batch=2)
        assert {k for k, v in run.settings.items() if v == 12} == keys
    assert Networks(width=12, settings={"dim": "6"}).run("munit").settings["dim"] == 6
    assert Networks("cpu").run("munit").size == 32


@pytest.mark.parametrize(("words", "count"), [("--quick", 14), ("", 50), ("--device=cuda", 158)])
def test_the_suite_measures_every_kind(words, count, monkeypatch):
    monkeypatch.setattr(planning, "check_device", str)
    found = list[Measurement]()
    monkeypatch.setattr(
        store, "take", lambda all_, *_, **__: (found.extend(distinct(all_)) or [], [])
    )
    assert main(["speed", "all", *filter(None, [words])]) == 0
    assert {m.kind for m in found} == set(KINDS) and len(found) == count
    assert all(m.ticks > 0 and m.title for m in found)
