"""The list of claims: what the papers printed satisfies it, and its margins are the papers'."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.harness.published import published_table1, published_table2
from reproduce.analysis.claims.statements import (
    COMPARABLE_FACTOR,
    COMPARABLE_POINTS,
    NEAR_IS,
    NEAR_ZERO,
    claims,
)
from reproduce.analysis.claims.table import stem
from reproduce.experiments.preset import load_preset


@pytest.mark.parametrize("preset", ["quick", "cpu", "paper"])
def test_the_papers_numbers_satisfy_the_papers_claims(preset: str) -> None:
    stated = claims(load_preset(preset))
    assert len({claim.id for claim in stated}) == len(stated) >= 20
    assert len({(stem(claim), claim.id.count(".")) for claim in stated}) == 22 + 8 + 3
    printed = 0
    for claim in stated:
        for part in claim.parts:
            number = part.published()
            if claim.id.startswith("theory") or (preset == "paper" and number is None):
                continue
            assert number is not None and claim.low < number < claim.high, (claim.id, number)
            printed += 1
    assert printed > 20


def test_statistics_of_the_published_numbers() -> None:
    by_id = {claim.id: claim.parts for claim in claims(load_preset("cpu"))}
    (part,) = by_id["diversity.above-unit.drawn-shoes"]
    assert part.published() == pytest.approx(0.109 - 0.011)
    (part,) = by_id["diversity.near-zero-unit.drawn-handbags"]
    assert part.published() == pytest.approx(0.023 / 0.175)
    (part,) = by_id["quality.munit-wo-c.drawn-handbags"]
    assert part.published() == 9.3
    assert len(by_id["diversity.real.drawn-shoes"]) == 8
    (part,) = by_id["modes.cis-near-is"]
    directions = [(0.911, 0.923), (0.956, 0.954), (1.231, 1.255), (1.035, 1.034), (1.205, 1.233),
                  (0.897, 0.901)]  # fmt: skip
    assert part.published() == pytest.approx(sum(c / i for c, i in directions) / 6)


def test_ranks_are_spearmans_of_all_rows_beside_the_papers() -> None:
    by_id = {claim.id: claim for claim in claims(load_preset("cpu"))}
    claim = by_id["quality.ranks.drawn-shoes"]
    (part,) = claim.parts
    ours = {q: float(rank) for rank, q in enumerate(part.quantities)}
    assert len(ours) == 7 and part.published() == 1.0
    paper = [37.4, 36.0, 29.5, 6.0, 20.7, 28.6, 50.0, 56.7]
    of = [*range(6), 50.0, 6.0]  # what MUNIT scored against itself does not count
    assert part.at(ours) == pytest.approx(stats.spearmanr(of, paper).statistic)
    assert part.at(dict.fromkeys(ours, 50.0)) == 0.0
    # Of eight rows, one random order in twenty or so is as near.
    chance = np.random.default_rng(0)
    random = [part.at({q: 100 * chance.random() for q in ours}) for _ in range(1000)]
    assert 0.03 < np.mean(np.array(random) > claim.low) < 0.09


def test_margins_come_from_the_published_file() -> None:
    rows = published_table1()
    ratios, points, small = [], [], []
    for task in ("edges2shoes", "edges2handbags"):
        munit = rows[task, "MUNIT"][1]
        quality, diversity = rows[task, "BicycleGAN (paired)"]
        ratios.append(abs(math.log(diversity / munit)))
        points.append(abs(quality - 50))
        small += [rows[task, m][1] / munit for m in ("UNIT", "CycleGAN", "CycleGAN* with noise")]
    assert math.log(COMPARABLE_FACTOR) == pytest.approx(2 * max(ratios))
    assert pytest.approx(2 * max(points)) == COMPARABLE_POINTS
    assert max(small) < 0.15 < NEAR_ZERO
    shares = [
        (method, cis / inception) for (_, method), (cis, inception) in published_table2().items()
    ]
    assert min(share for method, share in shares if method == "MUNIT") > 0.97 > NEAR_IS
    assert max(share for method, share in shares if method != "MUNIT") < 0.21 < NEAR_ZERO
