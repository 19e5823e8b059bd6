"""The folder of stored weights: what is in it, what is refused, and its list."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from reading import refusal
from stored_judges import store_classifier

from benchmarks.files import sha256_file
from models.errors import UserError
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset, load_preset
from reproduce.experiments.run import run_folder
from reproduce.measuring import kept
from reproduce.measuring.stored_manifest import MANIFEST, WEIGHTS, read_manifest, table_rows
from reproduce.measuring.storing import store_weights
from reproduce.measuring.subject import open_pictures
from reproduce.records.code import made_by, sign
from reproduce.records.store import Records
from reproduce.training.checkpoints import load_method, read_checkpoint

DIVERSITY, SILHOUETTE = "diversity-lpips", "silhouette-iou"


class Case:
    """Tiny trained runs with made-up records about them."""

    def __init__(self, root: Path, data: Path) -> None:
        self.preset: Preset = load_preset("quick")
        self.places = Places(data, root / "runs", root / "results", progress=False)
        self.records = Records(self.places.results, self.preset.name)
        self.folder = self.places.results / self.preset.name / WEIGHTS
        self.notes: list[str] = []

    def add(self, checkpoint: Path, **changes: object) -> Path:
        """A run in its place, and a record of it; returns where its checkpoint is."""
        read = read_checkpoint(checkpoint, weights_only=True)
        target = run_folder(self.places.runs, self.preset.name, read.run) / "last.safetensors"
        target.parent.mkdir(parents=True)
        shutil.copyfile(checkpoint, target)
        facts = {
            "metric": SILHOUETTE, "value": 0.5, "protocol": {"protocol": "first", "N": 8},
            "preset": self.preset.name, "task": read.run.task, "method": read.run.method,
            "seed": read.run.seed, "steps": read.step, "config": read.run.as_dict(),
            "config_sha256": read.run.digest(), "data_sha256": read.data,
            "checkpoint_sha256": sha256_file(target),
        }  # fmt: skip
        self.records.append(facts | changes)
        return target

    def store(self, limit: int = 10**7, only: list[str] | None = None):
        return store_weights(self.preset, [0], self.places, self.notes.append, limit, only or ())


@pytest.fixture
def case(tmp_path: Path, data: Path) -> Case:
    return Case(tmp_path, data)


def test_stored_files_are_listed_and_translate(case: Case, trained) -> None:
    full = case.add(trained("munit"))
    case.add(trained("cyclegan"))
    manifest = case.store()
    assert {file.about["method"] for file in manifest.files} == {"munit", "cyclegan"}
    assert read_manifest(case.folder) == manifest
    assert all(manifest.wrong(file) is None for file in manifest.files)
    file = manifest.find(method="munit", directions=["a2b"])
    assert file is not None and file.about["checkpoint_sha256"] == sha256_file(full)
    load_method(case.folder / file.file)
    told = manifest.pictures["drawn-shoes"]
    assert {part: len(digests) for part, digests in told["parts"].items()} == {
        "testA": 8, "testB": 8, "testMask": 8,
    }  # fmt: skip
    assert case.notes == []


def test_too_much_is_refused_and_leaves_what_was_stored_which_a_next_store_replaces(case, trained):
    case.add(trained("munit"))
    before = case.store()
    (case.folder / "left-over.safetensors").touch()
    assert "store fewer seeds" in refusal(case.store, limit=before.bytes - 1)
    assert read_manifest(case.folder) == before
    assert list(case.folder.parent.glob(f".{WEIGHTS}*")) == []
    case.store()
    names = {"drawn-shoes-munit-seed0.safetensors", MANIFEST}
    assert {p.name for p in case.folder.iterdir()} == names


@pytest.mark.parametrize(
    ("changed", "reason"),
    [("checkpoint_sha256", "not the network in the newest records of munit"),
     ("data_sha256", "are not those of the records")],
)  # fmt: skip
def test_what_no_record_is_about_is_refused(case: Case, trained, changed: str, reason: str) -> None:
    case.add(trained("munit"), **{changed: "b" * 64})
    with pytest.raises(UserError, match=reason):
        case.store()


def test_an_absent_run_and_an_absent_classifier_are_told(case: Case, trained) -> None:
    case.add(trained("munit")).unlink()
    case.add(
        trained("unit"), metric="fid-small-resnet-2",
        protocol={"extractor": "small-resnet-2", "sha256": "c" * 64},
    )  # fmt: skip
    case.store()
    manifest = read_manifest(case.folder)
    assert manifest.left_out == ["drawn-shoes/munit/0"]
    assert manifest.leaves_out("drawn-shoes", "munit", 0)
    assert not manifest.leaves_out("drawn-shoes", "unit", 0)
    assert not manifest.leaves_out("drawn-shoes", "real", 0)
    assert len(case.notes) == 2
    assert case.notes[0].startswith("left out: munit on drawn-shoes")
    assert case.notes[1].startswith("left out: classifier cccccccccccc")


def test_what_measured_is_found_among_stored_weights_not_trained_again(
    case: Case, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = read_checkpoint(case.add(trained("munit"))).run
    pictures = open_pictures(run, case.places)
    store_classifier(pictures, case.places)
    here = kept.kept_classifier(pictures, case.places)
    sign(here.path, here.trained_by)
    (record,) = case.records.all()
    told = {"extractor": "small-resnet-2", "sha256": here.open().sha256}
    case.records.append(record | {"metric": "fid-small-resnet-2", "protocol": told})
    stored = case.folder / case.store().files[-1].file

    def train() -> None:
        raise UserError("trained")

    def elsewhere(name: str) -> kept.Kept:
        places = replace(case.places, runs=tmp_path / name)
        return replace(kept.kept_classifier(pictures, places), train=train)

    assert elsewhere("one").open().sha256 == told["sha256"]
    assert made_by(elsewhere("one").path, here.trained_by)
    with monkeypatch.context() as patched:
        patched.setattr(kept, "code_behind", lambda module: "of another version")
        assert "trained" in refusal(elsewhere("two").open)
    stored.write_bytes(b"damaged")
    assert "restore it from version control" in refusal(elsewhere("three").open)
    assert not elsewhere("three").path.exists()


def test_runs_that_were_not_asked_for_are_left_out(case: Case, trained) -> None:
    case.preset = replace(case.preset, tables={1: ["drawn-shoes"], 2: ["drawn-housecats-dogs"]})
    case.add(trained("munit"))
    assert "has no records of the tables" in refusal(case.store, only=["drawn-housecats-dogs"])
    (shoes,) = case.records.all()
    for direction in ("a2b", "b2a"):
        told = {"task": "drawn-housecats-dogs", "metric": "is", "translation": direction}
        case.records.append(shoes | told)
    for only in ("drawn-shoes", "drawn-shoes/munit"):
        manifest = case.store(only=[only])
        assert manifest.left_out == ["drawn-housecats-dogs/munit/0"]
        assert manifest.leaves_out("drawn-housecats-dogs", "real", 0)
    case.add(trained("unit"))
    manifest = case.store(only=["drawn-shoes/unit"])
    assert [file.about["method"] for file in manifest.files] == ["unit"]
    assert manifest.leaves_out("drawn-shoes", "munit", 0)
    assert not manifest.leaves_out("drawn-shoes", "real", 0)
    for strange in ("drawn-hats", "drawn-shoes/munet", "munit"):
        with pytest.raises(UserError, match=f"no table of quick has {strange}: .*known: drawn-"):
            case.store(only=["drawn-shoes", strange])


def test_no_records_and_no_runs_are_refused(case: Case, trained) -> None:
    assert "has no records of the tables of quick" in refusal(case.store)
    case.add(trained("munit")).unlink()
    assert "none of the runs behind these tables" in refusal(case.store)
    assert not case.folder.exists()


def test_a_damaged_file_is_found(case: Case, trained) -> None:
    case.add(trained("munit"))
    manifest = case.store()
    path = case.folder / manifest.files[0].file
    os.truncate(path, path.stat().st_size - 1)
    assert "the manifest says" in str(manifest.wrong(manifest.files[0]))
    path.unlink()
    assert "is missing" in str(manifest.wrong(manifest.files[0]))


@pytest.mark.parametrize("text", ["", "{}", '{"files": 1}'])
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    assert "is no list of stored weights" in refusal(read_manifest, tmp_path)


def test_a_manifest_names_nothing_outside_its_folder(case: Case, trained) -> None:
    case.add(trained("munit"))
    manifest = case.store()
    out = [replace(file, file="../../secret") for file in manifest.files]
    (case.folder / MANIFEST).write_text(replace(manifest, files=out).as_text())
    assert "leads out of the folder" in refusal(read_manifest, case.folder)


def test_rows_of_real_pictures_have_the_metrics_that_methods_have(case: Case, trained) -> None:
    case.add(trained("munit"))
    real = {
        "value": 1.0, "protocol": {}, "preset": "quick", "task": "drawn-shoes", "method": "real",
        "seed": 0, "data_sha256": "d" * 64,
    }  # fmt: skip
    for metric in (SILHOUETTE, "fid-of-an-earlier-classifier"):
        case.records.append(real | {"metric": metric})
    rows = table_rows(case.records.all(), case.preset, 0)
    assert {row: set(by) for row, by in rows.items()} == {
        ("drawn-shoes", "munit", None): {SILHOUETTE},
        ("drawn-shoes", "real", None): {SILHOUETTE},
    }
