"""Analysis of a study's votes: percentages with intervals, agreement, excluded raters."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.console import aligned
from benchmarks.files import write_text
from benchmarks.metric import Measurement, Metric
from benchmarks.metrics.preference import krippendorff_alpha, preference
from benchmarks.study.folder import Study
from benchmarks.study.votes import RaterRecord, StoredVote, by_rater, read_votes
from models.errors import UserError

QUALITY_HUMAN = Metric("quality-human", "%", "higher", "human preference study", (0.0, 100.0))


@dataclass(frozen=True)
class MethodResult:
    """The result of one method; ``measurement`` is None if there are too few votes."""

    method: str
    measurement: Measurement | None
    alpha: float | None
    votes: int
    questions: int
    raters: int
    fewest_votes_a_question: int
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        told = vars(self) | {"measurement": self.measurement and self.measurement.as_dict()}
        return {key: value for key, value in told.items() if key != "reason" or value}


@dataclass(frozen=True)
class Analysis:
    """A study's result."""

    study: Study
    results: list[MethodResult]
    alpha: float | None
    raters: list[RaterRecord]
    left_share: float | None
    level: float

    @property
    def excluded(self) -> list[RaterRecord]:
        return [record for record in self.raters if record.excluded]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values, with raters as pseudonyms."""
        design = self.study.design
        return {
            "design": design.model_dump(mode="json"),
            "rule": design.rule,
            "level": self.level,
            "results": [result.as_dict() for result in self.results],
            "alpha": self.alpha,
            "left_share": self.left_share,
            "raters": len(self.raters),
            "excluded": [
                {
                    "rater": record.name,
                    "answered": record.answered,
                    "catch_right": record.catch_right,
                    "catch_answered": record.catch_answered,
                }
                for record in self.excluded
            ],
        }


def analyse(study: Study, level: float = 0.95) -> Analysis:
    """Apply the study's exclusion rule, then measure every method. Agreement is Krippendorff's
    nominal alpha over the remaining votes. UserError for a level outside (0, 1) or no votes."""
    if not 0 < level < 1:
        raise UserError(f"confidence level {level} is outside (0, 1): use e.g. 0.95")
    with study.connect() as connection:
        votes = read_votes(connection)
    if not votes:
        raise UserError(f"{study.path} has no votes yet: serve it, or import MTurk's results")
    raters = by_rater(votes, study.design)
    kept = [vote for vote in votes if vote.kind == "real" and not raters[vote.rater].excluded]
    results = [
        _result(method, [vote for vote in kept if vote.method == method], study, level)
        for method in study.design.methods
    ]
    left = sum(vote.choice == "left" for vote in kept) / len(kept) if kept else None
    return Analysis(study, results, _alpha(kept), list(raters.values()), left, level)


def _result(method: str, votes: list[StoredVote], study: Study, level: float) -> MethodResult:
    design, asked = study.design, Counter(vote.question for vote in votes)
    fewest = min(asked.values(), default=0) if len(asked) == design.questions else 0
    counts = len(votes), len(asked), len({vote.rater for vote in votes}), fewest
    try:
        found = preference(*_columns(votes), level)
    except UserError as error:
        return MethodResult(method, None, None, *counts, reason=str(error))
    protocol = {
        "reference": design.reference,
        "exclusion": design.rule,
        "votes_a_question": design.raters,
        "resolution": list(design.size),
        "study": study.name,
    }
    measurement = found.measurement(QUALITY_HUMAN.name, protocol)
    return MethodResult(method, measurement, _alpha(votes), *counts)


def _columns(votes: list[StoredVote]) -> tuple[list[int], list[str], list[str]]:
    return [v.won for v in votes], [v.question for v in votes], [str(v.rater) for v in votes]


def _alpha(votes: list[StoredVote]) -> float | None:
    return krippendorff_alpha(*_columns(votes)[:2])


def report(analysis: Analysis) -> str:
    """Return the analysis as text."""
    design = analysis.study.design
    rows: list[tuple[str, ...]] = [
        ("method", f"preferred to {design.reference}", f"{analysis.level:.0%} interval", "alpha",
         "questions", "votes", "raters")
    ]  # fmt: skip
    for result in analysis.results:
        measured = result.measurement
        share, interval = "–", "too few votes"
        if measured is not None and measured.interval is not None:
            share = f"{measured.value:.1f}%"
            interval = f"{measured.interval.low:.1f}% to {measured.interval.high:.1f}%"
        counts = map(str, (result.questions, result.votes, result.raters))
        rows.append((result.method, share, interval, _decimals(result.alpha), *counts))
    lines = ["  ".join(cells) for cells in aligned(rows, left={0})]
    lines += ["", f"agreement (Krippendorff's alpha, all questions): {_decimals(analysis.alpha)}"]
    if analysis.left_share is not None:
        lines.append(f"the left picture was chosen in {analysis.left_share:.1%} of votes")
    out = analysis.excluded
    lines.append(f"rule: {design.rule}")
    lines.append(f"excluded: {len(out)} of {len(analysis.raters)} raters{':' if out else ''}")
    lines += [
        f"  {record.name}: {record.catch_right} of {record.catch_answered} catch trials right, "
        f"{record.answered} answers"
        for record in out
    ]
    short = [r.method for r in analysis.results if r.fewest_votes_a_question < design.raters]
    if short:
        lines.append(
            f"not every question has its {design.raters} votes yet (after exclusions): "
            f"{', '.join(short)}"
        )
    return "\n".join(lines)


def _decimals(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def write_analysis(analysis: Analysis, path: Path) -> None:
    """Write the analysis as JSON, atomically."""
    write_text(path, json.dumps(analysis.as_dict(), indent=2, allow_nan=False) + "\n")
