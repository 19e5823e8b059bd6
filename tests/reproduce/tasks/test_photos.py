"""Cats, dogs, big cats and faces out of data sets, in small files of their real formats."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import serving
from sorted_pictures import celeba, fill, md5, noise, opened, origins, packed
from torchvision.datasets import CelebA, OxfordIIITPet

from models.errors import UserError
from reproduce.tasks import photos
from reproduce.tasks.modes import open_modes

BOX = (
    "<annotation><size><width>60</width><height>40</height></size><object><name>cat</name><bndbox>"
    "<xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>25</ymax></bndbox></object></annotation>"
)


def pets(root: Path, count: int = 3) -> Path:
    """``count`` boxed pictures of every breed that is used, one without a box, and strangers."""
    (root / "annotations" / "xmls").mkdir(parents=True)
    listed = []
    for breed in (*photos.HOUSE_CATS, *photos.DOGS, "Persian", "samoyed_cross"):
        for i in range(1, count + 2):
            name = f"{breed}_{i}"
            noise(root / "images" / f"{name}.jpg", (60, 40))
            if i <= count:
                (root / "annotations" / "xmls" / f"{name}.xml").write_text(BOX)
                listed.append(f"{name} 1 1 1\n")
    (root / "annotations" / "trainval.txt").write_text("".join(listed))
    return root


def test_house_cats_and_dogs_are_cut_out_by_their_heads(tmp_path):
    root = pets(tmp_path / "oxford-iiit-pet")
    domains = opened("housecats-dogs", tmp_path / "data", tmp_path)  # or the folder above it
    modes = open_modes(domains.folder)
    assert modes.titles == {"a": "house cats", "b": "dogs"}
    assert modes.names == {
        "a": ("siamese", "bengal", "bombay", "abyssinian"),
        "b": ("samoyed", "shiba inu", "pug", "beagle"),
    }
    # Of the three with a box one is for testing; those without a box are left out.
    assert [len(source) for source in domains.splits().values()] == [8, 8, 4, 4]
    row = modes.rows["trainA", "00000"]
    assert row["origin"].lower().startswith(f"images/{row['mode']}_")
    # The box is 20 x 20 from (10, 5) on; with a fifth of it around, 28 x 28 from (6, 1) on.
    whole = Image.open(root / row["origin"]).convert("RGB").crop((6, 1, 34, 29))
    found = domains.train_a.read(0)
    assert found.size == (28, 28)
    assert np.array_equal(np.asarray(found), np.asarray(whole))


def test_pets_are_downloaded_and_what_was_half_unpacked_is_unpacked_again(tmp_path, monkeypatch):
    root, served, data = pets(tmp_path / "pets"), tmp_path / "served", tmp_path / "data"
    archives = [packed(root, served / f"{n}.tar.gz", n) for n in ("annotations", "images")]
    cut = served / "cut.tar.gz"
    cut.write_bytes(archives[1].read_bytes()[:-9000])
    with serving(served, monkeypatch) as address:

        def told(*archives: Path) -> None:
            resources = tuple((f"{address}/{archive.name}", md5(archive)) for archive in archives)
            monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", resources)

        told(archives[0], cut)
        with pytest.raises(UserError, match="could not download Oxford-IIIT Pet"):
            opened("dog-breeds", data)
        kept = [path.name for path in data.rglob("*.gz")]
        assert list((data / "downloads").glob("[!.]*")) == [] and "annotations.tar.gz" in kept
        told(*archives)
        (served / "annotations.tar.gz").unlink()  # which need not come again
        domains = opened("dog-breeds", data)
    assert open_modes(domains.folder).names == {"a": ("samoyed",), "b": ("beagle",)}
    assert [len(source) for source in domains.splits().values()] == [2, 2, 1, 1]
    assert [path.name for path in (data / "downloads").iterdir()] == ["oxford-iiit-pet"]
    # The other task of the same data set finds it there.
    assert opened("housecats-dogs", data).folder.name == "housecats-dogs"


def test_pets_and_imagenet_are_given_side_by_side(tmp_path, said):
    data = tmp_path / "data"
    sources = ["--pets", pets(tmp_path / "p"), "--imagenet", imagenet(tmp_path / "i")]
    told = said(["data", "housecats-bigcats", *sources, "--data", data, "--no-progress"]).out
    folder = Path(told.splitlines()[-1])
    assert open_modes(folder).names["b"] == ("lion", "tiger", "leopard", "jaguar")
    shutil.rmtree(tmp_path / "p")
    assert opened("housecats-bigcats", data).folder.samefile(folder)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda r: shutil.rmtree(r / "annotations" / "xmls"), "holds no Oxford-IIIT Pet"),
        (lambda r: [p.unlink() for p in r.glob("images/Bombay*")], "holds 0 pictures of Bombay"),
        (lambda r: (r / "annotations/xmls/Bombay_1.xml").write_text("<a/>"), "contains no head"),
        (lambda r: (r / "images/Bombay_1.jpg").write_bytes(b"\xff\xd8"), "_1.jpg is not a picture"),
    ],
)
def test_broken_pets_are_told_by_name(spoil, told, tmp_path):
    root = pets(tmp_path / "pets")
    spoil(root)
    with pytest.raises(UserError, match=told):
        opened("housecats-bigcats", tmp_path / "data", pets=root, imagenet=imagenet(tmp_path / "i"))
    assert list(tmp_path.glob("data/*")) == []


def imagenet(root: Path, *, val: bool = False) -> Path:
    for synset in (*photos.SYNSETS.values(), "n00000001"):
        fill(root / "train" / synset, 6, ".JPEG")
        if val:
            fill(root / "val" / synset, 2, ".JPEG")
    return root


@pytest.mark.parametrize("place", ["root", "train", "above"])
def test_synsets_are_found_wherever_the_folder_begins(place, tmp_path):
    root = imagenet(tmp_path / "ILSVRC" / "Data" / "CLS-LOC")
    source = {"root": root, "train": root / "train", "above": tmp_path}[place]
    domains = opened("cat-species", tmp_path / "data", source)
    assert open_modes(domains.folder).names == {"a": ("tiger",), "b": ("leopard",)}
    assert [len(source) for source in domains.splits().values()] == [5, 5, 1, 1]
    assert all("n02129604" in name for name in origins(domains)["trainA"])


def test_imagenet_validation_pictures_are_for_testing(tmp_path):
    root = imagenet(tmp_path / "i", val=True)
    domains = opened("bigcats-dogs", tmp_path / "data", imagenet=root, pets=pets(tmp_path / "p"))
    found = origins(domains)
    assert [len(found[part]) for part in ("trainA", "testA")] == [24, 8]
    assert all(name.startswith("val/") for name in found["testA"])
    picture = domains.train_a.path(0)
    row = open_modes(domains.folder).rows["trainA", picture.stem]
    assert picture.suffix == ".jpeg" and picture.samefile(root / row["origin"])


def test_missing_synsets_are_named(tmp_path):
    root, data, empty = imagenet(tmp_path / "i"), tmp_path / "data", tmp_path / "empty"
    shutil.rmtree(root / "train" / photos.SYNSETS["jaguar"])
    empty.mkdir()
    both = {"imagenet": root, "pets": pets(tmp_path / "p")}
    for task, given, told in (
        ("bigcats-dogs", both, "jaguar. does not exist"),
        ("cat-species", {"imagenet": empty}, "has no synset folders"),
        ("cat-species", {}, "cannot be downloaded without an account.*--imagenet PATH"),
    ):
        with pytest.raises(UserError, match=told):
            opened(task, data, **given)


def test_what_a_source_does_not_have_is_refused(tmp_path):
    root = pets(tmp_path / "pets")
    for task, given, told in (
        ("dog-breeds", {"domains": ("a", "b")}, "no domain folders .*leave out --domains"),
        ("faces", {"attribute": "Smiling"}, "is not CelebA, .*leave out --attribute"),
        ("faces", {}, "without and with do not use Oxford-IIIT Pet"),
    ):
        with pytest.raises(UserError, match=told):
            opened(task, tmp_path / "data", root, **given)


def numbers(names: list[str]) -> list[int]:
    return [int(Path(name).stem) for name in names]


def test_faces_are_divided_by_an_attribute(tmp_path):
    root = celeba(tmp_path / "celeba")
    found = origins(opened("faces", tmp_path / "data", tmp_path))
    assert {part: numbers(names) for part, names in found.items()} == {
        "trainA": [1, 2, 4, 5, 7, 8], "trainB": [3, 6], "testA": [11], "testB": [12],
    }  # fmt: skip
    domains = opened("faces", tmp_path / "data", root, attribute="Smiling")
    assert open_modes(domains.folder).titles == {"a": "not Smiling", "b": "Smiling"}
    assert numbers(origins(domains)["trainB"]) == [2, 4, 6, 8]


def test_the_folders_of_the_published_archives_do_too(tmp_path):
    root = celeba(tmp_path / "CelebA")
    for place, name in (("Anno", "list_attr_celeba.txt"), ("Img", "img_align_celeba")):
        (root / place).mkdir()
        (root / name).rename(root / place / name)
    (root / "list_eval_partition.txt").unlink()
    domains = opened("faces", tmp_path / "data", root)
    # No partition: a sixth is for testing.
    assert [len(source) for source in domains.splits().values()] == [7, 3, 1, 1]


@pytest.mark.parametrize(
    ("file", "line", "text", "told"),
    [
        ("list_attr_celeba.txt", 5, "000003.jpg -1 1", "000003.jpg has values other than 1 and -1"),
        ("list_attr_celeba.txt", 5, "000003.jpg -1 0 1", "000003.jpg has values other than"),
        ("list_attr_celeba.txt", 5, "000003.jpg -1 1 1 1", "not a table .*download the list"),
        ("list_attr_celeba.txt", 5, "../x.jpg -1 1 1", "lists ../x.jpg, which is missing from"),
        ("list_attr_celeba.txt", 5, "000099.jpg -1 1 1", "lists 000099.jpg, which is missing"),
        ("list_attr_celeba.txt", 2, "Bald Blonde_Hair", "'Blond_Hair': did you mean Blonde_Hair"),
        ("list_eval_partition.txt", 3, "000003.jpg 4", "000003.jpg is not in part 0, 1 or 2"),
    ],
)
def test_broken_lists_are_told_by_name(file, line, text, told, tmp_path):
    root = celeba(tmp_path / "celeba")
    lines = (root / file).read_text().splitlines()
    lines[line - 1] = text
    (root / file).write_text("\n".join(lines))
    with pytest.raises(UserError, match=told):
        opened("faces", tmp_path / "data", root)


def test_faces_come_by_torchvision_or_by_hand(tmp_path, monkeypatch):
    """Its files lie where only an extra package of Python can reach; the remedy is the other way."""
    monkeypatch.setattr(CelebA, "file_list", [("id", "0" * 32, "list_attr_celeba.txt")])
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(UserError, match="could not download CelebA to .*--source PATH"):
        opened("faces", tmp_path / "data")
