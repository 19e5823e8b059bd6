"""Weights of LPIPS from files and seeds, and distances against the lpips package."""

from __future__ import annotations

import hashlib
import http.server
import os
import pickle
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import lpips
import pytest
import safetensors.torch
import torch
import torchvision

from benchmarks import weights as weights_module
from benchmarks.lpips_features import SMALLEST_SIZE, LpipsDistance
from benchmarks.weights import LpipsWeights, Version, package_channels, trained, untrained
from models.errors import UserError

VERSIONS: list[Version] = ["0.0", "0.1"]


def pictures(n: int, height: int = 32, width: int = 32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, height, width, generator=generator) * 2 - 1


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A state dict as torchvision's AlexNet has it, with biases and without its classifier."""
    generator = torch.Generator().manual_seed(3)
    trunk = dict(untrained("0.0", seed=5).trunk)
    return {
        k: v if v.ndim > 1 else torch.randn(v.shape, generator=generator) / 10
        for k, v in trunk.items()
    }


@pytest.fixture
def file(state: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch cache; returns where AlexNet would lie."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch/hub/checkpoints" / weights_module.ALEXNET_URL.rsplit("/", 1)[-1]


def reference(weights: LpipsWeights, fitted: bool = True) -> lpips.LPIPS:
    """The package's own network, with its own channel weights, around the same trunk."""
    net = lpips.LPIPS(
        net="alex", version=weights.version, pnet_rand=True, lpips=fitted, verbose=False
    )
    names = list(net.net.state_dict())
    net.net.load_state_dict(
        {n: weights.trunk["features." + n.split(".", 1)[1]] for n in names}, strict=True
    )
    return net


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
@pytest.mark.parametrize("version", VERSIONS)
def test_distances_are_the_package_s(file: Path, version: Version) -> None:
    weights = trained(version, file)
    distance, net = LpipsDistance(weights), reference(weights)
    for height, width in [(32, 32), (64, 64), (40, 72), (SMALLEST_SIZE, SMALLEST_SIZE)]:
        x, y = pictures(3, height, width, 1), pictures(3, height, width, 2)
        y[0] = x[0] * 0.9
        with torch.no_grad():
            expected = net(x, y).flatten()
        found = distance.distance(distance.features(x), distance.features(y))
        assert found.shape == (3,)
        assert expected.max() > 1e-2
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
def test_versions_differ(file: Path) -> None:
    x, y = pictures(1, seed=1), pictures(1, seed=2)
    old, new = (LpipsDistance(trained(v, file)) for v in VERSIONS)
    a, b = (float(d.distance(d.features(x), d.features(y))) for d in (old, new))
    assert abs(a - b) > 1e-2


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
@pytest.mark.parametrize("version", VERSIONS)
def test_untrained_is_the_unfitted_baseline_averaged_over_layers(version: Version) -> None:
    weights = untrained(version)
    distance, net = LpipsDistance(weights), reference(weights, fitted=False)
    x, y = pictures(4, 48, 33, 1), pictures(4, 48, 33, 2)
    with torch.no_grad():
        expected = net(x, y).flatten() / 5
    found = distance.distance(distance.features(x), distance.features(y))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert ((found > 0) & (found < 2)).all()


def test_distance_is_zero_symmetric_and_keeps_the_order_of_pairs() -> None:
    distance = LpipsDistance(untrained("0.0"))
    f = distance.features(pictures(3))
    assert distance.distance(f, f).tolist() == [0, 0, 0]
    ab = distance.distance(f[[0, 1]], f[[1, 2]])
    torch.testing.assert_close(ab.flip(0), distance.distance(f[[2, 1]], f[[1, 0]]), rtol=0, atol=0)


def test_features_do_not_depend_on_the_batch() -> None:
    distance = LpipsDistance(untrained("0.0"))
    x = pictures(5, 64, 64)
    alone = torch.cat([distance.features(x[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(distance.features(x), alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(1, 3, 30, 64), "at least 31x31"),
        (torch.zeros(1, 1, 64, 64), "3, H, W"),
        (torch.zeros(3, 64, 64), "3, H, W"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "float32"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.float64), "float32"),
        (torch.full((1, 3, 64, 64), 1.01), r"\[-1, 1\]"),
        (torch.full((1, 3, 64, 64), -1.01), r"\[-1, 1\]"),
        (torch.full((1, 3, 64, 64), float("nan")), r"\[-1, 1\]"),
    ],
)
def test_unfit_pictures_are_refused(bad: torch.Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        LpipsDistance(untrained("0.0")).features(bad)


def test_one_nan_among_many_pixels_is_refused() -> None:
    x = pictures(2)
    x[1, 2, 5, 7] = float("nan")
    with pytest.raises(UserError):
        LpipsDistance(untrained("0.0")).features(x)


def test_smallest_size_is_alexnet_s_own() -> None:
    net = torchvision.models.alexnet(weights=None).features[:12]
    net(torch.zeros(1, 3, SMALLEST_SIZE, SMALLEST_SIZE))
    with pytest.raises(RuntimeError):
        net(torch.zeros(1, 3, SMALLEST_SIZE - 1, SMALLEST_SIZE))


def test_features_of_two_sizes_do_not_pair() -> None:
    distance = LpipsDistance(untrained("0.0"))
    with pytest.raises(UserError, match="one size"):
        distance.distance(distance.features(pictures(1)), distance.features(pictures(1, 64, 64)))


def test_untrained_counts_its_seed_and_leaves_global_state_alone() -> None:
    before = torch.get_rng_state()
    first = untrained("0.0", seed=1)
    LpipsDistance(first)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert untrained("0.0", seed=1).sha256 == first.sha256
    assert untrained("0.0", seed=2).sha256 != first.sha256
    assert untrained("0.1", seed=1).sha256 != first.sha256
    assert first.name == "lpips-untrained"


def test_untrained_is_the_same_trunk_everywhere() -> None:
    """A golden number: records of other machines must be comparable."""
    assert untrained("0.0", seed=0).sha256 == UNTRAINED_SHA256


UNTRAINED_SHA256 = "023f2c7af2845e52512355a6ff32ede6316ce7435500b7cfe28331aa14507dc1"


def test_hash_is_of_the_parameters_not_of_the_file(
    state: dict[str, torch.Tensor], file: Path, tmp_path: Path
) -> None:
    safetensors.torch.save_file(state, tmp_path / "alexnet.safetensors")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    found = {trained("0.0", tmp_path / n).sha256 for n in ("alexnet.safetensors", "old.pth")}
    assert found == {trained("0.0", file).sha256}
    state = state | {"features.8.bias": state["features.8.bias"].clone()}
    state["features.8.bias"][17] += 1e-6
    torch.save(state, tmp_path / "other.pth")
    assert trained("0.0", tmp_path / "other.pth").sha256 not in found


def test_package_channel_weights_are_not_negative() -> None:
    for version in VERSIONS:
        assert [len(c) for c in package_channels(version)] == [64, 192, 384, 256, 256]
        assert all(bool((c >= 0).all()) for c in package_channels(version))


def test_negative_channel_weights_are_refused() -> None:
    good = untrained("0.0")
    bad = LpipsWeights("lpips", "0.0", good.trunk, (*good.channels[:4], -good.channels[4]), "x.pth")
    with pytest.raises(UserError, match="negative"):
        LpipsDistance(bad)


def test_unknown_files_are_never_called_lpips(file: Path) -> None:
    assert trained("0.0", file).name == "lpips-unverified"
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    assert trained("0.0", file, sha256=content.upper()).name == "lpips-unverified"


def test_expected_hash_is_checked(file: Path) -> None:
    for wrong in ("0" * 64, "", hashlib.sha256(file.read_bytes()).hexdigest()[:7]):
        with pytest.raises(UserError, match="sha256"):
            trained("0.0", file, sha256=wrong)


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
def test_broken_files_are_refused(
    state: dict[str, torch.Tensor], tmp_path: Path, suffix: str
) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".pth":
        torch.save(state, whole)
    else:
        safetensors.torch.save_file(state, whole)
    content = whole.read_bytes()
    broken = [content[: len(content) // 2], content[:-1000], content[:30], b"", b"<html>404</html>"]
    for k, part in enumerate(broken):
        path = tmp_path / f"{k}{suffix}"
        path.write_bytes(part)
        with pytest.raises(UserError, match=path.name):
            trained("0.0", path)


def test_archives_that_unpack_to_more_than_any_alexnet_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_other_networks_are_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    squeeze = torchvision.models.squeezenet1_1(weights=None).state_dict()
    wide = state | {"features.3.weight": torch.zeros(192, 64, 3, 3)}
    short = {k: v for k, v in state.items() if k != "features.10.bias"}
    whole = state | {"features.6.bias": torch.zeros(384, dtype=torch.int64)}
    endless = state | {"features.6.bias": torch.full((384,), float("inf"))}
    sparse = state | {"features.6.bias": torch.zeros(384).to_sparse()}
    entries = state | {"features.6.bias": [0.0] * 384}
    cases = {
        "no part of AlexNet": squeeze,
        "AlexNet has": wide,
        "missing": short,
        "holds no dense real": whole,
        "NaN or infinity": endless,
        "bias holds no dense": sparse,
        "features.6.bias is missing": entries,
        "no state dict": [1, 2],
    }
    for k, (message, content) in enumerate(cases.items()):
        torch.save(content, tmp_path / f"{k}.pth")
        with pytest.raises(UserError, match=message):
            trained("0.0", tmp_path / f"{k}.pth")


def test_classifier_is_ignored(state: dict[str, torch.Tensor], file: Path, tmp_path: Path) -> None:
    torch.save(state | {"classifier.6.bias": torch.zeros(1000)}, tmp_path / "full.pth")
    assert trained("0.0", tmp_path / "full.pth").sha256 == trained("0.0", file).sha256


def test_missing_file_folder_and_version_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            trained("0.0", path)
    for load in (trained, untrained):
        with pytest.raises(UserError, match=r"unknown LPIPS version '1\.0'"):
            load("1.0")  # type: ignore[arg-type]


def test_without_any_file_the_remedies_are_named(hub: Path) -> None:
    with pytest.raises(UserError, match=r"allow the download.*--lpips-weights.*untrained trunk"):
        trained("0.0")
    assert not hub.exists()


def test_cache_is_used_only_with_the_hash_in_its_name(
    hub: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.parent.mkdir(parents=True)
    hub.write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="expected 7be5be79"):
        trained("0.0")
    prefix = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(
        weights_module, "ALEXNET_URL", f"https://x.invalid/alexnet-owt-{prefix}.pth"
    )
    monkeypatch.setattr(weights_module, "ALEXNET_SHA256_PREFIXES", (prefix,))
    hub.rename(hub.with_name(f"alexnet-owt-{prefix}.pth"))
    assert trained("0.0").name == "lpips"


@pytest.fixture
def server(file: Path) -> Iterator[str]:
    """A real server of the weights' folder on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(file.parent))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def test_download_checks_its_hash_and_fills_the_cache(
    hub: Path, file: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    wrong = file.with_name("alexnet-owt-00000000.pth")
    wrong.write_bytes(file.read_bytes())
    monkeypatch.setattr(weights_module, "ALEXNET_URL", f"{server}/{wrong.name}")
    with pytest.raises(UserError, match=r"cannot download .*hash"):
        trained("0.0", allow_download=True)
    assert list(hub.parent.iterdir()) == []
    prefix = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    right = file.rename(file.with_name(f"alexnet-owt-{prefix}.pth"))
    monkeypatch.setattr(weights_module, "ALEXNET_URL", f"{server}/{right.name}")
    first = trained("0.0", allow_download=True)
    right.unlink()
    assert trained("0.0").sha256 == first.sha256


def test_no_network_is_a_user_error_with_a_remedy(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(
        weights_module, "ALEXNET_URL", "http://127.0.0.1:1/alexnet-owt-7be5be79.pth"
    )
    with pytest.raises(UserError, match=r"cannot download .*untrained trunk"):
        trained("0.0", allow_download=True)
    assert not hub.exists()
