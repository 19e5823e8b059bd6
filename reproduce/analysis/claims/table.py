"""One table of all claims: what is claimed, where, the papers' number, ours, and the verdict."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks.files import CsvWriter
from reproduce.analysis.claims.statements import Part, place
from reproduce.analysis.claims.verdicts import LEVEL, Finding, Verdict
from reproduce.analysis.estimate import few
from reproduce.analysis.table_text import DASH, grid, in_latex, write_texts

COLUMNS = ["Claim", "Source", "On", "Measured", "Limits", "Paper", "Ours", "p", "Seeds", "Verdict"]
TEXTS = 4  # columns of words
DIGITS = {"quality": 1}  # after the point; elsewhere 3


@dataclass(frozen=True)
class ClaimsTable:
    """All findings of a preset, by what their numbers were measured, and the causes by claim id."""

    preset: str
    findings: Sequence[Finding]
    metrics: Sequence[str]
    causes: Mapping[str, str]

    def cause(self, finding: Finding) -> str:
        return self.causes.get(finding.claim.id, "")


def shown_part(finding: Finding) -> Part:
    """The part whose numbers are shown: that which supports the claim least, else the first."""
    return finding.part or finding.claim.parts[0]


def where(part: Part) -> str:
    """Where a part is measured, in words."""
    places = [place(quantity) for quantity in part.terms[0]]
    return places[0] if len(places) == 1 else f"mean of {len(places)} directions"


def _number(part: Part, value: float) -> str:
    return f"{value:.{DIGITS.get(part.terms[0][0].family, 3)}f}"


def _probability(p: float) -> str:
    if math.isnan(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _seeds(finding: Finding) -> str:
    return str(len(finding.seeds)) if finding.seeds else DASH


def _line(finding: Finding) -> list[str]:
    claim, part = finding.claim, shown_part(finding)
    ours = DASH
    if finding.seeds:
        ours = _number(part, finding.value)
        if not math.isnan(finding.low):
            ours += f" [{_number(part, finding.low)}, {_number(part, finding.high)}]"
    published = part.published()
    return [
        claim.statement, claim.source, where(part), part.label, claim.limits,
        DASH if published is None else _number(part, published), ours,
        _probability(finding.p_corrected), _seeds(finding), finding.verdict,
    ]  # fmt: skip


def summary(findings: Sequence[Finding]) -> str:
    """How many verdicts there are of each kind, in words."""
    counts = Counter(finding.verdict for finding in findings)
    named = [f"{counts[v]} {w}" for v, w in zip(get_args(Verdict), _WORDS, strict=True)]
    return f"Of {len(findings)} claims: {', '.join(named)}."


_WORDS = ("hold", "fail", "undecided", "not measured")


def caption(table: ClaimsTable) -> str:
    """What the numbers are, in one paragraph."""
    tested = [finding for finding in table.findings if len(finding.seeds) > 1]
    words = (
        f"Preset {table.preset}. {summary(table.findings)} Measured: "
        f"{', '.join(table.metrics) or 'nothing'}. A claim holds where its interval, in brackets, lies "
        "within the limits and fails where it lies outside; where it has several parts, the one that "
        "supports it least is shown. Each interval is of the level at which Holm's correction for "
        f"{len(tested)} claims decides its claim, so that a wrong verdict among all has a chance of "
        f"{LEVEL:.0%} at most; intervals of several claims do not hold together. p is corrected too."
    )
    if any(len(finding.seeds) == 1 for finding in table.findings):
        words += " One training tells nothing of others: such a claim is undecided."
    if tested:
        words += (
            " Intervals are over other trainings on the same pictures: Student's t of one number a "
            "seed, a difference or ratio being taken seed by seed, ratios as logarithms."
        )
        words += few(max(len(finding.seeds) for finding in tested), len(tested))
    return words


def reasons(table: ClaimsTable) -> list[tuple[str, str]]:
    """What is known of claims that do not hold: the claim with its verdict, and the cause; claims
    of several tasks together where one text is about all."""
    found: dict[tuple[str, str], list[str]] = {}
    for finding in table.findings:
        if finding.verdict in ("fails", "undecided") and table.cause(finding):
            said = f"{finding.verdict} on {where(shown_part(finding))}"
            found.setdefault((finding.claim.statement, table.cause(finding)), []).append(said)
    return [(f"{claim} ({', '.join(said)})", cause) for (claim, cause), said in found.items()]


def markdown(table: ClaimsTable) -> str:
    """GitHub-flavoured Markdown."""
    rows = [COLUMNS, *map(_line, table.findings)]
    text = f"### Claims, preset {table.preset}\n\n{grid(rows, left=TEXTS)}\n\n{caption(table)}\n"
    known = [f"- {claim}: {cause}" for claim, cause in reasons(table)]
    return "\n".join([text, "What is known of the causes:\n", *known]) + "\n" if known else text


def comma_separated(table: ClaimsTable) -> str:
    """CSV with nine digits."""
    out = io.StringIO()
    writer = CsvWriter(out)
    writer.writerow(
        ["id", "claim", "source", "on", "measured", "limit_low", "limit_high", "why", "paper",
         "value", "low", "high", "level", "p", "p_corrected", "seeds", "verdict", "note",
         "cause"]
    )  # fmt: skip
    for found in table.findings:
        claim, part = found.claim, shown_part(found)
        numbers = (found.value, found.low, found.high, found.level, found.p, found.p_corrected)
        writer.writerow(
            [claim.id, claim.statement, claim.source, where(part), part.label,
             *map(_finite, (claim.low, claim.high)), claim.why, part.published(),
             *map(_finite, numbers), " ".join(map(str, found.seeds)),
             found.verdict, found.note, table.cause(found)]
        )  # fmt: skip
    return out.getvalue()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# What LaTeX would take for commands, beside what ``in_latex`` writes out; a backslash comes first.
_SPECIAL = {"\\": "\x00", "{": r"\{", "}": r"\}", "\x00": r"\textbackslash{}"} | {
    sign: rf"\{sign}" for sign in "&#$"
} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}  # fmt: skip
_RELATIONS = {"<": "$<$", ">": "$>$", "−": "$-$"}


def _tex(text: str) -> str:
    for sign, written in _SPECIAL.items():
        text = text.replace(sign, written)
    text = in_latex(text)
    for sign, written in _RELATIONS.items():
        text = text.replace(sign, written)
    return text


def latex(table: ClaimsTable) -> str:
    """A booktabs table."""
    widths = (0.28, 0.1, 0.12, 0.16)
    columns = "".join(rf"p{{{width}\linewidth}}" for width in widths)
    lines = [rf"\begin{{tabular}}{{{columns}{'r' * (len(COLUMNS) - TEXTS)}}}", r"\toprule"]
    rows = [COLUMNS, *map(_line, table.findings)]
    lines += [" & ".join(map(_tex, row)) + r" \\" for row in rows]
    lines.insert(3, r"\midrule")
    notes = [caption(table), *(f"{claim}: {cause}" for claim, cause in reasons(table))]
    lines.append(r"\bottomrule")
    lines += [
        rf"\multicolumn{{{len(COLUMNS)}}}{{p{{0.9\linewidth}}}}{{\footnotesize {_tex(note)}}} \\"
        for note in notes
    ]
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def write_table(table: ClaimsTable, folder: Path) -> list[Path]:
    """``claims.md``, ``.csv`` and ``.tex`` in ``folder``."""
    texts = {"md": markdown(table), "csv": comma_separated(table), "tex": latex(table)}
    return write_texts(texts, folder, "claims")
