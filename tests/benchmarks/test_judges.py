"""Judges on drawn pictures: they answer what everybody knows, and their votes are counted right."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.degrade import blurred
from benchmarks.judge_evidence import Examination, evidence, evidence_table, failures
from benchmarks.judge_network import (
    Judge,
    JudgeConfig,
    JudgeNetwork,
    halvings,
    load_judge,
)
from benchmarks.judge_training import Lessons, train_judges
from benchmarks.judges import QUALITY_JUDGED, Verdict, draw_questions, judge_questions
from models.errors import UserError
from reproduce.tasks.drawn import draw, render_edges, render_photo

TRAIN, TEST = 240, 60
TINY = JudgeConfig(judges=2, steps=110, batch=16, width=12, lr=2e-3)


def _translated(photos: torch.Tensor, seed: int, strength: float) -> torch.Tensor:
    """As unpaired methods do: the shape kept, the surface of blotches of any colour."""
    draws = torch.Generator().manual_seed(seed)
    blotches = torch.rand(len(photos), 3, 12, 12, generator=draws) * 255
    blotches = F.interpolate(blotches, size=photos.shape[2:], mode="bilinear")
    white = photos.float().amin(1, keepdim=True) / 255
    mixed = (1 - strength) * photos.float() + strength * blotches
    return (white**4 * 255 + (1 - white**4) * mixed).round().to(torch.uint8)


@pytest.fixture(scope="module")
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    """Edge maps and photos of shoes, uint8 (N, 3, 32, 32)."""
    both = []
    for i in range(TRAIN + TEST):
        content, style = draw("shoes", 0, "trainPairs", i)
        both.append(np.stack([render_edges(content, 32), render_photo(content, style, 32)]))
    pictures = torch.from_numpy(np.stack(both)).permute(1, 0, 4, 2, 3).contiguous()
    return pictures[0], pictures[1]


@pytest.fixture(scope="module")
def lessons(drawn: tuple[torch.Tensor, torch.Tensor]) -> Lessons:
    edges, photos = (pictures[:TRAIN] for pictures in drawn)
    made = {"weak": _translated(photos, 1, 0.5), "strong": _translated(photos, 2, 0.8)}
    return Lessons(photos, made, edges)


@pytest.fixture(scope="module")
def judges(lessons: Lessons) -> list[Judge]:
    return train_judges(lessons, TINY, seed=3)


@pytest.fixture(scope="module")
def test_set(drawn: tuple[torch.Tensor, torch.Tensor]) -> Examination:
    edges, photos = (pictures[TRAIN:] for pictures in drawn)
    first, second = _translated(photos, 11, 0.6), _translated(photos, 12, 0.6)
    return Examination(photos, first, second, edges, [str(i) for i in range(TEST)])


def test_the_evidence_holds(judges: list[Judge], test_set: Examination) -> None:
    findings = evidence(judges, test_set)
    assert failures(findings) == []
    assert len(findings) == 4 + 2 * 4 * 4
    table = evidence_table(findings)
    assert table.count("\n") == len(findings) + 2
    assert "real of another input" in table


def test_judges_that_are_wrong_or_see_nothing_have_no_evidence(
    judges: list[Judge], test_set: Examination
) -> None:
    contrary = [replace(judges[0], network=_Negated(judges[0].network))]  # type: ignore[arg-type]
    said = failures(evidence(contrary, test_set))
    assert any(words.startswith("real against") and "win" in words for words in said)
    assert any("another input" in words for words in said)
    assert any("more and more" in words for words in said)
    blind = [replace(judges[0], network=_Negated(judges[0].network, 0.0))]  # type: ignore[arg-type]
    assert failures(evidence(blind, test_set))


class _Negated(torch.nn.Module):
    def __init__(self, network: torch.nn.Module, factor: float = -1.0) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, pictures: torch.Tensor, inputs: torch.Tensor | None) -> torch.Tensor:
        return self.factor * self.network(pictures, inputs)


def test_judges_without_inputs_judge_pictures_alone(
    lessons: Lessons, test_set: Examination
) -> None:
    alone = train_judges(replace(lessons, inputs=None), replace(TINY, judges=1, steps=60), seed=4)
    assert all(judge.accuracy > 0.9 for judge in alone)
    verdict = judge_questions(alone, test_set.real, test_set.first, None, test_set.names)
    assert verdict.preference().share > 0.9
    findings = evidence(alone, replace(test_set, inputs=None))
    assert not any("another input" in finding.shown for finding in findings)
    assert not any("misalignment" in finding.shown for finding in findings)
    with pytest.raises(UserError, match="trained without inputs"):
        judge_questions(alone, test_set.real, test_set.first, test_set.inputs, test_set.names)


def test_a_judge_needs_the_inputs_that_it_was_trained_with(
    judges: list[Judge], test_set: Examination
) -> None:
    with pytest.raises(UserError, match="needs the inputs"):
        judge_questions(judges, test_set.real, test_set.first, None, test_set.names)


def test_training_is_decided_by_its_seed(lessons: Lessons, judges: list[Judge]) -> None:
    short = replace(TINY, steps=3)
    torch.manual_seed(5)
    one = train_judges(lessons, short, seed=7)
    torch.manual_seed(6)
    reordered = dict(reversed(lessons.translations.items()))
    two = train_judges(replace(lessons, translations=reordered), short, seed=7)
    assert [j.sha256 for j in one] == [j.sha256 for j in two]
    assert len({j.sha256 for j in (*one, *train_judges(lessons, short, seed=8))}) == 4
    assert all(judge.facts["inputs_seen"] == round(0.6 * TRAIN) for judge in judges)
    assert all(judge.accuracy > 0.9 for judge in judges)


def test_changing_sides_changes_every_vote(judges: list[Judge], test_set: Examination) -> None:
    sides = test_set.first, test_set.second
    one = judge_questions(judges, *sides, test_set.inputs, test_set.names)
    two = judge_questions(judges, *reversed(sides), test_set.inputs, test_set.names)
    assert np.array_equal(one.votes, 1 - two.votes)
    assert one.protocol["ties"] == 0


def test_a_picture_against_itself_is_a_coin(judges: list[Judge], test_set: Examination) -> None:
    args = test_set.first, test_set.first, test_set.inputs, test_set.names
    one = judge_questions(judges, *args, seed=1)
    assert one.protocol["ties"] == one.votes.size == 2 * TEST
    assert 0.35 < one.votes.mean() < 0.65
    assert np.array_equal(one.votes, judge_questions(judges, *args, seed=1).votes)
    assert not np.array_equal(one.votes, judge_questions(judges, *args, seed=2).votes)


def test_a_judges_logit_does_not_depend_on_the_batch(
    judges: list[Judge], test_set: Examination
) -> None:
    judge = judges[0]
    whole = judge.logits(test_set.real, test_set.inputs, batch_size=100)
    parts = judge.logits(test_set.real, test_set.inputs, batch_size=7)
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-4)


def test_the_votes_make_the_measurement(judges: list[Judge], test_set: Examination) -> None:
    assert test_set.inputs is not None
    twice = [*test_set.names, *test_set.names]
    shown = torch.cat([test_set.real, test_set.first])
    against = torch.cat([test_set.second, blurred(test_set.first, 1 / 8)])
    verdict = judge_questions(judges, shown, against, test_set.inputs.repeat(2, 1, 1, 1), twice)
    measured = verdict.measurement()
    assert measured.name == QUALITY_JUDGED.name
    assert measured.value == pytest.approx(100 * verdict.votes.mean())
    assert measured.interval is not None
    assert measured.interval.low <= measured.value <= measured.interval.high <= 100
    assert measured.interval.over == "inputs of questions"
    said = measured.protocol
    # Questions that share an input are one cluster.
    assert (said["questions"], said["inputs"], said["judges"], said["votes"]) == (
        2 * TEST,
        TEST,
        2,
        4 * TEST,
    )
    assert said["by_judge"] == pytest.approx(list(100 * verdict.votes.mean(axis=1)), abs=0.01)
    assert said["sha256"] == [judge.sha256 for judge in judges]
    assert said["resolution"] == [32, 32]


def test_agreement_is_that_of_the_judges() -> None:
    votes = np.random.default_rng(0).integers(0, 2, (5, 400)).astype(np.uint8)
    names = tuple(str(q % 200) for q in range(400))
    logits = np.zeros((2, 5, 400), np.float32)
    assert Verdict(votes, logits, names, {}).alpha == pytest.approx(0.0, abs=0.05)
    agreed = np.repeat(votes[:1], 5, axis=0)
    assert Verdict(agreed, logits, names, {}).alpha == pytest.approx(1.0)
    all_for = Verdict(np.ones_like(votes), logits, names, {})
    assert all_for.alpha is None
    assert all_for.measurement().value == 100.0
    # Five judges who agree say no more about other inputs than one.
    wide = Verdict(agreed, logits, names, {}).preference().interval
    one = Verdict(votes[:1], logits[:, :1], names, {}).preference().interval
    assert wide.low == pytest.approx(one.low, abs=0.005)


def test_raw_votes_survive_their_file(
    judges: list[Judge], test_set: Examination, tmp_path: Path
) -> None:
    verdict = judge_questions(
        judges, test_set.real, test_set.first, test_set.inputs, test_set.names
    )
    path = tmp_path / "deep" / "votes.npz"
    verdict.save(path)
    found = Verdict.load(path)
    assert np.array_equal(found.votes, verdict.votes)
    assert np.array_equal(found.logits, verdict.logits)
    assert found.names == verdict.names
    assert found.measurement() == verdict.measurement()
    assert list(path.parent.iterdir()) == [path]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="judge again"):
        Verdict.load(path)
    np.savez(path.open("wb"), votes=verdict.votes)
    with pytest.raises(UserError, match="judge again"):
        Verdict.load(path)
    with pytest.raises(UserError, match="no such file"):
        Verdict.load(tmp_path / "absent.npz")


def test_a_judge_survives_its_file(
    judges: list[Judge], test_set: Examination, tmp_path: Path
) -> None:
    path = tmp_path / "judge.safetensors"
    judges[0].save(path)
    found = load_judge(path)
    assert found.sha256 == judges[0].sha256
    assert (found.config, found.seed, found.accuracy) == (TINY, judges[0].seed, judges[0].accuracy)
    assert torch.equal(
        found.logits(test_set.real, test_set.inputs),
        judges[0].logits(test_set.real, test_set.inputs),
    )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    judges[0].save(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    for wrong in (content[:1000], b"", content.replace(b'halvings\\": 2', b'halvings\\": 3')):
        assert wrong != content
        path.write_bytes(wrong)
        with pytest.raises(UserError, match="trained again"):
            load_judge(path)
    broken = JudgeNetwork(TINY.width, 2, True)
    torch.nn.init.constant_(broken.convolutions[0].weight, float("nan"))  # type: ignore[arg-type]
    replace(judges[0], network=broken).save(path)
    with pytest.raises(UserError, match="finite"):
        load_judge(path)


def test_questions_are_the_same_for_all_and_spread_over_inputs() -> None:
    questions = draw_questions(200, 500, seed=1)
    assert questions == draw_questions(200, 500, seed=1) != draw_questions(200, 500, seed=2)
    assert len(set(questions)) == 500
    counts = np.bincount([q.input for q in questions])
    assert len(counts) == 200
    assert set(counts) == {2, 3}
    assert {(q.sample, q.reference_sample) for q in questions} == {(0, 1), (2, 3), (4, 5)}
    with pytest.raises(UserError, match="at least 2"):
        draw_questions(1, 500)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 57), (128, 128), (8, 8)])
def test_judges_take_pictures_of_any_size(height: int, width: int) -> None:
    draws = np.random.default_rng(0)
    pictures = torch.from_numpy(draws.integers(0, 256, (6, 3, height, width), np.uint8))
    config = replace(TINY, judges=1, steps=2, width=4, batch=4)
    (judge,) = train_judges(Lessons(pictures, {"m": pictures.flip(0)}, pictures), config)
    assert judge.halvings == halvings(height, width)
    assert judge.logits(pictures, pictures).shape == (6,)


def test_unfit_pictures_are_refused(lessons: Lessons, test_set: Examination) -> None:
    real = lessons.real
    with pytest.raises(UserError, match="8-bit"):
        Lessons(real.float(), lessons.translations, None)
    with pytest.raises(UserError, match="equal numbers"):
        Lessons(real, {"m": real[:5]}, None)
    with pytest.raises(UserError, match="one size"):
        Lessons(real, {"m": real[:, :, :16]}, None)
    with pytest.raises(UserError, match="at least one"):
        Lessons(real, {}, None)
    with pytest.raises(UserError, match="one of each"):
        judge_questions([], test_set.real, test_set.first, None, test_set.names)
    with pytest.raises(UserError, match="judges=0"):
        JudgeConfig(judges=0)
    with pytest.raises(UserError, match="share"):
        JudgeConfig(share=1.5)
