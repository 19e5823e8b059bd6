"""``python -m benchmarks diversity|modes|fidelity|quality|lpips``: others' numbers of the same pictures."""

import csv
import io
import json
import shlex
import shutil
import sys
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
import torch_fidelity
from outputs_case import LAYOUTS, Pixels, each, pixels_of, save
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torch_fidelity.metric_isc import isc_features_to_metric
from untrained import untrained

from benchmarks.__main__ import main
from benchmarks.harness.published import published_table1, published_table2
from benchmarks.metrics.diversity import DiversityResult
from benchmarks.metrics.inception_score import per_input
from benchmarks.metrics.mode_scores import load_mode_scores
from benchmarks.networks.weights import Version, trained


@pytest.fixture
def printed(capfd):
    """A function: run a command, and get what it prints."""

    def run(*words: object) -> str:
        capfd.readouterr()
        assert main([*map(str, words), "--no-progress"]) == 0
        return capfd.readouterr().out

    return run


@pytest.fixture
def measured(printed):
    """A function: run a command, and get its numbers by name."""
    return lambda *words: {
        m["metric"]: m for m in json.loads(printed(*words, "--json"))["measured"]
    }


def reference(version: Version) -> lpips.LPIPS:
    """The lpips package's own network, with its channel weights, around the shipped trunk."""
    net = lpips.LPIPS(net="alex", version=version, pnet_rand=True, verbose=False)
    shipped = trained("0.0").trunk
    trunk = {n: shipped["features." + n.split(".", 1)[1]] for n in net.net.state_dict()}
    net.net.load_state_dict(trunk, strict=True)
    return net


@torch.inference_mode()
def package_diversity(pixels: Pixels, version: Version, pairs: list[tuple[int, int]]) -> float:
    """The lpips package's own loop over the pairs of each input."""
    network = reference(version)
    distances = [
        float(network(lpips.im2tensor(of_input[i]), lpips.im2tensor(of_input[j])))
        for of_input in pixels for i, j in pairs
    ]  # fmt: skip
    return float(np.mean(distances))


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
@pytest.mark.parametrize(
    ("version", "protocol", "pairs"),
    [
        ("0.0", "paper", [(0, 1), (2, 3)]),
        ("0.0", "consecutive", [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ("0.1", "all-pairs", [(i, j) for i in range(5) for j in range(i + 1, 5)]),
    ],
)
def test_diversity_is_the_lpips_packages(version, protocol, pairs, tmp_path, measured, printed):
    pixels = pixels_of(3, 5, (64, 64))
    (folder,) = LAYOUTS["flat"](tmp_path / "out", pixels)
    raw = tmp_path / "raw.npz"
    words = "diversity", folder, "--protocol", protocol, "--lpips", version, "--raw", raw
    found = measured(*words)["diversity-lpips"]
    assert found["value"] == pytest.approx(package_diversity(pixels, version, pairs), abs=1e-6)
    assert found["interval"]["low"] < found["value"] < found["interval"]["high"]
    assert DiversityResult.load(raw).value == found["value"]
    if protocol == "paper":
        rows = list(csv.DictReader(io.StringIO(printed("diversity", folder, "--csv"))))
        assert [row["metric"] for row in rows] == ["diversity-lpips"]
        assert float(rows[0]["value"]) == pytest.approx(found["value"], rel=1e-8)
        assert rows[0]["protocol"] == "paper-min64@3x2"


def test_it_says_what_it_understood_how_it_measured_and_what_the_paper_has(tmp_path, printed):
    (path,) = LAYOUTS[".npy"](tmp_path / "small", pixels_of(4, 7, (8, 8)))
    told = printed("diversity", path)
    assert told.startswith("4 inputs x 7 samples, 8x8, an array of uint8\n")
    assert "protocol: paper-min64@4x3\n" in told and "not the paper's protocol" in told
    assert "LPIPS 0.0 (0.0, used by the MUNIT paper" in told and "edges2shoes" not in told
    # Equal pictures are one to the network.
    whole = pixels_of(2, 1, (8, 8)).repeat(38, axis=1).repeat(50, axis=0)
    (path,) = LAYOUTS[".npy"](tmp_path / "whole", whole)
    told = printed("diversity", path)
    assert "protocol: paper-min64\n" in told
    munit = published_table1()["edges2shoes", "MUNIT"][1]
    assert "edges2shoes: UNIT 0.011, " in told and f"MUNIT {munit:.3f}" in told
    assert "edges2shoes" not in printed("diversity", path, "--lpips", "0.1")


def test_jpegs_are_measured_where_that_is_asked_for(tmp_path, measured):
    pixels = pixels_of()
    (out,) = each(lambda i, k: f"in{i}_{k}.jpg")(tmp_path / "out", pixels)
    lossy = measured("diversity", out, "--lossy")["diversity-lpips"]["value"]
    (path,) = LAYOUTS[".npy"](tmp_path / "a", pixels)
    exact = measured("diversity", path)["diversity-lpips"]["value"]
    assert abs(lossy - exact) > 1e-3


def classify(pictures: Tensor) -> Tensor:
    """A classifier of three modes: which colour is most."""
    return pictures.double().mean((2, 3)).mul(9).softmax(1)


class _Logits(torch.nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.double().mean((2, 3)).mul(9)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_is_and_cis_by_any_classifier(tmp_path, measured):
    pixels = pixels_of(6, 5)
    (path,) = LAYOUTS[".npy"](tmp_path / "a", pixels)
    p = classify(torch.from_numpy(pixels).flatten(0, 1).movedim(-1, 1) / 127.5 - 1)
    rows = p.double().reshape(6, 5, 3).numpy()
    np.save(tmp_path / "p.npy", rows)
    torch.jit.script(_Logits()).save(tmp_path / "net.pt")
    raw = tmp_path / "raw.npz"
    every = [
        measured(
            "modes", path, "--classifier", f"{__name__}:classify", "--raw", raw, "--modes", *"rgb"
        ),
        measured("modes", path, "--classifier", tmp_path / "net.pt", "--logits"),
        measured("modes", "--probabilities", tmp_path / "p.npy"),
    ]
    assert [*every[0]["is"]["protocol"]["modes"]] == [*"rgb"]
    # torch-fidelity's score of the same probabilities, in one split.
    kept = load_mode_scores(raw).probabilities
    np.testing.assert_allclose(kept, rows, atol=1e-7)  # a batch at a time, in float32
    for found, same in zip(every, (kept, rows, rows), strict=True):
        flat = torch.from_numpy(same.reshape(-1, 3))
        isc = isc_features_to_metric(flat.log(), splits=1, shuffle=False)
        assert found["exp-is"]["value"] == pytest.approx(isc["inception_score_mean"], abs=1e-6)
        assert found["is"]["value"] == pytest.approx(per_input(same).scores()[0], abs=1e-6)
        assert found["cis"]["value"] == pytest.approx(per_input(same).scores()[1], abs=1e-6)


def test_the_papers_scores_are_shown_at_its_numbers(tmp_path, printed):
    p = np.random.default_rng(0).dirichlet(np.ones(4), (100, 100))
    np.save(tmp_path / "p.npy", p)
    told = printed("modes", "--probabilities", tmp_path / "p.npy", "--modes", *"abcd")
    cis, _ = published_table2()["house cats -> big cats", "MUNIT"]
    assert "house cats -> big cats: " in told and f"MUNIT {cis:.3f}" in told
    np.save(tmp_path / "p.npy", p[:, :99])
    told = printed("modes", "--probabilities", tmp_path / "p.npy")
    assert "house cats" not in told and "100 inputs, 100 samples of each" in told


MODULES = {
    "leaves": "import sys; sys.exit(3)",
    "late": """
import torch
def f(x):
    if len(x) > 2: raise KeyError("late")
    return torch.ones(len(x), 3) / 3
def grows(x): return torch.ones(len(x), len(x)) / len(x)
""",
}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--classifier", "none.pt"], "none.pt: no such file"),
        (["--classifier", "TEXT"], "is not a TorchScript file"),
        (["--classifier", "nothing:here"], "nothing:here cannot be imported"),
        (["--classifier", "math:sqrt"], "math:sqrt fails on pictures (2, 3, 16, 24)"),
        (["--classifier", "torch:mean"], "torch:mean returns () for 2 pictures"),
        (["--classifier", "leaves:f"], "leaves:f cannot be imported (SystemExit 3)"),
        (["--classifier", "late:f"], "late:f fails on pictures (24, 3, 16, 24) (KeyError 'late')"),
        (["--classifier", "late:grows"], "late:grows gives (24, 24) for 24 pictures of 2 modes"),
        (["--classifier", f"{__name__}:classify", "--modes", "a", "b", "b"], "--modes names 2"),
        (["--classifier", "c.safetensors", "--modes", "a", "b"], "c.safetensors defines its modes"),
    ],
)  # fmt: skip
def test_classifiers_that_do_not_fit(words, message, tmp_path, monkeypatch, refused):
    (path,) = LAYOUTS[".npy"](tmp_path / "a", pixels_of())
    (tmp_path / "TEXT").write_text("no network")
    for name, code in MODULES.items():
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    words = [str(tmp_path / word) if word == "TEXT" else word for word in words]
    assert message in refused("modes", path, *words)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((4, 3)) / 3, "save one array (inputs, samples, K)"),
        (np.full((4, 2, 2), 0.5 + 0j), "holds complex128"),
        (np.array([[[None]]]), "is no array of numbers"),
        (b"PK\3\4" + bytes(100), "is no array of numbers"),
    ],
)
def test_probabilities_that_do_not_fit(array, message, tmp_path, refused):
    if isinstance(array, bytes):
        (tmp_path / "p.npy").write_bytes(array)
    else:
        np.save(tmp_path / "p.npy", array, allow_pickle=True)
    assert message in refused("modes", "--probabilities", tmp_path / "p.npy")


def test_what_is_about_pictures_is_not_for_probabilities(tmp_path, refused):
    np.save(tmp_path / "p.npy", np.ones((4, 2, 2)) / 2)
    for option, *value in (["--inputs", 2], ["--lossy"], ["--device", "cuda"]):
        told = refused("modes", "--probabilities", tmp_path / "p.npy", option, *value)
        assert f"{option} does not apply to --probabilities" in told


def test_a_place_for_raw_values_is_asked_before_anything_is_measured(tmp_path, refused):
    (folder,) = LAYOUTS["flat"](tmp_path / "out", pixels_of())
    (tmp_path / "a.npz").mkdir()
    for raw, message in (
        (folder / "in0_0.png" / "raw.npz", "(Not a directory)"), (tmp_path / "a.npz", "is a folder"),
    ):  # fmt: skip
        assert message in refused("diversity", folder, "--raw", raw)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "out"]


def test_fidelity_is_torch_fidelitys(tmp_path, measured, refused):
    name, saved = "small-resnet-2", tmp_path / "classifier.safetensors"
    untrained({"pattern": ("p", "q")}).save(saved)
    (fake,) = LAYOUTS["flat"](tmp_path / "fake", pixels_of(20, 5, (32, 32)))
    (real,) = LAYOUTS["flat"](tmp_path / "real", pixels_of(30, 4, (32, 32), seed=1) // 2)
    found = measured("fidelity", fake, "--real", real, "--classifier", saved)
    expected = torch_fidelity.calculate_metrics(
        input1=str(fake), input2=str(real), feature_extractor=name,
        feature_extractor_weights_path=str(saved), fid=True, kid=True, prc=True,
        kid_subsets=1, kid_subset_size=100, cuda=False, cache=False, save_cpu_ram=True,
        verbose=False,
    )  # fmt: skip
    fid = found[f"fid-{name}"]
    assert fid["value"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-6, abs=1e-6)
    assert fid["protocol"]["protocol"] == "20x5-vs-120" and fid["value"] > 0.01
    assert found[f"precision-{name}"]["value"] == expected["precision"]
    assert found[f"recall-{name}"]["value"] == expected["recall"]
    kid = expected["kernel_inception_distance_mean"]
    assert found[f"kid-{name}"]["value"] == pytest.approx(kid, rel=1e-4)
    (large,) = LAYOUTS["flat"](tmp_path / "large", pixels_of(20, 5, (64, 64)))
    words = "fidelity", fake, "--real", large, "--classifier", saved
    assert "resize them to the same size" in refused(*words)


@pytest.fixture
def judging(tmp_path: Path) -> dict[str, Path]:
    """Photos of four colours: outputs of the right one, and of another input's."""
    draws = np.random.default_rng(0)
    colours = draws.integers(0, 256, (4, 1, 1, 3))

    def near(colour: np.ndarray) -> np.ndarray:
        noise = draws.integers(-20, 21, (64, 64, 3))
        return np.clip(colour + noise, 0, 255).astype(np.uint8)

    for i in range(4):
        save(tmp_path / "testA" / f"in{i}.png", near(255 - colours[i]))
        for k in range(3):
            save(tmp_path / "good" / f"in{i}_{k}.png", near(colours[i]))
            save(tmp_path / "bad" / f"in{i}_{k}.png", near(colours[(i + 1) % 4]))
            save(tmp_path / "trainA" / f"t{i}{k}.png", near(255 - colours[i]))
            save(tmp_path / "trainB" / f"t{i}{k}.png", near(colours[i]))
    return {path.name: path for path in tmp_path.iterdir()}


def quality(judging: dict[str, Path], own: str, other: str, *more: object) -> list[object]:
    return [
        "quality", judging[own], "--against", judging[other], "--inputs", judging["testA"], *more
    ]  # fmt: skip


def test_a_judge_prefers_what_is_like_the_right_photos(judging, monkeypatch, measured):
    monkeypatch.setattr("benchmarks.harness.judging.RIGHT", 3)
    photos = "--train-inputs", judging["trainA"], "--train-photos", judging["trainB"]
    good = measured(*quality(judging, "good", "bad", *photos))
    bad = measured(*quality(judging, "bad", "good", *photos))
    assert good["quality-judged"]["value"] == 100 and bad["quality-judged"]["value"] == 0
    assert good["photo-distance"]["value"] < bad["photo-distance"]["value"]


def test_numbers_of_quality_need_photos(judging, refused):
    for more in (["--raw", judging["good"].with_name("raw.npz")], ["--json"], ["--csv"]):
        told = refused(*quality(judging, "good", "bad", *more))
        assert f"{more[0]} needs --train-photos" in told


def test_the_command_that_asks_people_runs(judging, tmp_path, monkeypatch, printed):
    monkeypatch.chdir(tmp_path)
    good = judging["good"].rename(tmp_path / "it's good")
    paths = [judging["bad"] / f"in{i}_{k}.png" for i in range(4) for k in range(3)]
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    for name in ("floats", "own"):
        np.save(f"{name}.npy", pixels.reshape(4, 3, 64, 64, 3) / 255)
    for own, other, *more in (
        ("own.npy", "floats.npy", "--range", 0, 1, "--against-range", 0, 1),
        (good, judging["bad"], "--pattern={input}_{sample}.png",
         "--against-pattern={input}_{sample}.png"),
    ):  # fmt: skip
        words = quality(judging | {"own": Path(own), "other": Path(other)}, "own", "other", *more)
        told = printed(*words)
        line = next(line for line in told.splitlines() if "study prepare" in line)
        python, _, _, *asked = shlex.split(line)
        assert python == "python" and main([*asked, "--questions", "8", "--per-rater", "5"]) == 0
        shutil.rmtree("study")


def test_outputs_and_their_rivals_are_read_each_in_its_way(judging, measured, refused):
    for path in judging["bad"].iterdir():
        path.rename(path.with_name(path.name.replace("_", "-")))
    words = quality(judging, "good", "bad", "--train-photos", judging["trainB"])
    assert "does not name its input and sample" in refused(*words)
    words += ["--against-pattern", "{input}-{sample}.png"]
    assert "quality-judged" in measured(*words)


def test_more_words_that_do_not_fit(judging, refused):
    good = judging["good"]
    assert "unknown device 'tpu9'" in refused("diversity", good, "--device", "tpu9")
    error = refused("diversity", good, "--device", "mps")
    assert "no float64" in error and "use --device cpu" in error
    for more, told in (
        (["--train-inputs", judging["trainA"]], "needs --train-photos"),
        (["--samples", 4], "4 samples per input requested"),
    ):
        assert told in refused(*quality(judging, "good", "bad", *more))
    (judging["bad"] / "in0_0.png").unlink()
    assert "lacks sample 0" in refused(*quality(judging, "good", "bad"))
    (judging["trainB"] / "t00.png").unlink()
    photos = "--train-inputs", judging["trainA"], "--train-photos", judging["trainB"]
    assert "no photo of training input 't00'" in refused(*quality(judging, "good", "good", *photos))
    assert "give OUTPUTS and a --classifier" in refused("modes", "--classifier", "math:sqrt")


# Two pictures


def picture(folder: Path, name: str, seed: int, size: tuple[int, int] = (64, 64)) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


@pytest.fixture
def distance(capfd):
    """A function: the distance of two files, and what is noted."""

    def run(*words: object) -> tuple[float, str]:
        assert main(["lpips", *map(str, words)]) == 0
        told = capfd.readouterr()
        return float(told.out), told.err

    return run


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
@pytest.mark.parametrize(
    ("version", "size", "measured"), [("0.1", (65, 90), (65, 90)), ("0.0", (40, 72), (64, 115))]
)
def test_the_distance_is_the_lpips_packages(version, size, measured, tmp_path, distance):
    paths = [picture(tmp_path, f"{seed}.png", seed, size) for seed in (1, 2)]
    x, y = (
        # At its own size, interpolation changes nothing.
        interpolate(lpips.im2tensor(np.asarray(Image.open(path))), measured, mode="bilinear")
        for path in paths
    )
    value, notes = distance(*paths, "--version", version)
    assert value == pytest.approx(float(reference(version)(x, y).detach()), abs=1e-6)
    assert notes == ("" if version == "0.1" else "note: enlarged from 72x40 to 115x64\n")
    if version == "0.1":
        assert distance(*paths)[0] == value


def test_jpeg_is_noted(tmp_path, distance):
    png, jpeg = picture(tmp_path, "1.png", 1), picture(tmp_path, "1.jpg", 1)
    value, notes = distance(png, jpeg)
    assert value > 0.001 and notes.startswith("note: JPEG") and notes.count("\n") == 1


def test_grey_is_rgb_and_transparency_lies_on_white(tmp_path, distance):
    grey = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    alpha, white = np.full_like(grey, 255), grey.copy()
    alpha[:20], white[:20] = 0, 255
    for one, other in ((grey, np.dstack([grey] * 3)), (np.dstack([grey, alpha]), white)):
        for name, pixels in (("1.png", one), ("2.png", other)):
            Image.fromarray(pixels).save(tmp_path / name)
        assert distance(tmp_path / "1.png", tmp_path / "2.png") == (0, "")


def test_wrong_files_are_refused(tmp_path, refused_by):
    whole = picture(tmp_path, "whole.png", 1)
    large = picture(tmp_path, "large.png", 1, (65, 65))
    tiny = picture(tmp_path, "tiny.png", 1, (7, 7))
    deep = tmp_path / "deep.png"
    Image.fromarray(np.zeros((64, 64), np.uint16)).save(deep)
    for pair, reason in (
        ((whole, large), "whole.png is 64x64 and"),
        ((tiny, tiny), "7x7 are too small"),
        ((whole, tmp_path / "none.png"), "none.png is no picture that can be read (No such file"),
        ((deep, whole), "deep.png has pixels of more than 8 bits"),
    ):
        assert reason in refused_by(main, ["lpips", *pair])
