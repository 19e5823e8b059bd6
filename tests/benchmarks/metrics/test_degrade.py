"""Degradations: closed forms, and that each level is worse than the one before."""

import pytest
import torch

from benchmarks.intervals import wilson_share
from benchmarks.metrics import preference_evidence as evidence
from benchmarks.metrics.preference import Preference
from benchmarks.metrics.preference_evidence import DEGRADATIONS, LEVELS, blurred, mottled, noisy


def dot(size: int = 32) -> torch.Tensor:
    picture = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    picture[:, :, size // 2, size // 2] = 255
    return picture


@pytest.mark.parametrize("disturb", [noisy, mottled])
def test_one_seed_gives_one_disturbance_stronger_at_higher_levels(disturb):
    grey = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    one, two = (disturb(grey, level, 5).float() - 128 for level in (0.05, 0.1))
    assert float((two - 2 * one).abs().max()) <= 2
    assert not torch.equal(disturb(grey, 0.05, 6), disturb(grey, 0.05, 5))
    step, spread = float(one.diff(dim=3).std()), float(one.std())
    if disturb is noisy:
        assert spread == pytest.approx(0.05 * 255, rel=0.03)
    else:  # neighbours are alike
        assert 0.5 * 12.75 < spread < 12.75 and step < spread / 3


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_level_0_changes_nothing_and_more_is_worse(kind: str) -> None:
    degrade, (_, *levels) = DEGRADATIONS[kind], LEVELS[kind]
    pictures = torch.randint(0, 256, (8, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    # Soft, as pictures are: in pure noise, any move is as bad as any other.
    soft = blurred(pictures.to(torch.uint8), 1 / 8)
    assert torch.equal(degrade(soft, 0.0, 3), soft)
    error = [float((degrade(soft, v, 3).float() - soft.float()).square().mean()) for v in levels]
    assert 0 < error[0] < error[1] < error[2]


def test_blur_keeps_the_mean_and_spreads_by_its_standard_deviation() -> None:
    line = dot().amax(dim=3, keepdim=True).expand(-1, -1, -1, 32)
    found = blurred(line, 2 / 32)[0, 0, :, 0].double()
    offsets = torch.arange(32).double() - 16
    assert float((found * offsets**2).sum() / found.sum()) == pytest.approx(4, rel=0.05)
    even = torch.full((1, 3, 20, 30), 77, dtype=torch.uint8)
    assert torch.equal(blurred(even, 0.5), even)


def test_misaligned_pictures_lie_where_they_were_moved() -> None:
    found = evidence.misaligned(dot().expand(40, -1, -1, -1), 4 / 32, 1)
    places = {tuple((p[0] == 255).nonzero()[0].tolist()) for p in found}
    offsets = {(y - 16, x - 16) for y, x in places}
    assert offsets == {(a, b) for a in (-4, -3, 0, 3, 4) for b in (-4, -3, 0, 3, 4)
                       if (abs(a), abs(b)) in ((4, 0), (0, 4), (3, 3))}  # fmt: skip
    # Edges are repeated.
    rows, columns = torch.tensor([[0, 0, 0, 1, 2, 3]]).T, torch.tensor([1, 2, 3, 4, 5, 5])
    numbers = torch.arange(36).view(6, 6)
    assert torch.equal(evidence.moved(numbers, 2, -1), numbers[rows, columns])


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ([("real", 0, 0.9), ("reference", 0, 0.52), ("real of another input", 0, 0.02)], []),
        ([("real", 0, 0.5)], ["real against reference: 50.0%, and should win"]),
        ([("real", 0, 0.55)], ["real against reference: 55.0%, and should win"]),
        ([("reference", 0, 0.8)], ["reference against reference: 80.0%, and should be 50%"]),
        ([("reference", 0, 0.2)], ["reference against reference: 20.0%, and should be 50%"]),
        (
            [("reference of another input", 0, 0.45)],
            ["reference of another input against reference: 45.0%, and should lose"],
        ),
        ([("real with blur", 0, 0.9), ("real with blur", 0.1, 0.3)], []),
        ([("real with blur", 0.2, 0.0), ("real with blur", 0.1, 0.01)], []),
        (
            [("real with blur", 0.1, 0.3), ("real with blur", 0, 0.3)],
            ["real with blur, more and more of it: 30.0%, 30.0%, and should fall"],
        ),
    ],
)
def test_what_answers_do_not_bear_out(answers, wrong):
    """Of 100 questions: 55 % may be 50 %."""

    def found(shown: str, level: float, share: float) -> evidence.Finding:
        preference = Preference(share, wilson_share(share, 100, evidence.SURE), 100, 1, 100)
        return evidence.Finding(shown, "reference", level, preference)

    assert evidence.failures([found(*answer) for answer in answers]) == wrong
