"""Raw values: kept whole, packed without a bit lost, never believed when broken."""

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import FACTS

from benchmarks.files import save_arrays, sha256_file
from models.errors import UserError
from reproduce.records.raw import YOUNG, holds, raw_of, sha256_of
from reproduce.records.store import Records
from reproduce.workflow.graph import Made

RANDOM = np.random.default_rng(0)
ALIKE = RANDOM.standard_normal((100, 30)).astype(np.float32)
ARRAYS: dict[str, dict[str, Any]] = {
    "a.npz": {"distances": ALIKE, "none": np.zeros((0, 3)), "one": np.float64(0.1)},
    "b.npz": {
        "reference": ALIKE,
        "bits": RANDOM.random(7) < 0.5,
        "names": np.array([["é", "abc"]]),
    },
    "c.npz": {"turned": ALIKE.T, "half": np.float16([1, np.nan]), "small": np.array([-1], np.int8)},
}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    made = Records(tmp_path, "quick")
    for seed, name in enumerate(ARRAYS):
        add(made, name, ARRAYS[name], seed // 2)
    return made


def add(records: Records, name: str, arrays: dict[str, Any], seed: int) -> dict[str, Any]:
    raw = records.keep_raw(name, lambda path: save_arrays(path, {"of": name}, arrays))
    return records.append(FACTS | raw | {"seed": seed})


def everything(every: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return every


def in_folder(records: Records) -> list[str]:
    return sorted(path.name for path in (records.folder / "raw").iterdir())


def packed(records: Records, seed: int = 0) -> Path:
    return records.folder / "raw" / f"packed-t-seed{seed}.npz"


def test_packed_values_are_those_that_were_measured(records: Records, tmp_path: Path) -> None:
    before = records.all()
    assert records.prune(everything)[:4] == (0, 3, 0, 3)
    assert in_folder(records) == ["packed-t-seed0.npz", "packed-t-seed1.npz"]
    assert records.all() == before, "a record goes on naming its file"
    for record, arrays in zip(before, ARRAYS.values(), strict=True):
        assert sha256_of(tmp_path / record["raw"]) == record["raw_sha256"]
        assert holds(tmp_path / record["raw"], record["raw_sha256"])
        found = raw_of(tmp_path, record)
        assert found is not None and list(found) == ["meta", *arrays]
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype and found[name].shape == np.shape(array)
            assert found[name].tobytes() == array.tobytes()
    # numpy reads a pack alone, and what two files tell alike is there once.
    with np.load(packed(records)) as file:
        assert file["f4"].shape == (4, ALIKE.size)
    assert records.prune(everything) == (0, 3, 0, 0, 0)


def test_what_is_measured_later_joins_the_pack(records: Records, tmp_path: Path) -> None:
    records.prune(everything)
    first = records.all()[0]
    # The same again is the same; other values take another name.
    again = add(records, "a.npz", ARRAYS["a.npz"], 0)
    other = add(records, "a.npz", {"distances": 2 * ALIKE}, 0)
    assert (again["raw"], again["raw_sha256"]) == (first["raw"], first["raw_sha256"])
    assert other["raw"].startswith("quick/raw/a-")
    assert records.prune(lambda every: [r for r in every if r["raw"] != again["raw"]])[:4] == (
        2, 3, 0, 1,
    )  # fmt: skip
    assert sha256_of(tmp_path / first["raw"]) is None
    assert (raw_of(tmp_path, other) or {})["distances"].tobytes() == (2 * ALIKE).tobytes()
    assert records.prune(lambda every: [r for r in every if r["seed"] == 0])[:2] == (1, 2)
    assert in_folder(records) == ["packed-t-seed0.npz"]


def test_a_job_stays_done_when_its_raw_values_are_packed(records: Records, tmp_path: Path) -> None:
    files = [tmp_path / record["raw"] for record in records.all()]
    before = Made(files).told(tmp_path)
    records.prune(everything)
    assert Made(files).told(tmp_path) == before
    with pytest.raises(FileNotFoundError):
        Made([tmp_path / "none.npz"]).told(tmp_path)


def test_a_damaged_pack_is_told_of_and_not_lost(records: Records, tmp_path: Path) -> None:
    records.prune(everything)
    path, record = packed(records), records.all()[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert records.find(seed=0) is None and records.find(seed=1) is not None, "measured again"
    with pytest.raises(
        UserError, match=r"a\.npz, raw values of m of munit on t, seed 0, is missing, and .*damaged"
    ):
        raw_of(tmp_path, record)
    with pytest.raises(UserError, match=r"packed-t-seed0\.npz is damaged .*restore it"):
        records.prune(everything)
    assert path.read_bytes() == content
    for name in ("a.npz", "b.npz"):
        add(records, name, ARRAYS[name], 0)
    records.prune(everything)
    assert (raw_of(tmp_path, record) or {})["distances"].tobytes() == ALIKE.tobytes()


@pytest.mark.parametrize("whole", [True, False])
def test_another_file_of_that_name_is_no_measurement(records, tmp_path, whole):
    """As a merge leaves one, or a power cut."""
    records.prune(everything)
    record = records.all()[0]
    save_arrays(path := tmp_path / record["raw"], {}, {"distances": ALIKE + 1})
    path.write_bytes(path.read_bytes() if whole else b"")
    for _ in range(2):
        assert (raw_of(tmp_path, record) or {})["distances"].tobytes() == ALIKE.tobytes()
        records.prune(everything)


def test_values_measured_while_one_of_their_pack_is_missing_are_packed(records, tmp_path):
    one, other = records.all()[:2]
    (tmp_path / other["raw"]).unlink()
    records.prune(everything)
    new = add(records, "new.npz", {"x": ALIKE + 1}, 0)
    assert records.prune(everything)[3] == 1
    assert raw_of(tmp_path, one) is not None and raw_of(tmp_path, new) is not None
    assert not holds(tmp_path / other["raw"], other["raw_sha256"])


def test_values_whose_record_is_yet_to_come_stay(records: Records) -> None:
    save_arrays(path := records.folder / "raw" / "next.npz", {}, {"x": ALIKE})
    scratch = path.with_name(".next.7.npz")
    shutil.copyfile(records.folder / "raw" / "a.npz", scratch)
    assert records.prune(everything)[2] == 0 and path.is_file() and scratch.is_file()
    past = path.stat().st_mtime - YOUNG - 1
    for each in (path, scratch):
        os.utime(each, (past, past))
    assert records.prune(everything)[2] == 2 and not path.exists() and not scratch.exists()


def test_a_task_of_any_name_is_packed_in_its_folder(tmp_path: Path) -> None:
    records = Records(tmp_path, "quick")
    raw = records.keep_raw("a.npz", lambda path: save_arrays(path, {}, {"x": ALIKE}))
    record = records.append(FACTS | raw | {"task": "/../../up"})
    records.prune(everything)
    assert in_folder(records) == ["packed-_.._.._up-seed0.npz"]
    assert (raw_of(tmp_path, record) or {})["x"].tobytes() == ALIKE.tobytes()


def test_arrays_changed_in_a_pack_are_found_out(records: Records, tmp_path: Path) -> None:
    records.prune(everything)
    with np.load(packed(records)) as file:
        members = dict(file)
    members["f4"] = members["f4"][:, ::-1]
    index = members.pop("index.json")
    np.savez(packed(records), **members)
    with zipfile.ZipFile(packed(records), "a") as made:
        made.writestr("index.json", index)
    assert records.find(seed=0) is None


def test_files_that_are_no_raw_values_stay_as_they_are(records: Records, tmp_path: Path) -> None:
    record = records.all()[0]
    (tmp_path / record["raw"]).write_bytes(b"none")
    os.utime(tmp_path / record["raw"], (0, 0))
    assert records.prune(everything)[2:4] == (0, 2)
    assert (tmp_path / record["raw"]).read_bytes() == b"none"
    with pytest.raises(UserError, match=r"its sha256 differs"):
        raw_of(tmp_path, record)


def test_values_outside_the_results_are_not_read(tmp_path: Path) -> None:
    save_arrays(path := tmp_path / "a.npz", {}, {"x": ALIKE})
    record = FACTS | {"raw": "../a.npz", "raw_sha256": sha256_file(path)}
    with pytest.raises(UserError, match="lies outside"):
        raw_of(tmp_path / "results", record)
    assert raw_of(tmp_path, FACTS) is None
