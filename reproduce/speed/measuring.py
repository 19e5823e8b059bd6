"""Time diversity, compared with a loop around the lpips package, and IS and CIS."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import lpips
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.metrics.diversity import diversity
from benchmarks.metrics.diversity_protocols import Protocol, get_protocol
from benchmarks.metrics.inception_score import CIS, IS
from benchmarks.metrics.lpips_features import LpipsDistance, enlarged
from benchmarks.metrics.mode_scores import mode_scores
from benchmarks.networks.mode_classifiers import ModeClassifier
from benchmarks.networks.mode_recipes import MODE_RECIPES
from benchmarks.networks.weights import LpipsWeights, trained
from models.init import initialise
from models.randomness import generator
from reproduce.speed.drawn import network_of, pictures_of, repeated
from reproduce.speed.machine import forget_peak, held, peaks, ratios, timed
from reproduce.tasks.pictures import Preparation
from reproduce.training.translate import Translation, stream

CHUNK = 10  # inputs that one implementation measures before the other does
MODES = ("1", "2", "3", "4")  # each of the paper's domains has four


def time_diversity(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """Time ``diversity`` on noise, and the package on the same pairs, in turn on chunks of inputs.
    Both use batches of ``about["batch"]`` pictures (or pairs)."""
    base = held(about["device"])
    protocol = get_protocol(about["protocol_name"])
    weights = trained(protocol.version)
    ours = LpipsDistance(weights, about["device"])
    theirs = package(weights).to(about["device"])
    forget_peak(about["device"])
    chunks = []
    for inputs in np.array_split(np.arange(about["inputs"]), -(-about["inputs"] // CHUNK)):
        drawn = noise_pictures(about["size"], protocol.samples, inputs.tolist())
        given = protocol.scaled(inputs=len(inputs)), about["batch"]
        ours_s, found = timed(partial(diversity, drawn, ours, *given), about["device"])
        theirs_s, expected = timed(partial(by_package, drawn, theirs, *given), about["device"])
        distances, apart = found.distances, float(np.abs(found.distances - expected).max())
        chunks.append((ours_s, theirs_s, apart, float(distances.sum()), distances.size))
        tick()
    seconds, package_s, furthest, total, pairs = map(list, zip(*chunks, strict=True))
    return {
        "seconds": sum(seconds), "package_seconds": sum(package_s),
        "ratio": ratios(seconds, package_s), "furthest": max(furthest),
        "mean": sum(total) / sum(pairs), "pairs": sum(pairs),
        **peaks(base, about["device"]),
    }  # fmt: skip


def noise_pictures(size: int, samples: int, inputs: Sequence[int]) -> list[Translation]:
    """Noise in the form of a stream of translations, drawn in advance so that it is not timed."""
    found = list[Translation]()
    for i in inputs:
        drawn = torch.rand((samples, 3, size, size), generator=generator(0, "pictures", i))
        found += [(str(i).zfill(6), k, picture) for k, picture in enumerate(drawn * 2 - 1)]
    return found


def package(weights: LpipsWeights) -> lpips.LPIPS:
    """The lpips package's network with these weights."""
    with warnings.catch_warnings():  # it uses a deprecated argument of torchvision
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        found = lpips.LPIPS(
            net="alex", version=weights.version, pnet_rand=True, pretrained=False, verbose=False
        )
    state = found.state_dict()
    for name in state:
        if name.startswith("net."):
            state[name] = weights.trunk["features." + name.split(".", 2)[2]]
    for k, channels in enumerate(weights.channels):
        names = f"lin{k}.model.1.weight", f"lins.{k}.model.1.weight"
        state |= dict.fromkeys(names, channels.view(1, -1, 1, 1))
    found.load_state_dict(state)
    return found.requires_grad_(False).eval()


@torch.no_grad()
def by_package(
    pictures: Iterable[Translation], network: lpips.LPIPS, protocol: Protocol,
    batch: int,
) -> NDArray[np.float32]:  # fmt: skip
    """Distances (inputs, pairs), computed pair by pair, as scripts around the package do."""
    device, rows = next(network.parameters()).device, []
    for _, of_input in groupby(pictures, itemgetter(0)):
        stacked = enlarged(torch.stack([picture for _, _, picture in of_input]))
        parts = [
            network(stacked[some[:, 0]].to(device), stacked[some[:, 1]].to(device)).flatten()
            for some in torch.split(protocol.pairs(), batch)
        ]
        rows.append(torch.cat(parts).cpu().numpy())
    return np.stack(rows)


def time_modes(about: Mapping[str, Any], tick: Callable[[], None]) -> dict[str, Any]:
    """Time IS and CIS of ``inputs`` x ``samples`` translations, including translating, and measure
    memory; before that, the same with a tenth of the samples, which should take as much memory."""
    base = held(about["device"])
    source = repeated(pictures_of(about).test_a, about["inputs"])
    network = network_of(about, about["ways"]).eval()
    judge = untaught(about["size"]).to(about["device"])
    points = []
    for samples in dict.fromkeys((max(2, about["samples"] // 10), about["samples"])):
        forget_peak(about["device"])
        begin = time.perf_counter()
        pictures = stream(
            network, source, Preparation(about["size"]).at_test(), samples=samples, batch_size=64
        )
        scores = mode_scores(_ticked(pictures, tick, samples), judge, MODES)
        measurements = {m.name: m.value for m in scores.measurements(0)}
        points.append({
            "pictures": about["inputs"] * samples, "seconds": time.perf_counter() - begin,
            **peaks(base, about["device"]),
        })  # fmt: skip
    last = {"seconds": points[-1]["seconds"], "above_bytes": points[-1]["above_bytes"]}
    return {"points": points, **last, "is": measurements[IS.name], "cis": measurements[CIS.name]}


def untaught(size: int) -> ModeClassifier:
    """A classifier of drawn pictures with initial weights, which costs as much as a trained one."""
    recipe = MODE_RECIPES["small-drawn"]
    network = recipe.network(len(MODES))
    initialise(network, "kaiming", generator(0, "classifier"))
    return ModeClassifier(recipe, MODES, (size, size), network, 1.0, 1.0, True, {})


def _ticked(
    pictures: Iterator[Translation], tick: Callable[[], None], samples: int
) -> Iterator[Translation]:
    for name, k, picture in pictures:
        yield name, k, picture
        if k == samples - 1:
            tick()
