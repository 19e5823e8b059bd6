import gzip
import io
import tarfile
from pathlib import Path

import pytest

from models.errors import UserError
from reproduce.tasks import archives
from reproduce.tasks.archives import extract_tar


def member(name: str, data: bytes = b"data", **attributes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def pack(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def extract(archive: Path) -> Path:
    return extract_tar(archive, archive.parent / "out", progress=False)


def refused(archive: Path, match: str) -> None:
    before = sorted(path.name for path in archive.parent.iterdir())
    with pytest.raises(UserError, match=match) as caught:
        extract(archive)
    assert str(archive) in str(caught.value)
    assert sorted(path.name for path in archive.parent.iterdir()) == before


def test_files_and_folders(tmp_path):
    archive = pack(
        tmp_path / "x.tar.gz",
        member("task", b"", type=tarfile.DIRTYPE),
        member("task/train/1.jpg", b"one"),
        member("./task/val/2.jpg", b"two", mode=0o4777),
    )
    folder = extract(archive)
    assert (folder / "task/train/1.jpg").read_bytes() == b"one"
    assert (folder / "task/val/2.jpg").read_bytes() == b"two"
    assert not (folder / "task/val/2.jpg").stat().st_mode & 0o4000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "x.tar.gz"]


@pytest.mark.parametrize(
    "bad",
    [
        *(member(name) for name in ("../evil", "/evil", "a/../evil")),
        *(
            member("x", b"", type=kind, linkname="ok", devmajor=1, devminor=3)
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)
        ),
    ],
    ids=["above", "absolute", "through", "symbolic", "hard", "device"],
)
def test_escapes_links_and_devices_are_refused(tmp_path, bad):
    refused(pack(tmp_path / "x.tar.gz", member("ok"), bad), "not a regular file inside")
    assert not Path("/evil").exists()


def test_bombs_are_refused(tmp_path, monkeypatch):
    archive = pack(tmp_path / "x.tar.gz", member("a", bytes(2000)), member("b", bytes(2000)))
    for name, limit in (("MOST_BYTES", 4000), ("MOST_FILES", 2)):
        monkeypatch.setattr(archives, name, limit - 1)
        refused(archive, "unpacks to over")
        monkeypatch.setattr(archives, name, limit)
    assert extract(archive).is_dir()


def test_every_truncation_is_noticed(tmp_path):
    whole = pack(tmp_path / "x.tar.gz", *(member(f"{i}", bytes([i]) * 999) for i in range(9)))
    data = whole.read_bytes()
    for length in range(0, len(data), 13):
        whole.write_bytes(data[:length])
        refused(whole, "could not be unpacked")


def test_damage_is_noticed_by_the_checksum_of_the_whole(tmp_path):
    whole = pack(tmp_path / "x.tar.gz", member("a", bytes(range(256))))
    stored = gzip.compress(gzip.decompress(whole.read_bytes()), compresslevel=0)
    at = stored.index(bytes(range(256))) + 100
    whole.write_bytes(stored[:at] + b"\xff" + stored[at + 1 :])
    refused(whole, "could not be unpacked")


def test_other_files_and_missing_ones_are_refused(tmp_path):
    other = tmp_path / "x.tar.gz"
    other.write_bytes(b"PK\x03\x04 not a tar")
    refused(other, "could not be unpacked")
    other.write_bytes(gzip.compress(b"not a tar" * 100))
    refused(other, "could not be unpacked")
    refused(tmp_path / "none.tar.gz", "could not be unpacked")


def test_a_folder_that_exists_is_not_touched(tmp_path):
    archive = pack(tmp_path / "x.tar.gz", member("a"))
    (tmp_path / "out").mkdir()
    refused(archive, "already exists")
    assert list((tmp_path / "out").iterdir()) == []
