"""Pictures to features: the same numbers in any batch and order, and hostile weights refused."""

import hashlib
import weakref

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from untrained import untrained

from benchmarks.networks import extractors
from benchmarks.networks.extractors import classifier_extractor, extract, inception_extractor
from benchmarks.pictures import to_bytes
from models.errors import UserError
from reproduce.tasks.pictures import to_image, to_tensor

HEADS = {"category": ("a", "b"), "pattern": ("p", "q", "r")}


def pictures(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=draws)
    return torch.nn.functional.interpolate(coarse, size=(size, size)) * 2 - 1


def as_stream(batch: torch.Tensor):
    return [(f"{i:03d}", 0, picture) for i, picture in enumerate(batch)]


def test_bytes_are_those_of_a_saved_picture():
    batch = pictures(4)
    batch[0, :, :2] = torch.tensor([-1.0, 1.0]).view(1, 2, 1)
    for picture, pixels in zip(batch, to_bytes(batch), strict=True):
        saved = to_tensor(to_image(picture))
        assert torch.equal(pixels.float() / 127.5 - 1, saved)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), r"features need \[-1, 1\]"),
        (1.01, r"features need \[-1, 1\]"),
        (-1.01, r"features need \[-1, 1\]"),
        (1, "features need real numbers"),
    ],
)
def test_numbers_that_are_no_pictures_are_refused(value, told):
    with pytest.raises(UserError, match=told):
        to_bytes(torch.full((2, 3, 8, 8), value))


def test_neither_batch_size_nor_order_matters():
    extractor = classifier_extractor(untrained(HEADS))
    stream = as_stream(pictures(10))
    whole = extract(stream, extractor)
    assert (whole.values.shape, whole.size) == ((10, 64), (32, 32))
    assert whole.values.std(dim=0).gt(0).any()
    other = extract(stream[::-1], extractor, 3)
    assert other.keys == whole.keys
    assert torch.allclose(other.values, whole.values, atol=1e-5)


def test_no_more_pictures_are_held_than_a_batch():
    extractor = classifier_extractor(untrained(HEADS))
    alive: list[int] = []

    def stream():
        refs = []
        for i in range(12):
            picture = pictures(1, seed=i)[0]
            refs.append(weakref.ref(picture))
            yield f"{i}", 0, picture
            del picture
            alive.append(sum(ref() is not None for ref in refs))

    extract(stream(), extractor, 4)
    assert max(alive) <= 4


@pytest.fixture(scope="module")
def inception_state() -> dict[str, torch.Tensor]:
    """Weights of the right shapes, drawn from a seed, of a size that keeps activations alive."""
    with torch.device("meta"):
        shapes = extractors._inception(extractors._Shapes, {}).state_dict()
    draws = torch.Generator().manual_seed(0)
    state = {}
    for name, like in shapes.items():
        if name.endswith("num_batches_tracked"):
            continue  # as in the published file
        fan_in = max(1, like[0].numel()) if like.ndim > 1 else 1
        value = torch.randn(like.shape, generator=draws) * (2 / fan_in) ** 0.5
        state[name] = value if like.ndim > 1 else value.abs() * 0.1 + 0.9
    return state


def test_inception_is_torch_fidelitys(inception_state, tmp_path):
    path = tmp_path / "inception.pth"
    torch.save(inception_state, path)
    extractor = inception_extractor(path)
    assert extractor.name == "inception-v3-unverified"  # not the published numbers
    batch = to_bytes(pictures(1, 40))
    own = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    )
    (expected,) = own(batch)
    assert expected.shape == (1, 2048) and expected.std() > 1e-3
    assert torch.equal(extractor.features(batch), expected)


def test_missing_inception_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"allow the download, pass torch-fidelity's weights-inc"):
        inception_extractor()
    with pytest.raises(UserError, match="no such file: pass torch-fidelity's"):
        inception_extractor(tmp_path / "absent.pth")


def test_foreign_files_are_refused(tmp_path, inception_state):
    bad = tmp_path / "bad.pth"
    # One stored number, expanded: a small file with a tensor of any shape.
    one = torch.ones(1)
    small = {name: one.expand(value.shape) for name, value in inception_state.items()}
    torch.save(small | {"fc.bias": one.expand(7)}, bad)
    assert bad.stat().st_size < 2**20
    digest, shape = hashlib.sha256(bad.read_bytes()).hexdigest(), r"fc.bias is \(7,\), torch-fid"
    for expected, told in (
        (None, shape), (digest[:12], shape), ("0123456789", "expected 0123456789: delete the file"),
        (digest[:7], "or mend the expected hash"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=told):
            inception_extractor(bad, expected)
