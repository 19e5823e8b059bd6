"""Preference: coverage on simulated raters, closed forms, and agreement against print."""

import math

import numpy as np
import pytest

from benchmarks.metrics.preference import krippendorff_alpha, preference
from models.errors import UserError


def _votes(
    rng: np.random.Generator, questions: int, raters: int, each: int, *, mean: float = 0.0,
    by_question: float = 1.0, by_rater: float = 0.5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Votes of raters with tastes of their own on questions of their own difficulty."""
    question = np.repeat(np.arange(questions), each)
    # Distinct raters a question: consecutive ones from a random start, in a random order.
    start = rng.integers(raters, size=(questions, 1))
    rater = rng.permutation(raters)[(start + np.arange(each)) % raters].ravel()
    logit = mean + by_question * rng.normal(size=questions)[question]
    logit = logit + by_rater * rng.normal(size=raters)[rater]
    return rng.random(len(question)) < 1 / (1 + np.exp(-logit)), question, rater


def _true_share(mean: float, by_question: float, by_rater: float) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    logit = mean + math.hypot(by_question, by_rater) * nodes
    return float((weights / (1 + np.exp(-logit))).sum() / weights.sum())


def _coverage(n: int, seed: int, *shape: int, **effects: float) -> tuple[float, float]:
    """Rate at which the interval holds the true share, and its mean half-width in points."""
    truth = _true_share(**({"mean": 0.0, "by_question": 1.0, "by_rater": 0.5} | effects))
    rng, held, halves = np.random.default_rng(seed), 0, []
    for _ in range(n):
        found = preference(*_votes(rng, *shape, **effects)).interval
        held += found.low <= truth <= found.high
        halves.append(50 * (found.high - found.low))
    return held / n, float(np.mean(halves))


@pytest.mark.parametrize(
    ("shape", "effects", "least", "most"),
    [
        ((500, 50, 5), {}, 0.92, 0.98),  # the paper's
        ((500, 5, 5), {}, 0.92, 0.98),  # five raters, who answer all
        ((500, 5, 5), {"by_rater": 0.0}, 0.92, 0.995),
        ((500, 50, 5), {"mean": -5.0}, 0.92, 0.995),  # about 1 %
    ],
)
def test_the_interval_holds_the_true_share_at_its_rate(shape, effects, least, most):
    rate, half = _coverage(300, 1, *shape, **effects)
    assert least <= rate <= most
    assert 0.2 <= half <= 15


def test_unanimous_votes_have_an_interval_as_wide_as_their_questions_allow() -> None:
    question, rater = np.repeat(np.arange(500), 5), np.tile(np.arange(5), 500)
    all_for = preference(np.ones(2500), question, rater)
    none = preference(np.zeros(2500), question, rater)
    assert (all_for.share, all_for.interval.high) == (1.0, 1.0)
    assert 0.985 < all_for.interval.low < 0.995  # 500 questions, not 2,500 votes
    assert none.interval.low == 0.0
    assert none.interval.high == pytest.approx(1 - all_for.interval.low)
    # One dissenting vote is about the same news, not a leap of precision.
    nearly = np.ones(2500)
    nearly[7] = 0
    one = preference(nearly, question, rater).interval
    assert one.low == pytest.approx(all_for.interval.low, abs=0.003)


def test_the_methods_side_and_the_names_do_not_matter() -> None:
    votes, question, rater = _votes(np.random.default_rng(3), 60, 12, 4, mean=0.7)
    one = preference(votes, question, rater)
    other = preference(~votes, question, rater)
    assert other.interval.low == pytest.approx(1 - one.interval.high)
    order = np.random.default_rng(4).permutation(len(votes))
    names = np.array([f"rater {r}" for r in rater])
    shuffled = preference(votes[order], question[order] * 10 + 3, names[order])
    assert shuffled.interval.low == pytest.approx(one.interval.low)
    assert (shuffled.n_questions, shuffled.n_raters, shuffled.n_votes) == (60, 12, 240)


def test_what_cannot_be_an_interval_is_refused():
    for questions, raters, of in (([0, 0], [0, 1], "questions"), ([0, 1], [0, 0], "raters")):
        with pytest.raises(UserError, match=f"over {of} needs at least 2"):
            preference([1, 0], questions, raters)


def _long(rows: list[str]) -> tuple[list[str], list[int]]:
    """Rows of one rater each, a character a unit, "." for none."""
    found = [(v, u) for row in rows for u, v in enumerate(row) if v != "."]
    values, units = zip(*found, strict=True)
    return list(values), list(units)


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [
        # Krippendorff 2011, sections A, B and C.
        (["0100000010", "1110010000"], 0.095),
        (["aabbdcccedda", "babbbccceddd"], 0.692),
        (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
        # Wikipedia, "Krippendorff's alpha": three coders, fifteen units.
        ([".....34121133.3", "1.213343.......", "..21344.21133.4"], 0.691),
    ],
)
def test_alpha_is_that_of_published_examples(rows: list[str], alpha: float) -> None:
    found = krippendorff_alpha(*_long(rows))
    assert found == pytest.approx(alpha, abs=5e-4)


def test_alpha_of_what_cannot_be_compared_is_none() -> None:
    assert krippendorff_alpha([1, 1, 1, 1], [0, 0, 1, 1]) is None
    assert krippendorff_alpha([1, 0], [0, 1]) is None
    assert krippendorff_alpha([], []) is None
