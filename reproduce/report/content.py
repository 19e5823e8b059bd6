"""The sections of a report, from the records and files of a preset's results folder.

The report depends on these alone, not on the current time, machine or path.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.console import in_words
from benchmarks.files import foreign
from models.zoo import METHODS
from reproduce.analysis.claims.statements import claims
from reproduce.analysis.claims.table import COLUMNS, claims_table, summary
from reproduce.analysis.table import Column, Row, Table, Tables, of_texts
from reproduce.analysis.tables import heading, scale, tables_of
from reproduce.analysis.theory import theory_of, theory_table
from reproduce.experiments.places import Places
from reproduce.experiments.preset import Preset
from reproduce.experiments.run import RunConfig
from reproduce.records.current import counting
from reproduce.records.store import REAL, Records
from reproduce.report.blocks import Block, Missing, Report, Section, Text, blocks_of, missing_last
from reproduce.report.curves import curve_path, load_curve, stored_curves
from reproduce.report.latex import write_pdf
from reproduce.report.page import write_page
from reproduce.report.pictures import Album

Record = Mapping[str, Any]
COMMIT_DIGITS = 10
ABOUT = {
    1: "How much the translations of one input differ (Diversity), and how often they are preferred "
    "to those of the full MUNIT (Quality).",
    2: "Multimodality without labels: how much the mode of the output varies for one input (CIS) "
    "and over all inputs (IS).",
}
BESIDE = ("Limits", "Paper", "Ours", "p", "Seeds")  # columns after a claim and its verdict
PAPERS = (
    "A reproduction of “Unsupervised Image-to-Image Translation Networks” (UNIT, NIPS 2017) and "
    "“Multimodal Unsupervised Image-to-Image Translation” (MUNIT, ECCV 2018)."
)


def report_of(preset: Preset, runs: Sequence[RunConfig], places: Places) -> Report:
    """The report on a preset, from what its results folder holds about ``runs`` (of one or more
    seeds)."""
    return _Reporter(preset, runs, places).report()


def command_of(preset: Preset, seeds: Sequence[int]) -> str:
    """The command that produces all results of a preset."""
    words = ["python", "-m", "reproduce", "all", *preset.words(), "--seeds", *map(str, seeds)]
    return shlex.join(words)


class _Reporter:
    def __init__(self, preset: Preset, runs: Sequence[RunConfig], places: Places) -> None:
        self.preset, self.runs, self.places = preset, runs, places
        self.folder = places.results / preset.name
        seeds = dict.fromkeys(run.seed for run in runs)
        self.known = Records(places.results, preset.name).all()
        measured = {record["seed"] for record in self.known}
        self.asked = tuple(seeds)
        self.seeds = tuple(seed for seed in seeds if seed in measured)
        self.records = counting(self.known, self.seeds)
        self.date = max((str(record["time"]) for record in self.records), default="")
        self.again = command_of(preset, self.asked)
        self.album = Album(preset, self.folder, self.again)

    def report(self) -> Report:
        made: list[tuple[str, str, Callable[[], list[Block]]]] = [
            *((f"table-{n}", f"Table {n} of MUNIT", partial(self._table, n))
              for n in sorted(self.preset.tables)),
            ("claims", "Claims tested", self._claims),
            ("translations", "Translations", self.album.translations),
            ("styles", "Styles: interpolation and examples", self.album.styles),
            ("curves", "Learning curves", self._curves),
            ("theory", "Theory: styles and content codes", self._theory),
            ("ablations", "Ablations", self._ablations),
            ("cost", "Cost of every run",
             partial(cost_blocks, self.runs, self.records, self.folder)),
            ("environment", "Environment", self._environment),
        ]  # fmt: skip
        sections = [Section(name, title, missing_last(make())) for name, title, make in made]
        about = Section("about", "About this report", tuple(self._about()))
        title = f"UNIT and MUNIT, reproduced: preset {scale(self.preset)}"
        lead = f"{PAPERS} {self.preset.about}"
        shown = about, *(s for s in sections if s.blocks)
        return Report(title, lead, self.date, shown, self.folder)

    def _about(self) -> list[Block]:
        blocks: list[Block] = [Missing(("Measurements",), self.again)]
        if self.records:
            commits = sorted({commit_in_words(r["environment"]) for r in self.records})
            several = len(self.seeds) > 1
            networks = {r.get("checkpoint_sha256") for r in self.records} - {None}
            told = (
                f"{len(self.records):,} measured numbers of {len(networks)} trained networks: "
                f"{f'{len(self.seeds)} trainings' if several else 'one training'} of each method "
                f"(seed{'s' if several else ''} {', '.join(map(str, self.seeds))}), the newest from "
                f"{self.date[:10]}; code at commit {', '.join(commits)}. Every number on this "
                "page comes from these records."
            )
            left = ", ".join(str(seed) for seed in self.asked if seed not in self.seeds)
            missing = [Missing((f"Measurements of seed {left}",), self.again)] if left else []
            blocks = [Text(told), *missing]
        lookup = f"python -m reproduce results --preset {self.preset.name}"
        return [
            *blocks,
            Text("To reproduce everything, from pictures to this page:"), Text(self.again, "code"),
            Text("Only missing or stale results are computed again. To look up a single number, and "
                 "reproduce it from its record:"),
            Text(f"{lookup}\npython -m reproduce rerun RECORD", "code"),
        ]  # fmt: skip

    def _table(self, number: int) -> list[Block]:
        tasks = self.preset.tables[number]
        if not any(record["task"] in tasks for record in self.records):
            return [Missing((f"Table {number}",), self.again)]
        made = tables_of(number, self.preset, self.places.results, self.seeds)
        shown: list[Block] = [Text(ABOUT[number]), *blocks_of(made[f"table{number}"])]
        scores = made.get("table1-scores")
        if scores and scores.parts:
            title = Text("Fidelity, and scores against the drawn ground truth", "heading")
            shown += [title, *blocks_of(scores)]
        return shown

    def _claims(self) -> list[Block]:
        """The number of claims that hold, a table for each source and task, and the caption."""
        if not claims(self.preset):
            return []
        if all("submission" in record for record in self.records):
            return [Missing(("Verdicts on the papers' claims",), self.again)]
        tables = claims_table(self.preset, self.places.results, self.seeds)
        (table,) = tables.parts
        known = {column.title: column for column in COLUMNS}
        first = replace(known["Claim"], title="Claim, and what was measured")
        columns = (first, known["Verdict"], *(known[name] for name in BESIDE))
        groups: dict[str, list[Row]] = {}
        for row in table.rows:
            groups.setdefault(f"{row['source']}: {row['on']}", []).append(row)
        return [
            Text(summary([row["verdict"] for row in table.rows])),
            *(
                replace(table, title=title, columns=columns, rows=tuple(rows), kind="claims")
                for title, rows in groups.items()
            ),
            *map(Text, tables.notes),
        ]

    def _curves(self) -> list[Block]:
        return [
            block
            for task in dict.fromkeys(run.task for run in self.runs)
            for block in self.album.curves(task, stored_curves(self.folder, task, self.asked))
        ]

    def _theory(self) -> list[Block]:
        question = Text(
            "Styles are sampled from N(0, I), but only the style reconstruction term pulls encoded "
            "styles towards it: how close do they come, with and without this term? The encoders of "
            "both domains share one content space: how similar are their codes?"
        )
        tasks = theory_of(self.preset, self.known, self.seeds)
        tables = theory_table(self.preset, tasks)
        if not tables.parts:
            return [question, Missing(("Measurements of style and content codes",), self.again)]
        # A task's tables share a title; their first column's heading distinguishes them.
        parts = tuple(
            replace(part, title=f"{part.title}: {part.head[0].removesuffix(' of').lower()}")
            for part in tables.parts
        )
        return [question, *self.album.theory(tasks), *blocks_of(replace(tables, parts=parts))]

    def _ablations(self) -> list[Block]:
        """All ablations in the results folder; they are optional."""
        blocks: list[Block] = []
        for path in sorted((self.folder / "ablations").glob("*.json")):
            with foreign(f"{path} is no table", "write it again with ablate --stored"):
                table = of_texts(**json.loads(path.read_text(encoding="utf-8")))
            figure = self.album.figure("ablations/", f"ablations/{path.stem}", title=table.title)
            blocks += [figure, *blocks_of(Tables((table,)))]
        return blocks

    def _environment(self) -> list[Block]:
        """The machines and versions of the measurements and trainings."""
        if not self.records:
            return [Missing(("Measurements, which record their environment",), self.again)]
        measured = Counter(_machine(record["environment"]) for record in self.records)
        told = {r.get("checkpoint_sha256"): r["training"] for r in self.records if "training" in r}
        trained = Counter(_machine(of) for network, of in told.items() if network is not None)
        packages: dict[str, set[str]] = {}
        for record in self.records:
            about = record["environment"]
            for name, version in {"python": about["python"], **about["packages"]}.items():
                packages.setdefault(name, set()).add(str(version))
        versions = [(name, ", ".join(sorted(found))) for name, found in sorted(packages.items())]
        tables: list[Block] = [_counts("Machines of the measurements", "Numbers", measured)]
        if trained:
            tables.append(_counts("Machines of the trainings", "Networks", trained))
        return [*tables, of_texts("Versions", [("Package", "Version"), *versions])]


def write_report(
    preset: Preset, runs: Sequence[RunConfig], places: Places, out: Path
) -> tuple[list[Path], str]:
    """Write the report on ``runs`` (of one or more seeds) to ``out`` as a page and its PDF. Returns
    all files, and a note for the user if there is no PDF."""
    report = report_of(preset, runs, places)
    page = write_page(report, out)
    paper, note = write_pdf(report, out)
    return [*page, *paper], note


def cost_blocks(runs: Sequence[RunConfig], records: Sequence[Record], folder: Path) -> list[Block]:
    """The cost of each of ``runs``: a table per task with several methods, one for the other tasks."""
    seconds = [_training_seconds(run, folder) for run in runs]
    measuring = _measuring_seconds(records)
    groups: dict[str, dict[str, list[tuple[RunConfig, float | None]]]] = {}
    for run, took in zip(runs, seconds, strict=True):
        groups.setdefault(run.task, {}).setdefault(run.method, []).append((run, took))
    columns = (
        Column("Method", words=True), Column("Steps", spec=",.0f"),
        *(Column(f"Training, seed {seed} (s)", str(seed), ".0f")
          for seed in dict.fromkeys(run.seed for run in runs)),
        Column("One step (s)", "step"), Column("Measuring (s)", "measuring", ".0f"),
    )  # fmt: skip
    alone = list[Row]()
    tables = {task: list[Row]() for task, methods in groups.items() if len(methods) > 1}
    for task, methods in groups.items():
        for method, of in methods.items():
            title, steps = METHODS[method].title, of[0][0].steps
            known = [took for _, took in of if took is not None]
            tables.get(task, alone).append({
                "Method": title if task in tables else f"{title}, {heading(task)}",
                "Steps": steps, **{str(run.seed): took for run, took in of},
                "step": sum(known) / len(known) / steps if known else None,
                "measuring": measuring.get((task, method)) or None,
            })  # fmt: skip
    titled = {heading(task): rows for task, rows in tables.items()} | {"figures": alone}
    return [
        _sums(seconds, measuring),
        *(Table(f"Cost of each run: {title}", columns, tuple(of)) for title, of in titled.items() if of),
    ]  # fmt: skip


def _measuring_seconds(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """Seconds by task and method. Every record of a measurement has the time of the whole
    measurement: that of a direction, else that of the same raw values."""
    longest: dict[tuple[tuple[str, str], object], float] = {}
    for record in records:
        which = record["seed"], record.get("translation") or record.get("raw")
        key = (record["task"], record["method"]), which
        longest[key] = max(longest.get(key, 0.0), float(record.get("seconds", 0)))
    found: dict[tuple[str, str], float] = defaultdict(float)
    for (row, _), seconds in longest.items():
        found[row] += seconds
    return dict(found)


def _training_seconds(run: RunConfig, folder: Path) -> float | None:
    """Seconds of training of a run, from its stored curve; None if it has no complete curve."""
    curve = load_curve(curve_path(folder, run.task, run.method, run.seed))
    return float(curve.seconds[-1]) if curve and curve.steps[-1] == run.steps else None


def _sums(seconds: Sequence[float | None], measuring: Mapping[tuple[str, str], float]) -> Text:
    known = [s for s in seconds if s is not None]
    real = sum(v for (_, method), v in measuring.items() if method == REAL)
    return Text(
        f"The training time is known for {len(known)} of {len(seconds)} runs"
        + (f": {in_words(sum(known))} in total (sum over runs)" if known else "")
        + f". Measuring them took {in_words(sum(measuring.values()) - real)}, and real pictures "
        f"{in_words(real)} more (excluding drawing pictures and training classifiers). "
        "Times are wall-clock times, with other jobs running on the same machine; pauses between an "
        "interruption and its resumption are excluded."
    )


def _counts(title: str, what: str, counts: Mapping[tuple[str, str, str], int]) -> Table:
    names = "Device", "CPU threads", "Commit", what
    columns = (Column(name, words=name in ("Device", "Commit")) for name in names)
    rows = (dict(zip(names, (*of, str(n)), strict=True)) for of, n in sorted(counts.items()))
    return Table(title, tuple(columns), tuple(rows))


def _machine(made: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(made["device"]), str(made["threads"]), commit_in_words(made)


def commit_in_words(made: Mapping[str, Any]) -> str:
    """The commit of the code behind a result, in words."""
    if not made["commit"]:
        return "outside version control"
    return str(made["commit"])[:COMMIT_DIGITS] + (" with changes" if made["dirty"] else "")
