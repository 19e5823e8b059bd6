"""A folder that several processes may want to make."""

import errno
import fcntl
import os
import time
from threading import Event, Thread

import pytest
from filelock import FileLock
from tiny import FACTS, until

from models.errors import UserError
from reproduce.records.store import Records
from reproduce.tasks.locks import only_process


def test_complete_data_need_no_lock(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / ".made.lock").mkdir()  # so that there can be no lock, whoever runs this
    with only_process(tmp_path / "made"):
        pass


def test_what_is_to_be_made_needs_one(tmp_path):
    (tmp_path / ".made.lock").mkdir()
    with (
        pytest.raises(UserError, match="choose another data folder"),
        only_process(tmp_path / "made"),
    ):
        pass


def test_what_could_not_be_made_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="no"), only_process(tmp_path / "data" / "here" / "made"):
        raise UserError("no")
    assert list(tmp_path.iterdir()) == []


def test_who_waited_for_a_lock_that_is_gone_holds_the_next(tmp_path):
    """Else the one that comes third would work beside it."""
    made, waits, goes, held = tmp_path / "made", Event(), Event(), Event()

    def second() -> None:
        waits.set()
        with only_process(made):
            held.set()
            goes.wait(10)

    waiting = Thread(target=second)
    with pytest.raises(UserError), only_process(made):
        waiting.start()
        waits.wait(10)
        time.sleep(0.1)  # until it waits
        raise UserError("no")
    assert held.wait(10)
    with (tmp_path / ".made.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    goes.set()
    waiting.join()


def test_who_waits_to_record_is_told_for_what(tmp_path, capsys):
    records = Records(tmp_path, "quick")
    records.folder.mkdir()
    lock, said = records.folder / ".records.lock", ""

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return f"waiting for the process that holds {lock}\n" in said

    waiting = Thread(target=records.append, args=(FACTS,))
    with FileLock(lock):
        waiting.start()
        until(told)
        assert not records.all()
    waiting.join()
    assert len(records.all()) == 1


@pytest.mark.filterwarnings("ignore:flock not supported")
def test_where_flock_is_unknown_files_stand_for_locks(tmp_path, monkeypatch, capsys):
    def unknown(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    made, held, goes, said = tmp_path / "data" / "made", Event(), Event(), ""

    def second() -> None:
        with only_process(made):
            held.set()
            goes.wait(30)

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return f"{made.with_name('.made.lock')} (process {os.getpid()} of " in said

    waiting = Thread(target=second)
    with only_process(made):
        waiting.start()
        until(told)
        assert not held.is_set()
        made.mkdir()
        (made / "picture").touch()
    assert held.wait(30)
    goes.set()
    waiting.join()
    assert [path.name for path in made.parent.iterdir()] == ["made"]
