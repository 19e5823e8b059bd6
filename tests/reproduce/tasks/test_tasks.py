import csv
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from serving import serving
from sorted_pictures import packed, pix2pix

from models.errors import UserError
from reproduce.tasks.registry import TASKS, open_task

TASK = "edges2shoes"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def archive(tmp_path) -> Path:
    """In the layout that pix2pix publishes."""
    return packed(pix2pix(tmp_path / "packed").parent, tmp_path / f"{TASK}.tar.gz", TASK)


def open_quietly(name, tmp_path, **options):
    options = {"size": 32, "train": 2, "test": 2} | options
    return open_task(str(name), data_dir=tmp_path / "data", progress=False, **options)


def test_drawn_tasks_stand_for_published_ones():
    for name, spec in TASKS.items():
        assert spec.drawn == name.startswith("drawn-") and not TASKS[spec.stands_for].drawn
        assert bool(spec.urls) == (spec.kind == "pix2pix")
        assert all(url.endswith(f"/{name}.tar.gz") for url in spec.urls)


def test_both_kinds_of_animals_have_the_directions_of_the_published_table():
    with (ROOT / "results/paper/table2_cis_is.csv").open(encoding="utf-8") as file:
        published = {row["direction"] for row in csv.DictReader(file)} - {"Average"}
    assert len(published) == 6
    for prefix in ("", "drawn-"):
        pairs = "housecats-bigcats", "housecats-dogs", "bigcats-dogs"
        names = [f"{prefix}{pair}" for pair in pairs]
        assert {d for name in names for d in TASKS[name].directions.values()} == published
        assert all(TASKS[name].fewest_modes == 2 for name in names)


def test_drawn_tasks_are_those_of_their_seeds(tmp_path):
    name = "drawn-handbags"
    domains = open_quietly(name, tmp_path, seed=7)
    assert domains.name == name
    assert domains.folder == tmp_path / "data" / f"{name}-32px-seed7-2x2"
    assert domains.paired_test
    assert [len(s) for s in domains.splits().values()] == [2] * 6
    assert all(s.read(1).size == (32, 32) for s in domains.splits().values())
    assert open_quietly(name, tmp_path, seed=7).fingerprint() == domains.fingerprint()
    assert open_quietly(name, tmp_path, seed=8).fingerprint() != domains.fingerprint()


@pytest.mark.parametrize("name", ["drawn-shoes", TASK])
def test_who_starts_together_makes_one_set(tmp_path, archive, name):
    marks: list[str] = []
    source = None if name == "drawn-shoes" else archive

    def make() -> None:
        marks.append(open_quietly(name, tmp_path, source=source).fingerprint())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(marks) == 4 and len({*marks}) == 1


def test_an_archive_is_unpacked_once_until_it_is_another(tmp_path, archive):
    first = open_quietly(archive, tmp_path)
    assert (first.name, len(first.train_a), first.paired_test) == (TASK, 4, True)
    inode = first.folder.stat().st_ino
    assert open_quietly(TASK, tmp_path, source=archive).folder.stat().st_ino == inode
    train = tmp_path / "packed" / TASK / "train"
    shutil.copy(train / "0.png", train / "9.png")
    packed(tmp_path / "packed", archive, TASK)
    assert len(open_quietly(TASK, tmp_path, source=archive).train_a) == 5


def test_folders_of_ones_own(tmp_path):
    folder = tiny.data_set(tmp_path / "cats2dogs", 2)
    own = open_quietly(folder, tmp_path)
    assert own.name == "cats2dogs"
    named = open_quietly("drawn-shoes", tmp_path, source=folder)
    assert (named.name, named.fingerprint()) == ("drawn-shoes", own.fingerprint())


def test_a_published_task_is_downloaded_and_unpacked_once(tmp_path, archive, monkeypatch):
    with serving(archive.parent, monkeypatch) as address:
        url = f"{address}/{archive.name}"
        monkeypatch.setitem(TASKS, TASK, replace(TASKS[TASK], urls=(url,)))
        first = open_quietly(TASK, tmp_path)
    again = open_quietly(TASK, tmp_path)  # nobody serves it any more
    assert len(first.train_a) == len(again.train_a) == 4
    assert first.folder == tmp_path / "data" / TASK / TASK
    assert (tmp_path / "data" / f"{TASK}.tar.gz.sha256").exists()


def test_unknown_names_get_the_nearest_and_the_list(tmp_path):
    with pytest.raises(UserError, match="did you mean drawn-shoes") as caught:
        open_quietly("drawn-sheos", tmp_path)
    assert all(name in str(caught.value) for name in TASKS)
    with pytest.raises(UserError, match="no folder or archive has that name: known: "):
        open_quietly("xyzzy", tmp_path)


def test_a_source_that_is_none_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"x")
    with pytest.raises(UserError, match="neither a folder nor a .tar.gz"):
        open_quietly(TASK, tmp_path, source=tmp_path / "x.zip")
