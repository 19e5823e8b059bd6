"""The drawn pictures and untrained networks on which costs are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.choices import choose
from models.method import Method
from models.randomness import generator
from models.zoo import make_config, make_method
from reproduce.tasks.registry import open_task
from reproduce.tasks.sources import Domains, PictureSource, Subset

# Small enough that no step diverges on noise; the cost of a step does not depend on it.
TAME = {"lr": 1e-6}
TRAIN, TEST = 400, 100  # pictures per domain: too many for a CPU cache


def pictures_of(about: Mapping[str, Any]) -> Domains:
    """Open or draw the pictures of ``about["task"]``, in the folder that trainings also use."""
    return open_task(
        about["task"], data_dir=Path(about["data"]), size=about["size"], train=TRAIN, test=TEST,
        progress=False,
    )  # fmt: skip


def network_of(about: Mapping[str, Any], ways: Iterable[str]) -> Method:
    """A network with initial weights, which costs as much as a trained one."""
    config = make_config(about["method"], {**about["settings"], **TAME})
    network = make_method(about["method"], config, generator(0, "weights"))
    choose(network, ways)
    return network.to(about["device"])


def told(method: str, settings: Mapping[str, object]) -> dict[str, Any]:
    """``width``, and the ``settings`` that differ from the method's defaults; measurements are
    compared by these."""
    own, given = asdict(make_config(method, {})), asdict(make_config(method, settings))
    different = {k: v for k, v in sorted(given.items()) if v != own[k] and k not in TAME}
    return {"width": given["dim"], "settings": different}


def repeated(source: PictureSource, length: int) -> Subset:
    """The pictures of a source, repeated up to ``length``, each with a distinct id."""
    found = Subset(source, [i % len(source) for i in range(length)])
    found.ids = [str(i) for i in range(length)]
    return found
