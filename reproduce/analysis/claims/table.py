"""One table of all claims: what is claimed, where, the papers' number, ours, and the verdict."""

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
DIGITS = {"quality": 1}  # after the point; elsewhere 3


def claims_table(preset: Preset, results: Path, seeds: Sequence[int] | None = None) -> Tables:
    """The verdicts on all claims about a preset, from its records of ``seeds`` (None: of all)."""
    stated = claims_of(preset)
    evidence = Current.stored(results, preset.name, seeds)
    causes = load_causes(results / preset.name / CAUSES, stated, evidence.mean)
    findings = verdicts(stated, evidence)
    rows = tuple(_row(finding, causes.get(finding.claim.id, "")) for finding in findings)
    return Tables(
        (Table("", COLUMNS, rows),),
        (caption(preset.name, findings, evidence.metrics),),
        lead="What is known of the causes:",
        points=reasons(rows),
        data=rows,
        names=NAMES,
        title=f"Claims, preset {preset.name}",
    )


def where(part: Part) -> str:
    """Where a part is measured, in words."""
    ranked = part.combine == "rank"
    first, *others = dict.fromkeys(map(place, part.quantities if ranked else part.terms[0]))
    return f"{'' if ranked else 'mean of '}{1 + len(others)} directions" if others else first


def _row(finding: Finding, cause: str) -> Row:
    claim = finding.claim
    part = finding.part or claim.parts[0]  # that which supports it least
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
    """The result in short, for a README: the preset's first table on its first task, the averages of
    Table 2, the verdicts counted, and the claims that fail, in Markdown."""
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
        tuple(first), (words, nearness), "What fails:",
        tuple(f"{claim}: {'; '.join(of)}." for claim, of in failing.items()),
    ).markdown()  # fmt: skip


def summary(found: Sequence[object]) -> str:
    """How many verdicts there are of each kind, in words."""
    counts = Counter(found)
    named = [f"{counts[v]} {w}" for v, w in zip(get_args(Verdict), _WORDS, strict=True)]
    return f"Of {len(found)} claims: {', '.join(named)}."


_WORDS = ("hold", "fail", "undecided", "not measured")


def caption(preset: str, findings: Sequence[Finding], metrics: Sequence[str]) -> str:
    """What the numbers are, in one paragraph."""
    tested = [finding for finding in findings if len(finding.seeds) > 1]
    words = (
        f"Preset {preset}. {summary([finding.verdict for finding in findings])} Measured: "
        f"{', '.join(metrics) or 'nothing'}. A claim holds where its interval, in brackets, lies "
        "within the limits and fails where it lies outside; where it has several parts, the one that "
        "supports it least is shown. Each interval is of the level at which Holm's correction for "
        f"{len(tested)} claims decides its claim, so that a wrong verdict among all has a chance of "
        f"{LEVEL:.0%} at most; intervals of several claims do not hold together. p is corrected too."
    )
    if any(len(finding.seeds) == 1 for finding in findings):
        words += " One training tells nothing of others: such a claim is undecided."
    if tested:
        words += (
            " Intervals are over other trainings on the same pictures: Student's t of one number a "
            "seed, a difference or ratio being taken seed by seed, ratios as logarithms."
        )
        words += few(max(len(finding.seeds) for finding in tested), len(tested))
    return words


def reasons(rows: Sequence[Row]) -> tuple[str, ...]:
    """What is known of claims that do not hold: the claim with its verdict, and the cause; claims
    of several tasks together where one text is about all."""
    found: dict[tuple[Cell, Cell], list[str]] = {}
    for row in rows:
        if row["verdict"] in ("fails", "undecided") and row["cause"]:
            said = f"{row['verdict']} on {row['on']}"
            found.setdefault((row["claim"], row["cause"]), []).append(said)
    return tuple(f"{claim} ({', '.join(of)}): {cause}" for (claim, cause), of in found.items())


_NUMBER = re.compile(r"\{([a-z0-9-]+) +([a-z0-9-]+) +([a-z0-9-]+)(?: +([0-9]))?\}")
Values = Callable[[str, str, str], float | None]  # of metric, method, task: what is on record


def load_causes(path: Path, claims: Sequence[Claim], values: Values) -> dict[str, str]:
    """Texts by claim id, with the numbers that they name; a dash for what is not on record.

    The file maps ids, or ids without their task for all tasks, to texts; the full id counts more. No
    file is no texts. UserError for a name of no claim, method or task.
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
            raise UserError(f"{path}: what {key} says is no text ({text!r}): put it in quotes")

    def number(found: re.Match[str]) -> str:
        metric, method, task, digits = found.groups()
        known = (method, "method", [*METHODS, REAL]), (task, "task", [*TASKS])
        for word, kind, names in known:
            if word not in names:
                raise UserError(f"{path}: {found[0]} names no {kind}: {nearest(word, names)}")
        value = values(metric, method, task)
        return DASH if value is None else f"{value:.{digits or 2}f}"

    texts = {key: _NUMBER.sub(number, " ".join(text.split())) for key, text in given.items()}
    return {claim.id: texts.get(claim.id, texts.get(stem(claim), "")) for claim in claims}


def stem(claim: Claim) -> str:
    """A claim's id without its task: the same for all tasks."""
    return ".".join(claim.id.split(".")[:2])
