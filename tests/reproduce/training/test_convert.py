"""Checkpoints of the original releases, through real files in both directions."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from reading import refusal
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_methods import draws, pictures, scattered
from torch import Tensor

from models.errors import UserError
from models.method import Method
from models.original import to_original
from reproduce.training.checkpoints import load_method
from reproduce.training.originals import export_original, import_original

SIZES: dict[str, dict[str, object]] = {
    "munit": dict(dim=2, mlp_dim=5, style_dim=3, n_res=2, n_style_downsample=4, dis_dim=2),
    "unit-release": dict(dim=2, n_res=3, n_downsample=1, dis_dim=2),
    "cyclegan": dict(dim=2, n_blocks=2, dropout=False, dis_dim=2),
    "bicyclegan": dict(dim=2, depth=5, noise_dim=4, enc_dim=2, enc_blocks=4, dis_dim=2),
}
FILES = {"cyclegan": ("G_A", "G_B"), "bicyclegan": ("G", "E")}  # a network each
SIZE = 64


def original(name: str, **settings: object) -> Any:
    return scattered(name, SIZES[name] | settings, seed=1).eval()


def network(method: Method, name: str) -> dict[str, Tensor]:
    start = name + "."
    return {k[len(start) :]: v for k, v in to_original(method).items() if k.startswith(start)}


def pair(method: Method) -> dict[str, dict[str, Tensor]]:
    return {d: network(method, f"gen_{d}") for d in "ab"}


def save(state: object, path: Path, **how: Any) -> Path:
    torch.save(state, path, **how)
    return path


def save_part(method: Method, part: str, folder: Path) -> Path:
    return save(network(method, part), folder / f"latest_net_{part}.pth")


def convert(path: Path, name: str, size: int = 256) -> Any:
    out = path.parent / "ours.safetensors"
    assert import_original(path, name, out, size) == [out]
    method, checkpoint = load_method(out)
    assert checkpoint.run.method == name and checkpoint.run.size == size
    return method


def x() -> Tensor:
    return pictures(2, SIZE, SIZE)


@torch.no_grad()
def same_translations(ours: Method, theirs: Method, *directions: str) -> None:
    noise = theirs.draw_noise(2, SIZE, SIZE, draws(3))
    for direction in directions:
        expected = theirs.translate(x(), direction, noise)  # type: ignore[arg-type]
        got = ours.translate(x(), direction, noise)  # type: ignore[arg-type]
        assert torch.equal(got, expected)


@pytest.mark.parametrize(
    ("name", "settings", "zipped"),
    [
        ("munit", {"activ": "prelu", "n_downsample": 1}, True),
        ("munit", {}, False),  # as PyTorch 0.3 wrote files
        ("unit-release", {}, True),
    ],
)
def test_munit_and_unit(tmp_path, name, settings, zipped):
    method = original(name, **settings)
    path = tmp_path / "gen_01000000.pt"
    ours = convert(save(pair(method), path, _use_new_zipfile_serialization=zipped), name)
    same_translations(ours, method, "a2b", "b2a")


@pytest.mark.parametrize(
    ("prefix", "settings"),
    [("module.", {"norm": "bn"}), ("", {"dropout": True}), ("", {"channels_b": 1, "identity": 0})],
    ids=str,
)
def test_cyclegan(tmp_path: Path, prefix: str, settings: dict[str, object]) -> None:
    method = original("cyclegan", **settings)
    states = {
        part: {prefix + k: v for k, v in network(method, part).items()}
        for part in FILES["cyclegan"]
    }
    first, second = (save(s, tmp_path / f"net_{part}.pth") for part, s in states.items())
    if "channels_b" not in settings:
        same_translations(convert(first, "cyclegan"), method, "a2b", "b2a")
    second.unlink()
    ours = convert(first, "cyclegan")
    assert ours.config.channels_b == method.config.channels_b
    same_translations(ours, method, "a2b")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(where="input"),
        dict(upsample="bilinear", norm="bn", enc_kind="conv"),
        dict(where="input", upsample="bilinear", channels_b=1, norm="bn"),
    ],
    ids=str,
)
def test_bicyclegan(tmp_path: Path, settings: dict[str, object]) -> None:
    method = original("bicyclegan", **settings)
    path = save_part(method, "G", tmp_path)
    same_translations(convert(path, "bicyclegan"), method, "a2b")
    save_part(method, "E", tmp_path)
    ours = convert(path, "bicyclegan")
    example = x()[:, : method.config.channels_b]
    with torch.no_grad():
        guided = method.translate_guided(x(), "a2b", example)
        assert torch.equal(ours.translate_guided(x(), "a2b", example), guided)


@pytest.mark.parametrize("name", SIZES)
def test_ours_are_written_as_theirs_were(tmp_path: Path, name: str) -> None:
    method = original(name)
    if name in FILES:
        source, _ = (save_part(method, part, tmp_path) for part in FILES[name])
        out, states = tmp_path / "again", {p: network(method, p) for p in FILES[name]}
        written = {out / f"latest_net_{part}.pth": state for part, state in states.items()}
    else:
        source, out = save(pair(method), tmp_path / "gen.pt"), tmp_path / "again.pt"
        written = {out: pair(method)}
    convert(source, name)
    assert set(export_original(tmp_path / "ours.safetensors", out)) == set(written)
    for path, state in written.items():
        torch.testing.assert_close(torch.load(path, weights_only=True), state, rtol=0, atol=0)
    assert not list(tmp_path.rglob("*.part"))


def refused(path: Path, name: str, *words: str, size: int = 256) -> None:
    out = path.parent / "ours.safetensors"
    text = refusal(import_original, path, name, out, size)
    assert all(word in text for word in words), text
    assert not out.exists()


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.pt", "munit", "no file")
    refused(tmp_path, "munit", "no file")
    whole = save(pair(original("munit")), tmp_path / "gen.pt").read_bytes()
    for content in (b"\xff\xd8\xff\xe0" + bytes(100), b"", whole[:-100]):
        (tmp_path / "gen.pt").write_bytes(content)
        refused(tmp_path / "gen.pt", "munit", str(tmp_path / "gen.pt"))


def test_the_wrong_method(tmp_path: Path) -> None:
    munit = save(pair(original("munit")), tmp_path / "munit.pt")
    unit = save(pair(original("unit-release")), tmp_path / "unit.pt")
    refused(munit, "unit-release", str(munit), "lacks")
    refused(unit, "munit", str(unit), "lacks")
    refused(munit, "cyclegan", str(munit), "more than named tensors")
    refused(munit, "munti", "did you mean munit?")
    cyclegan = original("cyclegan")
    path = save_part(cyclegan, "G_A", tmp_path)
    refused(path, "munit", "is not a gen_*.pt")
    refused(path, "bicyclegan", "lacks")
    refused(save(network(cyclegan, "D_A"), path), "cyclegan", "lacks G_A.model.1.weight")


def test_the_wrong_content(tmp_path: Path) -> None:
    good = pair(original("munit"))
    key = "enc_content.model.0.conv.weight"
    for state, words in (
        ([1, 2], "not a state dict"),
        ({}, "it holds []"),
        ({"a": good["a"]}, "it holds ['a']"),
        ({"a": good["a"], "b": {}}, "does not hold the state"),
        ({"a": good["a"], "b": good["b"] | {"step": 5}}, "more than named tensors"),
        ({"a": good["a"] | {key: torch.tensor(1.0)}, "b": good["b"]}, "has shape ()"),
        ({"a": good["a"] | {key: torch.zeros(0, 3, 7, 7)}, "b": good["b"]}, "has shape (0"),
        ({"a": good["a"] | {"more": torch.zeros(1)}, "b": good["b"]}, "unexpected"),
        ({"a": good["a"] | {key: torch.zeros(4, 3, 7, 7)}, "b": good["b"]}, "of another size"),
    ):
        refused(save(state, tmp_path / "gen.pt"), "munit", words)


def test_illegal_names_and_sizes(tmp_path: Path) -> None:
    path, ours = save(pair(original("munit")), tmp_path / "gen.pt"), tmp_path / "ours.safetensors"
    with pytest.raises(UserError, match=r"name the converted checkpoint \*\.safetensors"):
        import_original(path, "munit", tmp_path / "ours.pt", 256)
    refused(path, "munit", "size 250x250 is illegal", "252x252", size=250)
    refused(path, "munit", "the nearest legal size is 32x32", size=33)
    method = convert(path, "munit", size=32)  # though discriminators would not fit
    assert method.translates(32) and not method.fits(32)
    assert "name it *.pt" in refusal(export_original, ours, tmp_path / "gen.pth")
    (tmp_path / "file").touch()
    assert "cannot write" in refusal(export_original, ours, tmp_path / "file" / "gen.pt")


def test_networks_that_were_not_there_are_not_made_up(tmp_path: Path) -> None:
    method = original("cyclegan")
    ours = convert(save_part(method, "G_A", tmp_path), "cyclegan")
    with pytest.raises(UserError, match="without the weights of gen_ba"):
        ours.translate(torch.zeros(1, 3, 32, 32), "b2a")
    written = export_original(tmp_path / "ours.safetensors", tmp_path / "out")
    assert [p.name for p in written] == ["latest_net_G_A.pth"]
    with pytest.raises(UserError, match="is the b-to-a generator"):
        convert(save_part(method, "G_B", tmp_path), "cyclegan")


def test_weights_that_are_not_finite_are_refused_in_and_out(tmp_path: Path) -> None:
    method = original("munit")
    path = save(pair(method), tmp_path / "gen.pt")
    convert(path, "munit")
    with torch.no_grad():
        next(method.parameters()).fill_(torch.nan)
    save(pair(method), path)
    with pytest.raises(UserError, match=r"gen.pt has non-finite weights"):
        import_original(path, "munit", tmp_path / "bad.safetensors", 256)
    ours = tmp_path / "ours.safetensors"
    spoilt = tiny.tensors(ours)
    next(iter(spoilt.values())).fill_(torch.nan)
    with safe_open(ours, framework="pt") as file:
        save_file(spoilt, tmp_path / "spoilt.safetensors", file.metadata())
    with pytest.raises(UserError, match=r"spoilt.safetensors has non-finite weights"):
        export_original(tmp_path / "spoilt.safetensors", tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists() and not (tmp_path / "bad.safetensors").exists()
