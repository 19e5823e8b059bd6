"""Evidence that a task's observer or judge distinguishes good pictures from bad ones, as a Markdown
file: comparisons with a known answer, and Quality with other reference pictures and distances."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from benchmarks.files import write_text
from benchmarks.intervals import wilson_share
from benchmarks.metrics import preference_evidence as evidence
from benchmarks.metrics.lpips_features import LpipsDistance
from benchmarks.metrics.observer import RIGHT, preferred
from benchmarks.metrics.preference import Preference
from benchmarks.metrics.preference_evidence import SURE, Comparison, Finding
from benchmarks.networks import weights
from benchmarks.pictures import to_bytes
from models.zoo import METHODS
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import ENDS, Column, Row, Table, of_texts
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.measuring.preference import OTHERS, OWN, WAYS, PreferenceKind
from reproduce.measuring.subject import Subject, open_pictures
from reproduce.records.code import measuring
from reproduce.records.store import REAL, REFERENCE

# The modules that define the comparisons and measure them.
MEASURED = "benchmarks.metrics.preference_evidence", "reproduce.measuring.preference"
INPUTS, SAMPLES = 100, 4  # test inputs at most, translations of each
FEWER_AND_MORE = (8, 16, 32, 64, 128)  # numbers of reference pictures
USUAL = f"LPIPS 0.1, {RIGHT}"
Trained = Mapping[str, Subject]  # by method
Nearest = NDArray[np.float32]  # distances to the nearest true picture, (I, K)


class SquaredError:
    """The mean squared error of pictures in [-1, 1]: a distance without a network."""

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) as features (N, D)."""
        return pictures.flatten(1) / pictures[0].numel() ** 0.5

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """The distances (P,) of P pairs."""
        return (first - second).square().sum(dim=1)


WORDS = {
    "observed": (
        "Observer",
        f"closer (LPIPS 0.1) to its nearest of {RIGHT} ground-truth pictures of that input, drawn in "
        "the observer's own styles",
    ),
    "judged": (
        "Judge",
        f"closer (LPIPS 0.1) to its nearest of the photos of the {RIGHT} training inputs most similar "
        "to that input",
    ),
}


def write_evidence(
    preset: Preset, runs: Sequence[RunConfig], places: Places, by: str
) -> list[Path]:
    """Write ``observed-<task>.md`` or ``judged-<task>.md`` about the finished ``runs``, which include
    MUNIT; an up-to-date file is kept. Writes nothing if test inputs have no photos of their own."""
    task = Path(runs[0].task).name
    path = places.results / preset.name / f"{by}-{task}.md"
    pictures = open_pictures(runs[0], places)
    trained = {run.method: Subject(preset, run, places, pictures) for run in runs}
    observer = WAYS[by](pictures, places, preset.measure)
    if not pictures.domains.paired_test:
        return []
    shas = sorted((method, subject.sha256) for method, subject in trained.items())
    about = json.dumps(
        [shas, pictures.data, observer.lpips.weights.sha256, measuring(*MEASURED)["digest"]]
    )
    digest = hashlib.sha256(about.encode()).hexdigest()[:16]
    who, prefers = WORDS[by]
    title = f"### {who} of {task}, seed {runs[0].seed}, {digest}\n"
    if path.is_file() and path.read_text(encoding="utf-8").startswith(title):
        return [path]
    findings = known_answers(observer, trained)
    table = other_ways(observer, trained)
    wrong = "; ".join(evidence.failures(findings)) or "nothing"
    text = f"""{title}
Of two translations of one input, the one preferred is {prefers}. Diversity is ignored, a style that
no reference picture has counts as an error, and what people find realistic is not measured.

The table shows the share of inputs (the first {findings[0].found.n_questions}) on which the picture
shown was preferred, with 99 % intervals. Real pictures should win; the reference,
{METHODS[REFERENCE].title}, against itself is a control; a picture of another input and the more
degraded picture should lose.

{_answers(findings).markdown()}

Comparisons with an unexpected result: {wrong}.

Quality in percent on these inputs, with {SAMPLES} translations per input: with fewer or more reference
pictures, with {RIGHT} others (for a judge, the next nearest photos), and by other distances. The last
columns are Spearman rank correlations over methods with "{USUAL}", of mean distances and of Quality.

{table}
"""
    write_text(path, text)
    return [path]


def known_answers(observer: PreferenceKind, trained: Trained) -> list[Finding]:
    """The observer's answers to comparisons whose correct answer is known."""
    names = observer.names[:INPUTS]
    photos = observer.pictures.domains.test_b
    real = torch.stack([observer.pictures.read(photos, i) for i in range(len(names))])
    two = list(islice(observer.translations(trained[REFERENCE], range(2)), len(names)))
    first, second = (torch.stack([pictures[-k] for pictures in two]) for k in (0, 1))
    real, first, second = map(to_bytes, (real, first, second))
    asked = evidence.comparisons(evidence.Examination(real, first, second, names))
    shown = {id(p): p for one in asked for p in (one.pictures, one.others)}
    rows = {str(key): iter(p[:, None].float() / 127.5 - 1) for key, p in shown.items()}
    (seen,) = observer.see(rows, [observer.lpips], len(names))
    nearest = {int(key): distances.min(axis=2) for key, distances in seen.items()}
    return [_answer(one, nearest[id(one.pictures)], nearest[id(one.others)]) for one in asked]


def _answer(asked: Comparison, shown: Nearest, others: Nearest) -> Finding:
    share, count = float(preferred(shown, others).mean()), len(shown)
    found = Preference(share, wilson_share(share, count, SURE), count, 1, count)
    return Finding(asked.shown, asked.against, asked.level, found)


def _answers(findings: Sequence[Finding]) -> Table:
    columns = (
        Column("Shown", words=True), Column("Level"), Column("Against", words=True),
        Column("Preferred, 99% interval", "preferred", ".1f", "%", ENDS),
    )  # fmt: skip
    rows = list[Row]()
    for finding in findings:
        share, ends = 100 * finding.found.share, finding.found.interval
        level = finding.level if " with " in finding.shown else ""
        preferred = Estimate(share, 100 * ends.low, 100 * ends.high)
        about = {"Shown": finding.shown, "Level": level, "Against": finding.against}
        rows.append({**about, "preferred": preferred})
    return Table("", columns, tuple(rows))


def other_ways(observer: PreferenceKind, trained: Trained) -> str:
    """The methods' Quality with other reference pictures and other distances, as a Markdown table."""
    shown = {method: observer.translations(of, OWN[:SAMPLES]) for method, of in trained.items()}
    against = {"": observer.translations(trained[REFERENCE], OTHERS[:SAMPLES])}
    plain = LpipsDistance(weights.trained("0.0"), observer.places.device)
    most = max(FEWER_AND_MORE)
    seen, version_0, squared = observer.see(
        shown | {REAL: observer.perfect()} | against, [observer.lpips, plain, SquaredError()],
        min(INPUTS, len(observer.names)), most,
    )  # fmt: skip
    ways = {f"LPIPS 0.1, {r}": _nearest(seen, slice(r)) for r in FEWER_AND_MORE}
    if seen[REAL].shape[2] == most:  # small tasks have fewer
        ways[f"LPIPS 0.1, {most - RIGHT} others"] = _nearest(seen, slice(RIGHT, most))
    ways[f"LPIPS 0.0, {RIGHT}"] = _nearest(version_0, slice(RIGHT))
    ways[f"squared error, {RIGHT}"] = _nearest(squared, slice(RIGHT))
    numbers = {way: _numbers(nearest, list(shown)) for way, nearest in ways.items()}
    titles = [METHODS[method].title.replace("(paired)", "†") for method in shown]
    lines = [["Reference pictures", *titles, "Real data", "Distances", "Quality"]]
    for way, (means, qualities) in numbers.items():
        real = 100 * preferred(ways[way][REAL], ways[way][""]).mean()
        ranks = [
            float(stats.spearmanr(of, usual).statistic)
            for of, usual in zip((means, qualities), numbers[USUAL], strict=True)
        ]
        shares = [f"{share:.1f}" for share in (*qualities, real)]
        lines.append([way, *shares, *(f"{rank:.2f}" for rank in ranks)])
    return of_texts("", lines).markdown()


def _nearest(seen: Mapping[str, NDArray[np.float32]], truths: slice) -> dict[str, Nearest]:
    return {key: distances[:, :, truths].min(axis=2) for key, distances in seen.items()}


def _numbers(
    nearest: Mapping[str, Nearest], methods: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Mean distances and Quality, method by method."""
    means = [float(nearest[method].mean()) for method in methods]
    return means, [100 * float(preferred(nearest[m], nearest[""]).mean()) for m in methods]
