"""Judged preference: Table 1's question, put to trained judges in place of people.

Source of the protocol: MUNIT, section 5.2: 500 questions, each answered five times; which of two
translations of one input, by the method and by the reference, is the better one?
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.judge_network import Judge
from benchmarks.judge_training import check_pictures
from benchmarks.preference import Preference, krippendorff_alpha, preference
from benchmarks.registry import Measurement, Metric, register
from models.errors import UserError

QUALITY_JUDGED = register(
    Metric(
        name="quality-judged",
        unit="%",
        direction="higher",
        protocol=(
            "share of questions in which the method's translation is preferred to the reference's "
            "of the same input, by small networks trained on other inputs to tell real pictures "
            "from the pooled translations of all methods (5/8 of their training questions); where "
            "there are pairs, they see the input, and tell its picture from that of another (1/4); "
            "they tell a picture from a more degraded copy (1/8); no human judgement"
        ),
        limits=(0.0, 100.0),
    )
)
QUESTIONS = 500


class Question(NamedTuple):
    """Input number, and which sample of the method is set against which of the reference."""

    input: int
    sample: int
    reference_sample: int


def draw_questions(inputs: int, questions: int = QUESTIONS, seed: int = 0) -> list[Question]:
    """``questions`` about ``inputs`` inputs, each asked about equally often (to one question).

    The method's samples are even, the reference's odd: set against itself, a method is asked
    about two different samples. Every method is asked the same questions.
    """
    if inputs < 2 or questions < 2:
        raise UserError(f"{questions} questions about {inputs} inputs: use at least 2 of both")
    order = np.random.default_rng([0xA5C, seed & (2**64 - 1)]).permutation(inputs).tolist()
    found = []
    for number in range(questions):
        again, place = divmod(number, inputs)
        found.append(Question(order[place], 2 * again, 2 * again + 1))
    return found


@dataclass(frozen=True)
class Verdict:
    """The votes of J judges on Q questions.

    ``votes`` (J, Q): 1 where the method's picture was preferred. ``logits`` (2, J, Q): of the
    method's and the reference's pictures. ``names`` (Q,): the input of each question.
    ``protocol``: who judged, and how.
    """

    votes: NDArray[np.uint8]
    logits: NDArray[np.float32]
    names: tuple[str, ...]
    protocol: dict[str, Any]

    def preference(self, level: float = 0.95) -> Preference:
        """With the interval for other inputs put to these judges.

        Questions about one input share it, so they are one cluster together.
        """
        judges, questions = self.votes.shape
        found = preference(
            self.votes.ravel(),
            np.tile(np.array(self.names), judges),
            np.repeat(np.arange(judges), questions),
            level=level,
            clusters="questions",
        )
        return replace(found, interval=replace(found.interval, over="inputs of questions"))

    @property
    def alpha(self) -> float | None:
        """Krippendorff's alpha of the judges; None where all votes are the same."""
        judges, questions = self.votes.shape
        return krippendorff_alpha(
            self.votes.ravel(),
            np.tile(np.arange(questions), judges),
            np.repeat(np.arange(judges), questions),
        )

    def measurement(self) -> Measurement:
        """``quality-judged`` in percent; the judges' agreement and single shares in its protocol."""
        judges, questions = self.votes.shape
        found = self.preference()
        measured = found.measurement(QUALITY_JUDGED.name)
        facts = {
            "protocol": f"{questions}x{judges}",
            "questions": questions,
            "inputs": found.n_questions,
            "judges": judges,
            "alpha": self.alpha,
            "by_judge": [round(100 * float(v), 2) for v in self.votes.mean(axis=1)],
        }
        return replace(measured, protocol=facts | {"votes": self.votes.size} | self.protocol)

    def save(self, path: Path) -> None:
        """Writes the raw votes as ``.npz``: whole or not at all."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.savez(
                    file,
                    votes=self.votes,
                    logits=self.logits,
                    names=np.array(self.names, dtype=np.str_),
                    protocol=np.array(json.dumps(self.protocol, sort_keys=True)),
                )
            os.replace(part, path)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from None
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Verdict:
        """Reads what ``save`` wrote; a missing, broken or foreign file raises UserError."""
        remedy = "judge again"
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                names = tuple(str(name) for name in file["names"])
                found = cls(file["votes"], file["logits"], names, json.loads(str(file["protocol"])))
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file: {remedy}") from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: no votes of judges ({error}): {remedy}") from error
        shaped = found.votes.ndim == 2 and found.votes.shape[1] == len(names)
        shaped = shaped and found.logits.shape == (2, *found.votes.shape)
        if not shaped or found.votes.dtype != np.uint8 or not isinstance(found.protocol, dict):
            raise UserError(f"{path}: inconsistent votes of judges: {remedy}")
        return found


def judge_questions(
    judges: Sequence[Judge],
    pictures: Tensor,
    reference: Tensor,
    inputs: Tensor | None,
    names: Sequence[str],
    seed: int = 0,
) -> Verdict:
    """Which of ``pictures`` and ``reference``, uint8 (Q, 3, H, W), each judge prefers, by question.

    ``inputs``: the inputs (Q, 3, H, W) that row by row were translated, None for judges trained
    without; ``names`` (Q,): what identifies them. The higher logit wins; a tie, and so a picture
    set against itself, is decided by a coin addressed by ``seed``.
    """
    check_pictures("pictures", pictures)
    check_pictures("reference pictures", reference)
    if inputs is not None:
        check_pictures("inputs", inputs)
    counts = {
        len(pictures),
        len(reference),
        len(names),
        len(pictures if inputs is None else inputs),
    }
    if len(counts) != 1 or not judges:
        raise UserError(
            f"{len(pictures)} pictures, {len(reference)} reference pictures and {len(names)} names "
            f"for {len(judges)} judges: a question needs one of each"
        )
    logits = torch.stack(
        [
            torch.stack([judge.logits(shown, inputs) for judge in judges])
            for shown in (pictures, reference)
        ]
    )
    same = (pictures == reference).flatten(1).all(dim=1)
    # A picture is as true as itself, whatever the rounding of a batch says.
    ties = ((logits[0] == logits[1]) | same).numpy()
    coin = np.random.default_rng([0xC01, seed & (2**64 - 1)]).random(ties.shape) < 0.5
    votes = np.where(ties, coin, (logits[0] > logits[1]).numpy()).astype(np.uint8)
    first = judges[0]
    protocol = {
        "judge": asdict(first.config),
        "sees_inputs": first.paired,
        "resolution": list(pictures.shape[2:]),
        "sha256": [judge.sha256 for judge in judges],
        "accuracy": [round(judge.accuracy, 4) for judge in judges],
        "ties": int(ties.sum()),
    }
    return Verdict(votes, logits.numpy(), tuple(names), protocol)
