"""Weights of LPIPS from files, and pictures enlarged."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision

from benchmarks.metrics.lpips_features import LpipsDistance, enlarged, measured_size
from benchmarks.networks import weights as weights_module
from benchmarks.networks.weights import trained
from models.errors import UserError

SHIPPED = trained("0.0")


def test_only_pictures_under_64_px_are_enlarged() -> None:
    assert measured_size(31, 31) == measured_size(1, 1) == (64, 64)
    assert measured_size(48, 33) == (93, 64) and measured_size(256, 128) == (256, 128)
    x = torch.zeros(1, 3, 64, 70)
    assert enlarged(x) is x


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(1, 1, 64, 64), "3, H, W"),
        (torch.zeros(3, 64, 64), "3, H, W"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "float32"),
        (torch.full((1, 3, 64, 64), 1.01), r"\[-1, 1\]"),
    ],
)
def test_unfit_pictures_are_refused(bad: torch.Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        LpipsDistance(SHIPPED).features(bad)


def test_weights_are_recognised_by_their_numbers_whatever_the_file(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    whole = dict(SHIPPED.trunk) | {"classifier.6.bias": torch.zeros(1000)}
    safetensors.torch.save_file(whole, tmp_path / "a.safetensors")
    torch.save(whole, tmp_path / "b.pth")
    torch.save(whole, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "b.pth", "old.pth"):
        found = trained("0.0", tmp_path / name)
        assert (found.name, found.sha256, found.source) == ("lpips", SHIPPED.sha256, name)
    changed = SHIPPED.trunk["features.8.bias"].clone()
    changed[17] += 1e-6
    torch.save(whole | {"features.8.bias": changed}, tmp_path / "b.pth")
    other = trained("0.0", tmp_path / "b.pth")
    assert other.name == "lpips-unverified" and other.sha256 != SHIPPED.sha256
    LpipsDistance(other)
    assert torch.equal(torch.get_rng_state(), before)


class Hostile:
    """A pickle that leaves a mark when it is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return (os.mkdir, (str(self.mark), 0o700))


@pytest.mark.parametrize("new_format", [True, False])
def test_code_in_a_file_is_not_run(tmp_path: Path, new_format: bool) -> None:
    hostile = {"features.0.weight": Hostile(tmp_path / "mark")}
    path = tmp_path / "alexnet.pth"
    torch.save(hostile, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(UserError, match="not run"):
        trained("0.0", path)
    path.write_bytes(pickle.dumps(hostile, protocol=2))
    with pytest.raises(UserError):
        trained("0.0", path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_broken_files_are_refused(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    save = torch.save if suffix == ".pth" else safetensors.torch.save_file
    save(dict(SHIPPED.trunk), whole)
    content = whole.read_bytes()
    for k, part in enumerate((content[:-1000], content[:30], b"", b"<html>404</html>")):
        path = tmp_path / f"{k}{suffix}"
        path.write_bytes(part)
        with pytest.raises(UserError, match=path.name):
            trained("0.0", path)


def test_archives_that_unpack_to_more_than_any_alexnet_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_module, "LARGEST_FILE", 10**6)
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", b"\0" * (10**6 + 1))
    assert path.stat().st_size < 10**4
    with pytest.raises(UserError, match="unpacks"):
        trained("0.0", path)
    path.write_bytes(b"\0" * (10**6 + 1))
    with pytest.raises(UserError, match="larger"):
        trained("0.0", path)


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("AlexNet has", torch.zeros(1)),
        ("holds no dense real", torch.zeros(384, dtype=torch.int64)),
        ("NaN or infinity", torch.full((384,), float("inf"))),
        ("bias holds no dense", torch.zeros(384).to_sparse()),
        ("features.6.bias is missing", [0.0] * 384),
    ],
)
def test_other_numbers_are_refused(tmp_path: Path, message: str, change: object) -> None:
    torch.save(dict(SHIPPED.trunk) | {"features.6.bias": change}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=rf"x\.pth.*{message}.*--lpips-weights"):
        trained("0.0", tmp_path / "x.pth")


def test_other_networks_files_and_versions_are_refused(tmp_path: Path) -> None:
    squeeze = torchvision.models.squeezenet1_1(weights=None).state_dict()
    for message, content in (("no part of AlexNet", squeeze), ("no state dict", [1, 2])):
        torch.save(content, tmp_path / "x.pth")
        with pytest.raises(UserError, match=message):
            trained("0.0", tmp_path / "x.pth")
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            trained("0.0", path)
