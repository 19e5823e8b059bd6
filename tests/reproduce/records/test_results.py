"""Records: appended, never lost, never believed when broken."""

import json
import multiprocessing
import shutil
import subprocess

import pytest
import tiny
from reading import refusal

from models.errors import UserError
from reproduce.records import environment
from reproduce.records.store import Records, line_of, record_id, record_ids

FACTS = tiny.FACTS | {"protocol": {"name": "p", "N": 3}}


def test_records_come_back_in_order_with_their_time(tmp_path):
    records = Records(tmp_path, "quick")
    assert records.all() == [] and records.find(task="t") is None
    for value in (1.0, 2.0, 3.0):
        records.append(FACTS | {"value": value})
    assert [r["value"] for r in records.all()] == [1.0, 2.0, 3.0]
    assert all(r["time"].endswith("+00:00") for r in records.all())
    assert records.path == tmp_path / "quick" / "records.jsonl"
    # The newest match, of fields that may be nested.
    records.append(FACTS | {"value": 4.0, "protocol": {"name": "q"}})
    assert records.find(task="t", protocol__name="p")["value"] == 3.0
    assert records.find(protocol__name__deeper="p") is None
    assert records.find(task="other") is None


def test_what_records_tell_alike_is_stored_once(tmp_path):
    config = {"dim": 16, "settings": {"lr": 1e-4, "long": "x" * 100}}
    records = Records(tmp_path, "quick")
    made = [records.append(FACTS | {"config": config, "seed": seed}) for seed in range(3)]
    made.append(records.append(FACTS | {"config": config | {"dim": 8}}))
    text, name = records.path.read_text(), record_id(config)
    lines = text.splitlines()
    assert records.all() == made and text.count(name) == 4 and len(lines) == 6
    assert {record_id(record) for record in made} == record_ids(records.path)
    nan = {"dim": float("nan")}
    broken = {
        "line 1 does not match its hash": text.replace("16", "17"),
        "line 1 refers in config to a value that no earlier line": "\n".join(lines[1:]),
        "line 2 has config 5, which is not an object": text.replace(
            f'"config": "{name}"', '"config": 5'
        ),
        "line 2 holds NaN": f"{json.dumps({'shared': record_id(nan), 'value': nan})}\n"
        + lines[1].replace(name, record_id(nan)),
    }
    for words, change in broken.items():
        records.path.write_text(change + "\n")
        with pytest.raises(UserError, match=words):
            records.all()
    # A file that shares nothing is read too; pruning shares.
    records.path.write_text("".join(line_of(record) + "\n" for record in made))
    assert records.all() == made
    before = records.path.stat().st_size
    assert records.prune(lambda every: every) == (0, 4, 0, 0, before - len(text))
    assert records.path.read_text() == text


def test_facts_of_what_was_measured_are_stored_once(tmp_path):
    records, subject = Records(tmp_path, "quick"), {"checkpoint_sha256": "ab" * 32, "steps": 100}
    made = [records.append(FACTS | subject | {"value": float(value)}) for value in range(3)]
    made.append(records.append(FACTS | {"seed": 1}))
    lines = records.path.read_text().splitlines()
    assert [json.loads(line).keys() & {"shared", "of", "seed"} for line in lines] == [
        {"shared"}, {"of"}, {"of"}, {"of"}, {"seed"},
    ]  # fmt: skip
    assert records.all() == made and set(map(record_id, made)) == record_ids(records.path)
    records.path.write_text("\n".join(lines[1:]))
    assert "line 1 refers in of to a value that no earlier line" in refusal(records.all)
    shared = json.dumps({"shared": record_id([1]), "value": [1]})
    records.path.write_text("\n".join([shared, *lines]))
    assert "line 1 shares a value, not an object" in refusal(records.all)
    with pytest.raises(ValueError, match="has a field of"):
        records.append(FACTS | {"of": "mine"})


def test_incomplete_and_infinite_records_are_refused(tmp_path):
    records = Records(tmp_path, "quick")
    for bad in ({"metric": "m"}, FACTS | {"value": float("nan")}):
        with pytest.raises(ValueError):
            records.append(bad)
    assert records.all() == []


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_left_out_and_swallows_nothing(cut, tmp_path):
    records = Records(tmp_path, "quick")
    for value in (1.0, 2.0):
        records.append(FACTS | {"value": value})
    whole = records.path.read_bytes()
    records.path.write_bytes(whole[:-cut])
    first = [1.0] if cut > 1 else [1.0, 2.0]  # without its line break a line is still whole
    assert [r["value"] for r in records.all()] == first
    records.append(FACTS | {"value": 3.0})
    records.append(FACTS | {"value": 4.0})
    assert [r["value"] for r in records.all()] == [*first, 3.0, 4.0]
    assert records.path.read_bytes().startswith(whole[: whole.index(b"\n") + 1])


@pytest.mark.parametrize("junk", [b"{broken", b"5", b"\xff\xfe"])
def test_a_broken_line_in_the_middle_is_refused_by_number(junk, tmp_path):
    records = Records(tmp_path, "quick")
    records.append(FACTS)
    text = records.path.read_bytes()
    records.path.write_bytes(text + junk + b"\n" + text)
    assert "records.jsonl line 2 is not a record: restore" in refusal(records.all)


def _append_many(root, number):
    records = Records(root, "quick")
    for i in range(20):
        records.append(FACTS | {"value": number * 1000.0 + i, "long": "x" * 5000})


def test_four_processes_lose_nothing(tmp_path):
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_append_many, args=(tmp_path, n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = [r["value"] for r in Records(tmp_path, "quick").all()]
    assert sorted(found) == [n * 1000.0 + i for n in range(4) for i in range(20)]
    for n in range(4):
        own = [v for v in found if v // 1000 == n]
        assert own == sorted(own)


def test_an_unwritable_place_is_refused(tmp_path):
    (tmp_path / "quick").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write .*records\.jsonl .*permissions"):
        Records(tmp_path, "quick").append(FACTS)


def test_a_full_disk_leaves_no_half_line(small_disk):
    records = Records(small_disk(8), "quick")
    records.append(FACTS)
    assert "No space left" in refusal(records.append, FACTS | {"long": "x" * 20_000})
    text = records.path.read_text()
    assert text.endswith("\n") and [json.loads(line) for line in text.splitlines()]
    assert len(records.all()) == 1
    records.append(FACTS)
    assert len(records.all()) == 2


def test_the_environment_is_of_this_code_alone(tmp_path, monkeypatch):
    """Inside a repository of other things there is no commit to name."""
    found = environment.environment()
    assert found["packages"]["torch"] != "absent" and found["threads"] >= 1 and found["device"]
    if shutil.which("git") is None:
        pytest.skip("needs git, to make a repository around the code")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    (tmp_path / "packages").mkdir()
    for root, known in ((tmp_path, True), (tmp_path / "packages", False)):
        monkeypatch.setattr(environment, "ROOT", root.resolve())
        assert bool(environment.commit.__wrapped__()["commit"]) == known


def test_raw_values_are_written_whole_or_not_at_all(tmp_path):
    kept = Records(tmp_path, "quick")

    def full(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"cannot write .*a\.npz \(No space left on device\)"):
        kept.keep_raw("a.npz", full)
    assert list((tmp_path / "quick" / "raw").iterdir()) == []
