"""Animals and vehicles out of CIFAR-10, in small files of its real format."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import serving
from sorted_pictures import md5, opened, origins, packed
from tiny import places
from torchvision.datasets import CIFAR10

from models.errors import UserError
from reproduce.tasks import photos
from reproduce.tasks.modes import open_modes
from reproduce.tasks.registry import TASKS

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@pytest.fixture
def cifar(tmp_path, monkeypatch) -> Path:
    """A small CIFAR-10 in torchvision's format: 5 training and 2 test pictures a class."""
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for name, count in (("data_batch_1", 30), ("data_batch_2", 20), ("test_batch", 20)):
        pixels = draws.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = [i % 10 for i in range(count)]
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": labels}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}))
    listed = {name: [name, md5(folder / name)] for name in ("data_batch_1", "data_batch_2")}
    monkeypatch.setattr(CIFAR10, "train_list", list(listed.values()))
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(folder / "test_batch")]])
    known = CIFAR10.meta | {"md5": md5(folder / "batches.meta")}
    monkeypatch.setattr(CIFAR10, "meta", known)
    return folder.parent


def test_cifar_is_downloaded_and_checked_by_torchvision(cifar, tmp_path, monkeypatch):
    archive = packed(cifar, tmp_path / "served" / "cifar.tar.gz", "cifar-10-batches-py")
    data, name = tmp_path / "data", "cifar-animals-vehicles"
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    with serving(archive.parent, monkeypatch) as address:
        monkeypatch.setattr(CIFAR10, "url", f"{address}/cifar.tar.gz")
        domains = opened(name, data)
    assert domains.folder == data / name
    assert [len(source) for source in domains.splits().values()] == [20, 20, 8, 8]
    modes = open_modes(domains.folder)
    assert modes.names == dict(zip("ab", TASKS[name].modes, strict=True))
    reference = {split: CIFAR10(cifar, train=split == "train") for split in ("train", "test")}
    for (part, picture), row in modes.rows.items():
        split, number = row["origin"].split("/")
        pixels, label = reference[split][int(number)]
        assert part.startswith(split) and CLASSES[label] == row["mode"]
        found = Image.open(domains.folder / part / f"{picture}.png")
        assert np.array_equal(np.asarray(found), np.asarray(pixels))
    shutil.rmtree(data / "downloads")
    assert opened(name, data).fingerprint() == domains.fingerprint()


@pytest.mark.parametrize("form", ["batches", "archive"])
def test_a_copy_of_cifar_may_be_given_in_any_form(form, cifar, tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "CIFAR_TRAIN", 1)
    source = cifar / "cifar-10-batches-py"
    if form == "archive":
        source = packed(cifar, tmp_path / "cifar-10-python.tar.gz", source.name)
    domains = opened("cifar-animals-vehicles", tmp_path / "data", source)
    assert [len(source) for source in domains.splits().values()] == [4, 4, 8, 8]
    # The first of each class for training, and all for testing.
    first = [f"train/{CLASSES.index(c)}" for c in photos.CIFAR_MODES[0]]
    assert origins(domains)["trainA"] == first


def test_a_download_that_fails_is_told_with_the_remedy(no_network, tmp_path, refused):
    for name in ("cifar-animals-vehicles", "housecats-dogs", "dog-breeds"):
        error = refused(["data", name, "--data", tmp_path / "data", "--no-progress"])
        assert "error: could not download" in error and "--source PATH" in error
        assert list(tmp_path.iterdir()) == []


def test_what_is_only_listed_is_not_downloaded(no_network, tmp_path, said):
    for command in (
        ["table", "2", "--task=cifar-animals-vehicles", "--preset=quick"],
        ["all", "--preset=paper"],  # with Inception-v3's weights
    ):
        assert "jobs to do" in said([*command, "--dry-run", *places(tmp_path)]).out
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_copy_is_refused_unread(cifar, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    (cifar / "cifar-10-batches-py" / "data_batch_2").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="is not a complete copy of CIFAR-10"):
        opened("cifar-animals-vehicles", tmp_path / "data", cifar)
    assert not (tmp_path / "exploded").exists()


def test_a_replaced_download_is_refused(cifar, tmp_path, monkeypatch):
    archive = packed(cifar, tmp_path / "served" / "cifar.tar.gz", "cifar-10-batches-py")
    with serving(archive.parent, monkeypatch) as address:
        monkeypatch.setattr(CIFAR10, "url", f"{address}/cifar.tar.gz")  # not its published md5
        with pytest.raises(UserError, match="could not download CIFAR-10"):
            opened("cifar-animals-vehicles", tmp_path / "data")
    assert not (tmp_path / "data" / "cifar-animals-vehicles").exists()
