"""The table of all claims: statement, place, the papers' number, ours, and the verdict."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from benchmarks.harness.published import AVERAGE
from models.errors import UserError
from models.zoo import METHODS, nearest
from reproduce.analysis.claims.statements import Claim, Part, place
from reproduce.analysis.claims.statements import claims as claims_of
from reproduce.analysis.claims.verdicts import LEVEL, Finding, Verdict, verdicts
from reproduce.analysis.estimate import Estimate, few
from reproduce.analysis.table import DASH, ENDS, Cell, Column, Row, Table, Tables, in_words
from reproduce.analysis.tables import tables_of
from reproduce.experiments.places import CAUSES
from reproduce.experiments.preset import Preset
from reproduce.records.current import Current
from reproduce.records.store import REAL
from reproduce.records.yaml_file import read_yaml
from reproduce.tasks.registry import TASKS

COLUMNS = (
    Column("Claim", "claim", words=True, width=0.28),
    Column("Source", "source", words=True, width=0.1),
    Column("On", "on", words=True, width=0.12),
    Column("Measured", "measured", words=True, width=0.16),
    Column("Limits", "limits"), Column("Paper", "published"), Column("Ours", "ours"),
    Column("p", "certainty"), Column("Seeds", "trainings"), Column("Verdict", "verdict"),
)  # fmt: skip
NAMES = (
    "id", "claim", "source", "on", "measured", "limit_low", "limit_high", "why", "paper", "value",
    "low", "high", "level", "p", "p_corrected", "seeds", "verdict", "note", "cause",
)  # fmt: skip
DIGITS = {"quality": 1}  # decimal places by family; others have 3


def claims_table(preset: Preset, results: Path, seeds: Sequence[int] | None = None) -> Tables:
    """The verdicts on all claims about a preset, from its records of ``seeds`` (None: all seeds)."""
    stated = claims_of(preset)
    evidence = Current.stored(results, preset.name, seeds)
    causes = load_causes(results / preset.name / CAUSES, stated, evidence.mean)
    findings = verdicts(stated, evidence)
    rows = tuple(_row(finding, causes.get(finding.claim.id, "")) for finding in findings)
    return Tables(
        (Table("", COLUMNS, rows),),
        (caption(preset.name, findings, evidence.metrics),),
        lead="What is known about the causes:",
        points=reasons(rows),
        data=rows,
        names=NAMES,
        title=f"Claims, preset {preset.name}",
    )


def where(part: Part) -> str:
    """The task, or the number of directions, on which a part is measured, in words."""
    ranked = part.combine == "rank"
    first, *others = dict.fromkeys(map(place, part.quantities if ranked else part.terms[0]))
    return f"{'' if ranked else 'mean of '}{1 + len(others)} directions" if others else first


def _row(finding: Finding, cause: str) -> Row:
    claim = finding.claim
    part = finding.part or claim.parts[0]  # the least favourable part
    published, p = part.published(), finding.p_corrected
    digits = 2 if part.combine == "rank" else DIGITS.get(part.terms[0][0].family, 3)

    def told(value: float, low: float = math.nan, high: float = math.nan) -> str:
        return in_words(Estimate(value, low, high), f".{digits}f", form=ENDS)

    return {
        "id": claim.id, "claim": claim.statement, "source": claim.source, "on": where(part),
        "measured": part.label, "limits": claim.limits, "limit_low": claim.low,
        "limit_high": claim.high, "why": claim.why, "paper": published,
        "published": None if published is None else told(published), "value": finding.value, "low": finding.low,
        "high": finding.high,
        "ours": told(finding.value, finding.low, finding.high) if finding.seeds else None,
        "level": finding.level, "p": finding.p, "p_corrected": p,
        "certainty": None if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}",
        "seeds": " ".join(map(str, finding.seeds)),
        "trainings": str(len(finding.seeds)) if finding.seeds else None,
        "verdict": finding.verdict, "note": finding.note, "cause": cause,
    }  # fmt: skip


def glance(preset: Preset, results: Path, seeds: Sequence[int] | None = None) -> str:
    """The results at a glance for a README, in Markdown: the preset's first table on its first task,
    the averages of Table 2, the number of verdicts of each kind, and the claims that fail."""
    evidence = Current.stored(results, preset.name, seeds)
    (claimed,) = claims_table(preset, results, seeds).parts
    tables = {
        number: tables_of(number, preset, results, evidence.seeds)[f"table{number}"]
        for number, tasks in sorted(preset.tables.items())
        if tasks
    }
    first = [
        replace(part, columns=tuple(c for c in part.columns if c.key != "silhouette_iou"))
        for table in tables.values()
        for part in table.parts
    ][:1]
    words = f"Seed{'s' * (len(evidence.seeds) > 1)} {', '.join(map(str, evidence.seeds))}. "
    if 2 in tables:
        averages = (row for row in tables[2].data if row["direction"] == AVERAGE)
        modes = [f"{row['row']} {in_words(row['cis'])} ({row['paper_cis']:.3f})" for row in averages
                 if isinstance(row["cis"], Estimate) and row["paper_cis"]]  # fmt: skip
        words += f"Table 2, average CIS in nats (paper): {', '.join(modes)}. " if modes else ""
    words += summary([row["verdict"] for row in claimed.rows])
    nearness = "\n".join(f"- {note}" for table in tables.values() for note in table.notes[1:])
    failing: dict[Cell, list[str]] = {}
    for row in claimed.rows:
        if row["verdict"] == "fails":
            told = f"{row['ours']} on {row['on']} (paper: {row['published'] or DASH})"
            failing.setdefault(row["claim"], []).append(told)
    return Tables(
        tuple(first), (words, nearness), "Claims that fail:",
        tuple(f"{claim}: {'; '.join(of)}." for claim, of in failing.items()),
    ).markdown()  # fmt: skip


def summary(found: Sequence[object]) -> str:
    """The number of verdicts of each kind, in words."""
    counts = Counter(found)
    named = [f"{counts[v]} {w}" for v, w in zip(get_args(Verdict), _WORDS, strict=True)]
    return f"Of {len(found)} claims: {', '.join(named)}."


_WORDS = ("hold", "fail", "undecided", "not measured")


def caption(preset: str, findings: Sequence[Finding], metrics: Sequence[str]) -> str:
    """The caption of the claims table: how verdicts are reached, and what intervals mean."""
    tested = [finding for finding in findings if len(finding.seeds) > 1]
    words = (
        f"Preset {preset}. {summary([finding.verdict for finding in findings])} Measured: "
        f"{', '.join(metrics) or 'nothing'}. A claim holds if its interval (in brackets) lies within "
        "the limits, fails if it lies outside, and is otherwise undecided; of several parts, the least "
        "favourable is shown. Intervals and p-values are corrected for "
        f"{len(tested)} claims (Holm), so the probability of any wrong verdict is at most {LEVEL:.0%}. "
        "An interval has the level at which its own claim is decided; intervals are not simultaneous."
    )
    if any(len(finding.seeds) == 1 for finding in findings):
        words += " A claim measured on one training only is undecided."
    if tested:
        words += (
            " Intervals are over trainings on the same pictures (Student's t, one value per seed; "
            "differences and ratios are taken within a seed, ratios as logarithms)."
        )
        words += few(max(len(finding.seeds) for finding in tested), len(tested))
    return words


def reasons(rows: Sequence[Row]) -> tuple[str, ...]:
    """The known causes of claims that do not hold: each claim with its verdict and cause. A claim
    on several tasks is listed once if its cause is the same."""
    found: dict[tuple[Cell, Cell], list[str]] = {}
    for row in rows:
        if row["verdict"] in ("fails", "undecided") and row["cause"]:
            said = f"{row['verdict']} on {row['on']}"
            found.setdefault((row["claim"], row["cause"]), []).append(said)
    return tuple(f"{claim} ({', '.join(of)}): {cause}" for (claim, cause), of in found.items())


_NUMBER = re.compile(r"\{([a-z0-9-]+) +([a-z0-9-]+) +([a-z0-9-]+)(?: +([0-9]))?\}")
Values = Callable[[str, str, str], float | None]  # (metric, method, task) -> the recorded mean


def load_causes(path: Path, claims: Sequence[Claim], values: Values) -> dict[str, str]:
    """Texts by claim id, with references replaced by recorded numbers; a dash for a missing record.

    The file maps claim ids to texts; an id without its task applies to all tasks, and the full id
    takes precedence. A missing file gives no texts. UserError for an unknown claim, method or task.
    """
    given = read_yaml(path, "write 'claim id: text' lines") if path.is_file() else None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise UserError(f"{path} holds a {type(given).__name__}: write 'claim id: text' lines")
    names = {claim.id for claim in claims} | {stem(claim) for claim in claims}
    for key, text in given.items():
        if key not in names:
            raise UserError(f"{path}: no claim '{key}': {nearest(str(key), names)}")
        if not isinstance(text, str):
            raise UserError(f"{path}: the value of {key} is not text ({text!r}): put it in quotes")

    def number(found: re.Match[str]) -> str:
        metric, method, task, digits = found.groups()
        known = (method, "method", [*METHODS, REAL]), (task, "task", [*TASKS])
        for word, kind, names in known:
            if word not in names:
                raise UserError(f"{path}: {found[0]}: unknown {kind}: {nearest(word, names)}")
        value = values(metric, method, task)
        return DASH if value is None else f"{value:.{digits or 2}f}"

    texts = {key: _NUMBER.sub(number, " ".join(text.split())) for key, text in given.items()}
    return {claim.id: texts.get(claim.id, texts.get(stem(claim), "")) for claim in claims}


def stem(claim: Claim) -> str:
    """A claim's id without its task: the same for all tasks."""
    return ".".join(claim.id.split(".")[:2])
