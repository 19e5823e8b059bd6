"""Measure on test pictures whether a trained run's codes have the properties that theory predicts.

Styles are measured for methods with a style encoder (MUNIT) or latent encoder (BicycleGAN), and
contents for methods that encode both domains into one content space (MUNIT) or latent space (UNIT).
CycleGAN has neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.files import save_arrays
from benchmarks.metric import Metric
from benchmarks.metrics.theory import contents, styles
from benchmarks.metrics.theory.codes import describe, joined
from benchmarks.metrics.theory.kernels import Scored
from models.bicyclegan import Bicyclegan
from models.method import Method
from models.munit import Munit
from models.randomness import generator
from models.unit import Unit
from models.zoo import recipe
from reproduce.experiments.run import RunConfig
from reproduce.measuring.kind import Looking, Made, OneByOne, Wanted
from reproduce.measuring.subject import Subject
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import Domains, PictureSource, Subset
from reproduce.training.translate import shown_to

MOST = 500  # test pictures per domain: the number of comparisons is quadratic in it
BATCH = 50
STYLES, CONTENTS = "styles", "contents"


@dataclass(frozen=True)
class Part:
    """The scores of one kind of codes, and the raw values behind them."""

    scored: list[Scored]
    arrays: Mapping[str, NDArray[Any]]
    ids: Mapping[str, list[str]]  # by domain


def encoded_by(method: str) -> dict[str, str]:
    """Return what a method encodes: "styles" or "contents" -> the domains."""
    of = recipe(method).method
    if issubclass(of, Munit):
        return {STYLES: "ab", CONTENTS: "ab"}
    if issubclass(of, Bicyclegan):
        return {STYLES: "b"}
    return {CONTENTS: "ab"} if issubclass(of, Unit) else {}


class CodesKind(OneByOne):
    """Scores of the styles and contents that a run's networks encode from the test pictures."""

    name = "theory"
    metrics = frozenset(metric.name for metric in (*styles.METRICS, *contents.METRICS))

    def wanted(self, subject: Subject) -> Wanted:
        if subject.real:
            return {}
        domains = self.pictures.domains
        count, paired = len(_chosen(domains, "a")), is_paired(domains)
        return {
            metric.name: {"protocol__protocol": f"{kind}@{count}"}
            for kind in encoded_by(subject.run.method)
            for metric in metrics_of(kind, paired)
        }

    def look(self, subject: Subject) -> Looking:
        return Looking(partial(self._made, subject))

    def _made(self, subject: Subject) -> list[Made]:
        made = list[Made]()
        for kind in encoded_by(subject.run.method):
            part = scores_of(kind, subject.method, subject.run, self.pictures.domains)
            about = {"kind": kind, "ids": dict(part.ids)}
            save = partial(save_arrays, meta=about, arrays=part.arrays)
            raw = self.raw_name(f"theory-{kind}", subject), save
            made += [Made(scored.as_dict(), raw) for scored in part.scored]
        return made


def scores_of(kind: str, method: Method, run: RunConfig, domains: Domains) -> Part:
    """Score the "styles" or "contents" that ``method`` encodes from the test pictures."""
    shown = {domain: _chosen(domains, domain) for domain in encoded_by(run.method)[kind]}
    ids = {domain: list(source.ids) for domain, source in shown.items()}
    about: Any = {"paired": is_paired(domains), "seed": run.seed}
    if kind == STYLES:
        found = {
            d: np.concatenate(
                [_styles(method, x, d, ids, run.seed) for ids, x in _batches(of, run)]
            )
            for d, of in shown.items()
        }
        return Part(styles.style_scores(found, **about), found, ids)
    (code_a, pixels_a), (code_b, pixels_b) = (
        [
            joined([describe(encode(x, d)) for _, x in _batches(shown[d], run)])
            for encode in (partial(_contents, method), lambda x, d: x)
        ]
        for d in "ab"
    )
    result = contents.content_scores(code_a, code_b, (pixels_a, pixels_b), **about)
    return Part(result.scored, result.arrays, ids)


def is_paired(domains: Domains) -> bool:
    """Return whether test pictures with equal names share content: only if the task has pairs."""
    return domains.pairs is not None and domains.paired_test


def metrics_of(kind: str, paired: bool) -> tuple[Metric, ...]:
    """Return the metrics of "styles" or "contents"."""
    if kind == STYLES:
        return styles.METRICS
    return tuple(m for m in contents.METRICS if paired or m not in contents.OF_PAIRS)


def _chosen(domains: Domains, domain: str) -> PictureSource:
    """Choose equally many test pictures of both domains, at most ``MOST``, evenly spaced."""
    count = min(len(domains.test_a), len(domains.test_b), MOST)
    source = domains.test_a if domain == "a" else domains.test_b
    return Subset(source, [i * len(source) // count for i in range(count)])


def _batches(source: PictureSource, run: RunConfig) -> Iterator[tuple[list[str], Tensor]]:
    """Yield names and pictures (N, 3, H, W) in [-1, 1]."""
    fixed = Preparation(run.size).at_test()
    for first in range(0, len(source), BATCH):
        index = range(first, min(first + BATCH, len(source)))
        yield [source.ids[i] for i in index], torch.stack([fixed(source.read(i)) for i in index])


@torch.no_grad()
def _styles(
    method: Method, x: Tensor, domain: str, names: list[str], seed: int
) -> NDArray[np.float32]:
    """Encode styles (N, D). BicycleGAN encodes distributions q(z|x), from which styles are drawn,
    since its KL term pulls the mixture of these distributions to N(0, I)."""
    x = shown_to(method, x, domain)
    if isinstance(method, Munit):
        found = (method.gen_a if domain == "a" else method.gen_b).style(x)
    else:
        assert isinstance(method, Bicyclegan)
        mean, logvar = method.encoder(x)
        draws = [
            torch.randn(mean.shape[1], generator=generator(seed, "theory", domain, name))
            for name in names
        ]
        found = mean + (0.5 * logvar).exp() * torch.stack(draws).to(mean)
    return np.asarray(found.float().cpu().numpy())


@torch.no_grad()
def _contents(method: Method, x: Tensor, domain: str) -> Tensor:
    """Encode contents (N, C, h, w); UNIT's latent codes without their noise, as in translation."""
    x = shown_to(method, x, domain)
    if isinstance(method, Munit):
        return (method.gen_a if domain == "a" else method.gen_b).content(x)
    assert isinstance(method, Unit)
    return method.encode(x, domain)
