from __future__ import annotations

import csv
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from models.errors import UserError
from reproduce.tasks.registry import TASKS, open_task

ROOT = Path(__file__).resolve().parents[3]


def fill(folder: Path, count: int, size: tuple[int, int] = (8, 8)) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        Image.new("RGB", size, (i, 0, 0)).save(folder / f"{i}.png")


@pytest.fixture
def archive(tmp_path) -> Path:
    """An archive in the layout that pix2pix publishes."""
    for split, count in (("train", 3), ("val", 2)):
        fill(tmp_path / "packed" / "edges2shoes" / split, count, (16, 8))
    path = tmp_path / "edges2shoes.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "packed" / "edges2shoes", "edges2shoes")
    return path


def open_quietly(name, tmp_path, **options):
    options = {"size": 32, "train": 2, "test": 2} | options
    return open_task(str(name), data_dir=tmp_path / "data", progress=False, **options)


def test_every_task_is_complete_and_drawn_ones_stand_for_published_ones():
    assert list(TASKS)[:4] == ["drawn-shoes", "drawn-handbags", "edges2shoes", "edges2handbags"]
    for name, spec in TASKS.items():
        assert spec.name == name
        assert set(spec.directions) == {"a2b", "b2a"}
        assert spec.title.removeprefix("drawn ") == spec.directions["a2b"]
        assert spec.directions["a2b"].split(" -> ") == spec.directions["b2a"].split(" -> ")[::-1]
        assert not TASKS[spec.stands_for].drawn
        assert spec.drawn == name.startswith("drawn-")
        assert bool(spec.urls) == (spec.kind == "pix2pix")
        assert all(url.endswith(f"/{name}.tar.gz") for url in spec.urls)
        assert len(spec.domains) == (2 if spec.kind in ("animals", "photos") else 0)
        assert len(spec.modes) in (0, 2)
    assert TASKS["drawn-shoes"].title == "drawn edges -> shoes"


def test_both_kinds_of_animals_have_the_directions_of_the_published_table():
    with (ROOT / "results/paper/table2_cis_is.csv").open(encoding="utf-8") as file:
        published = {row["direction"] for row in csv.DictReader(file)} - {"Average"}
    assert len(published) == 6
    for prefix in ("", "drawn-"):
        names = [
            f"{prefix}{pair}" for pair in ("housecats-bigcats", "housecats-dogs", "bigcats-dogs")
        ]
        assert {d for name in names for d in TASKS[name].directions.values()} == published
        assert all(TASKS[name].fewest_modes == 2 for name in names)


@pytest.mark.parametrize("name", ["drawn-shoes", "drawn-handbags"])
def test_drawn_tasks_are_drawn_once(tmp_path, name):
    domains = open_quietly(name, tmp_path, seed=7)
    assert domains.name == name
    assert domains.folder == tmp_path / "data" / f"{name}-32px-seed7-2x2"
    assert domains.paired_test
    assert [len(s) for s in domains.splits().values()] == [2] * 6
    assert all(s.read(1).size == (32, 32) for s in domains.splits().values())
    first = domains.test_b.path(0).stat().st_mtime_ns
    again = open_quietly(name, tmp_path, seed=7)
    assert again.test_b.path(0).stat().st_mtime_ns == first
    assert again.fingerprint() == domains.fingerprint()
    assert open_quietly(name, tmp_path, seed=8).fingerprint() != domains.fingerprint()


@pytest.mark.parametrize("name", ["drawn-shoes", "edges2shoes"])
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
    assert len(marks) == 4
    assert len(set(marks)) == 1


def test_a_local_archive_instead_of_a_download(tmp_path, archive):
    domains = open_quietly("edges2shoes", tmp_path, source=archive)
    assert domains.name == "edges2shoes"
    assert len(domains.train_a) == 3
    assert domains.paired_test
    inode = domains.folder.stat().st_ino
    assert open_quietly("edges2shoes", tmp_path, source=archive).folder.stat().st_ino == inode


def test_another_archive_does_not_open_the_old_folder(tmp_path, archive):
    old = open_quietly("edges2shoes", tmp_path, source=archive)
    fill(tmp_path / "packed" / "edges2shoes" / "more", 1)
    for picture in (tmp_path / "packed" / "edges2shoes" / "more").iterdir():
        Image.new("RGB", (16, 8)).save(tmp_path / "packed/edges2shoes/train" / f"9{picture.name}")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "packed" / "edges2shoes", "edges2shoes")
    new = open_quietly("edges2shoes", tmp_path, source=archive)
    assert (len(old.train_a), len(new.train_a)) == (3, 4)


def test_folders_and_archives_of_ones_own(tmp_path, archive):
    domains = open_quietly(archive, tmp_path)
    assert domains.name == "edges2shoes"
    for split in ("trainA", "trainB", "testA", "testB"):
        fill(tmp_path / "cats2dogs" / split, 2)
    own = open_quietly(tmp_path / "cats2dogs", tmp_path)
    assert own.name == "cats2dogs"
    named = open_quietly("drawn-shoes", tmp_path, source=tmp_path / "cats2dogs")
    assert (named.name, named.fingerprint()) == ("drawn-shoes", own.fingerprint())


def test_a_published_task_is_downloaded_and_unpacked_once(tmp_path, archive, monkeypatch):
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            requests.append(self.path)

    requests: list[str] = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        url = f"http://127.0.0.1:{server.server_port}/edges2shoes.tar.gz"
        monkeypatch.setitem(TASKS, "edges2shoes", replace(TASKS["edges2shoes"], urls=(url,)))
        opened = [open_quietly("edges2shoes", tmp_path) for _ in range(2)]
        server.shutdown()
    assert requests == ["/edges2shoes.tar.gz"]
    assert [len(domains.train_a) for domains in opened] == [3, 3]
    assert opened[0].folder == tmp_path / "data" / "edges2shoes" / "edges2shoes"
    assert (tmp_path / "data" / "edges2shoes.tar.gz.sha256").exists()


def test_unknown_names_get_the_nearest_and_the_list(tmp_path):
    with pytest.raises(UserError, match="did you mean drawn-shoes") as caught:
        open_quietly("drawn-sheos", tmp_path)
    assert all(name in str(caught.value) for name in TASKS)
    with pytest.raises(UserError, match="choose one of") as caught:
        open_quietly("xyzzy", tmp_path)
    assert "did you mean" not in str(caught.value)


def test_sources_that_are_none_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        open_quietly("edges2shoes", tmp_path, source=tmp_path / "none")
    (tmp_path / "x.zip").write_bytes(b"x")
    with pytest.raises(UserError, match="neither a folder nor a .tar.gz"):
        open_quietly("edges2shoes", tmp_path, source=tmp_path / "x.zip")


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match="choose another data folder"):
        open_quietly("drawn-shoes", tmp_path)
