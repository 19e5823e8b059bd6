"""Drawn pictures to translate and to train on, and the networks of a preset."""

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

# Small enough that no step diverges on pictures of noise; a step costs the same with any.
TAME = {"lr": 1e-6}
TRAIN, TEST = 400, 100  # pictures a domain: enough that no cache of a processor holds them


def pictures_of(about: Mapping[str, Any]) -> Domains:
    """The drawn pictures of ``about["task"]``, in the folder that trainings of this size share."""
    return open_task(
        about["task"], data_dir=Path(about["data"]), size=about["size"], train=TRAIN, test=TEST,
        progress=False,
    )  # fmt: skip


def network_of(about: Mapping[str, Any], ways: Iterable[str]) -> Method:
    """A network with its first weights: it costs what a trained one does."""
    config = make_config(about["method"], {**about["settings"], **TAME})
    network = make_method(about["method"], config, generator(0, "weights"))
    choose(network, ways)
    return network.to(about["device"])


def told(method: str, settings: Mapping[str, object]) -> dict[str, Any]:
    """``width``, and those of a method's complete ``settings`` that differ from its own, by which
    measurements are compared."""
    own, given = asdict(make_config(method, {})), asdict(make_config(method, settings))
    different = {k: v for k, v in sorted(given.items()) if v != own[k] and k not in TAME}
    return {"width": given["dim"], "settings": different}


def repeated(source: PictureSource, length: int) -> Subset:
    """The pictures of a source over and over, under names of their own."""
    found = Subset(source, [i % len(source) for i in range(length)])
    found.ids = [str(i) for i in range(length)]
    return found
