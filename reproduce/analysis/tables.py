"""The papers' tables, built from records: published next to reproduced numbers, and a score table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scipy import stats

import benchmarks.metrics.fidelity  # noqa: F401  declares the metrics that are shown
from benchmarks.harness.published import AVERAGE, published_table1, published_table2
from benchmarks.metric import METRICS, Metric
from benchmarks.metrics import observer, style_scores
from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.ground_truth import CATEGORY, PARTS, SILHOUETTE
from benchmarks.metrics.inception_score import CIS, IS, REACHED
from benchmarks.metrics.lpips_features import MEASURED_SIDE
from models.method import DIRECTIONS
from models.zoo import METHODS
from reproduce.analysis.agreement import FEWEST, Agreement, Number, agreement
from reproduce.analysis.estimate import Cells, Estimate, Record, few
from reproduce.analysis.table import (
    ALONE,
    DASH,
    HALF,
    Cell,
    Column,
    Row,
    Table,
    Tables,
    in_words,
    spread,
)
from reproduce.experiments.preset import TABLE1_METHODS, TABLE2_METHODS, Preset
from reproduce.records.current import Current, Quantity
from reproduce.records.store import QUALITY, REAL, REFERENCE, Records
from reproduce.tasks.specs import TASKS

# The columns of a table; the CSV has more.
COLUMNS = (
    Column("Method", "row", words=True),
    Column("Quality, paper", "paper_quality_percent", ".1f", "%"),
    Column("Quality, ours", "preferred", ".1f", "%"),
    Column("Diversity (LPIPS), paper", "paper_diversity"),
    Column("Diversity (LPIPS), ours", "diversity"),
    Column("Silhouette IoU", "silhouette_iou"),
)
NAMES = (
    "task", "method", "row", "paper_quality_percent", "paper_diversity", "diversity",
    "diversity_low", "diversity_high", "extractor", "protocol", "silhouette_iou",
    "quality_percent", "quality_low", "quality_high", "quality_source",
)  # fmt: skip
OF_OWN = ("row", "preferred", "diversity")  # columns always shown for the user's own pictures
SUBMITTED = "‡"
NOT_TRAINED = f"{SUBMITTED} was not trained here; its outputs were measured like all others:"
SPREAD = ("diversity", "silhouette_iou", "quality")


def table1(preset: Preset, cells: Cells) -> Tables:
    """Table 1 of the MUNIT paper from records, one table per task. A row shows a dash if it has no
    record, or if its protocol differs from the newest record's: a column holds one quantity.
    """
    published, tasks = published_table1(), tuple(preset.tables[1])
    others = cells.submissions(tasks)
    # A submission decides the protocol only if nothing else was measured.
    every = (Quantity("diversity", m, task) for m in (*TABLE1_METHODS, *others) for task in tasks)
    first = next(filter(None, map(cells.record, every)), None)
    way = first["protocol"] if first else {"extractor": "", "protocol": ""}
    extractor, protocol = str(way["extractor"]), str(way["protocol"])
    rows, nearness, judges = list[Row](), list[str](), list[Mapping[str, Any]]()
    for task in tasks:
        diversities, qualities = list[Number](), list[Number]()
        own = cells.submissions([task])
        about = {
            method: cells.record(Quantity("quality", method, task))
            for method in (*preset.methods_of(1, task), *own, REAL)
        }
        asked = min((r["metric"] for r in about.values() if r), key=QUALITY.index, default="")
        counterpart = TASKS[task].stands_for if task in TASKS else task
        for method in about:
            title = title_of(method)
            quality, paper = published.get((counterpart, title), (None, None))
            diversity, preference, iou = (
                Quantity(family, method, task)
                for family in ("diversity", "quality", SILHOUETTE.name)
            )
            diverse, preferred, source = cells.of(diversity), cells.of(preference), about[method]
            even = None  # 50 % by definition; the reference against itself is a control
            if source and preferred:
                preferred = replace(preferred, note=source["metric"].removeprefix("quality-"))
                even = Estimate(50.0, seeds=len(cells.trainings), note=preferred.note)
                if preferred.note == "judged":
                    judges.append(source["protocol"])
                if quality is not None and source["metric"] == asked and method != REFERENCE:
                    qualities.append(Number(quality, cells.by_seed(preference)))
            if paper is not None:
                diversities.append(Number(paper, cells.by_seed(diversity)))
            rows.append({
                "task": task, "method": method, "row": title, "paper_quality_percent": quality,
                "paper_diversity": paper, "diversity": diverse, "extractor": extractor,
                "protocol": record["protocol"]["protocol"] if (record := cells.record(diversity)) else "",
                "silhouette_iou": cells.of(iou),
                "quality": preferred, "quality_percent": preferred,
                "quality_source": preferred and preferred.note,
                "preferred": even if method == REFERENCE else preferred,
            })  # fmt: skip
        if qualities:  # the reference against itself is 50 % by definition
            asked_at = {seed for number in qualities for seed in number.ours}
            qualities.append(Number(50.0, dict.fromkeys(asked_at, 50.0)))
        of_columns = agreement("Diversity", diversities), agreement("Quality", qualities)
        nearness += against_paper(of_columns, f" on {task}")
    words = (
        f"Preset {scale(preset)}. {departs(preset)}Diversity, ours: protocol {protocol or DASH}, which enlarges "
        f"pictures under {MEASURED_SIDE} px to {MEASURED_SIDE} px. Values: {trainings(cells.trainings, 'random pairs')}"
    )
    columns = tuple(
        column for column in COLUMNS
        if {*tasks} - {*preset.own} or column.key in OF_OWN
        or any(row[column.key] is not None for row in rows)
    )  # fmt: skip
    if extractor not in ("", "lpips"):
        words += f" {extractor} is not the paper's LPIPS, so compare the order of rows, not values."
        # The column's heading names the extractor.
        columns = tuple(
            replace(c, title=c.title.replace("LPIPS", extractor)) if c.key == "diversity" else c
            for c in columns
        )
    words += _about_quality(rows, judges)
    if any(METHODS[m].method.paired for task in tasks for m in preset.methods_of(1, task)):
        words += " † is trained on pairs."
    words += "".join(f" {told}." for told in preset.unpaired())
    parts = tuple(
        Table(
            heading(task), columns, tuple(row for row in rows if row["task"] == task),
            trainings=len(cells.trainings),
        )
        for task in tasks
    )  # fmt: skip
    names = (*NAMES, *spread(SPREAD, cells.trainings))
    notes = (words, *nearness)
    return Tables(parts, notes, NOT_TRAINED, submitted(others), True, tuple(rows), names)


def _about_quality(rows: Sequence[Row], judges: Iterable[Mapping[str, Any]]) -> str:
    """How Quality was measured (judges by their protocols), and the reference against itself."""
    asked = [(row, row["quality"]) for row in rows if isinstance(row["quality"], Estimate)]
    sources = {quality.note for _, quality in asked}
    words = ""
    photos = {
        f"photos of the {of.get('right', observer.RIGHT)} training inputs"
        if of.get("pairs_known", True) else f"{of['right']} training photos" for of in judges
    }  # fmt: skip
    if photos:
        words += (
            " Quality (judged): percentage of pairs of translations in which the method's is closer "
            f"(LPIPS 0.1) than MUNIT's to the nearest of the {' or '.join(sorted(photos))} most similar "
            "to the input; a proxy for human preference."
        )
    if "observed" in sources:
        words += (
            " Quality (observed): percentage of pairs of translations in which the method's is closer "
            f"(LPIPS 0.1) than MUNIT's to the nearest of {observer.RIGHT} ground-truth pictures of the "
            "input. The observer ignores diversity, counts a style that no ground-truth picture has as "
            "an error, and does not measure what people find realistic."
        )
    if any(row["method"] == REAL for row, _ in asked):
        words += " Quality of real data compares real pictures of the same inputs with MUNIT's."
    if "human" in sources:
        words += " Quality (human): preference over MUNIT by people."
    controls = [
        f"{in_words(quality, '.1f', '%')} ({row['task']})"
        for row, quality in asked
        if row["method"] == REFERENCE and quality.note != "human"
    ]
    if controls:
        words += f" As a control, two samples of MUNIT against each other: {', '.join(controls)}."
    return words


def title_of(method: str) -> str:
    """A method's row title in the paper; a submitted row, not trained here, is marked."""
    if method in METHODS:
        return METHODS[method].title
    return "Real data" if method == REAL else f"{method} {SUBMITTED}"


def submitted(rows: Mapping[str, Record]) -> tuple[str, ...]:
    """A sentence about each submitted row, which was not trained here."""
    told = []
    for label, record in rows.items():
        about = {key: str(value) for key, value in record["submission"].items()}
        facts = [about.pop("name", label), *(f"{key} {value}" for key, value in about.items())]
        told.append(f"{title_of(label)}: {'; '.join(facts)}.")
    return tuple(told)


def heading(task: str) -> str:
    """A task's title, with the paper's task that it replaces."""
    spec = TASKS.get(task)
    if spec is None or spec.stands_for == task:
        return spec.title if spec else task
    return f"{spec.title} (paper: {spec.stands_for})"


def scale(preset: Preset) -> str:
    """A preset's title and its overrides."""
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return preset.title + (f" with {changes}" if changes else "")


def departs(preset: Preset) -> str:
    """How a preset differs from the published recipe apart from scale; ends in a space if not empty."""
    return f"{preset.departs} " if preset.departs else ""


def trainings(seeds: Sequence[int], of_real: str = "") -> str:
    """What values and their intervals are over; ``of_real``: real data's interval, of one seed."""
    if len(seeds) < 2:
        told = f" (of real data, over {of_real})" if of_real else ""
        return f"one training each; 95% intervals are over inputs{told}, not over seeds."
    return (
        f"means over {len(seeds)} trainings (seeds {', '.join(map(str, seeds))}), ± the longer side "
        "of a 95% confidence interval over trainings on the same pictures (Student's t on "
        "untransformed values, clipped to the metric's range); for real data the interval is over "
        f"pictures.{few(len(seeds))} Cells with fewer trainings are marked; the interval of a single "
        "one is over inputs."
    )


def against_paper(
    agreements: Iterable[Agreement | None], where: str = "", unit: str = ""
) -> list[str]:
    """How closely our columns agree with the paper's, as one sentence; empty if not known."""
    told = "; ".join(of.in_words(unit) for of in agreements if of)
    return [f"Agreement with the paper{where} (intervals over trainings): {told}."] if told else []


# The columns: metrics, or metric families, whose names end in the extractor's name.
SHOWN = (
    "fid", "kid", "precision", "recall",
    *(metric.name for metric in (
        observer.TRUTH_DISTANCE, observer.PHOTO_DISTANCE, observer.QUALITY_OBSERVED,
        observer.QUALITY_JUDGED, SILHOUETTE, CATEGORY, PARTS, style_scores.COLOUR_DISTANCE,
        style_scores.COLOUR_ENTROPY, style_scores.PATTERN_DISTANCE, style_scores.PATTERN_ENTROPY,
        style_scores.CONSISTENCY,
    )),
)  # fmt: skip
SCORE_NAMES = ("task", "row", "metric", "unit", "direction", "value", "low", "high")


def score_table(preset: Preset, cells: Cells) -> Tables:
    """All scores on all tasks of Table 1, with a description of each column; no tables if only one
    score was measured. Intervals are shown for several trainings; the CSV has every interval."""
    scored = {
        task: (*preset.methods_of(1, task), *cells.submissions([task]), REAL)
        for task in preset.tables[1]
    }
    parts = tuple(t for of in scored.items() if len((t := _scores_of(*of, cells)).columns) > 2)
    found = {
        (task, method, name): record
        for task, methods in scored.items() for method in methods for name in SHOWN
        if (record := cells.record(Quantity(name, method, task)))
    }  # fmt: skip
    shown = {name: record["metric"] for (*_, name), record in found.items()}
    about = (METRICS[shown[name]] for name in SHOWN if name in shown)
    points = tuple(f"**{m.words}**: {m.protocol} ({m.unit})" for m in about)
    notes = (f"Values are {trainings(cells.trainings)}",) if cells.trainings else ()
    data = tuple(
        {
            "task": task, "row": title_of(method),
            **{key: record[key] for key in ("metric", "unit", "direction")},
            "value": cells.of(Quantity(name, method, task)),
        }
        for (task, method, name), record in found.items()
    )  # fmt: skip
    names = (*SCORE_NAMES, *spread(["value"], cells.trainings))
    return Tables(parts, notes, "", points, data=data, names=names)


def _scores_of(task: str, methods: Sequence[str], cells: Cells) -> Table:
    """One task's rows, with the columns in which at least one row has a value."""
    columns, rows = [Column("Method", words=True)], list[Row]()
    form = HALF if cells.trainings else ALONE
    for name in SHOWN:
        known = (cells.record(Quantity(name, method, task)) for method in methods)
        if record := next(filter(None, known), None):
            metric = METRICS[record["metric"]]
            columns.append(Column(metric.heading, name, f".{metric.digits}f", form=form))
    for method in methods:
        own = {name: cells.of(Quantity(name, method, task)) for name in SHOWN}
        rows.append({"Method": title_of(method), **own})
    below = _judges_stand(task, cells)
    return Table(heading(task), tuple(columns), tuple(rows), below, len(cells.trainings))


def _judges_stand(task: str, cells: Cells) -> str:
    """How well the judge agrees with the observer, in one line; empty unless both were measured."""
    pairs = list[tuple[float, float]]()
    for method in TABLE1_METHODS:
        if method != REFERENCE:
            judged, observed = (
                cells.by_seed(Quantity(metric.name, method, task))
                for metric in (observer.QUALITY_JUDGED, observer.QUALITY_OBSERVED)
            )
            pairs += [(judged[seed], observed[seed]) for seed in sorted({*judged} & {*observed})]
    if len(pairs) < FEWEST or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return ""
    rank = float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    return (
        f"Quality, judged and observed: Spearman correlation {rank:.2f} over {len(pairs)} trainings "
        "of all methods."
    )


BY_MODES = (IS, CIS, REACHED)  # metrics of the mode classifier
# A method's scores in one direction, by CSV column.
SCORES = {"cis": CIS, "is": IS, "all_modes_share": REACHED, "content_confusion": CONTENT_CONFUSION}


def table2(preset: Preset, cells: Cells) -> Tables:
    """Table 2 from records, one table per score, in nats. A missing measurement shows a dash."""
    paper = published_table2()
    rows, protocols = list[Row](), set[str]()
    numbers: dict[str, list[Number]] = {"CIS": [], "IS": []}
    classifiers, readers, limits = dict[str, str](), dict[str, str](), set[float | None]()
    tasks = preset.tables[2]
    others = cells.submissions(tasks)
    methods = (*TABLE2_METHODS, *others)
    measured = (*methods, REAL)
    every = [(task, translation) for task in tasks for translation in DIRECTIONS]
    for task, translation in every:
        where, title = (task, translation), preset.spec(task).directions[translation]
        asked = (Quantity(metric.name, m, *where) for m in measured for metric in BY_MODES)
        known = [record for quantity in asked if (record := cells.record(quantity))]
        modes = next((r["protocol"]["modes"] for r in known), None)
        most = math.log(len(modes)) if modes else None
        limits.add(most)
        printed = {} if task in preset.own else paper  # even if the domains have the paper's names
        rows += _of_directions(title, methods, [where], printed, most, cells)
        for method in TABLE2_METHODS:
            of_paper = printed.get((title, METHODS[method].title))
            for column, metric, at in (("CIS", CIS, 0), ("IS", IS, 1)):
                by_seed = cells.by_seed(Quantity(metric.name, method, *where))
                if of_paper and by_seed:
                    numbers[column].append(Number(of_paper[at], by_seed, title))
        for record in known:
            about = record["protocol"]
            if record["method"] != REAL:
                protocols.add(str(about["protocol"]))
            classifiers[about["domain"]] = f"{about['domain']} {about['accuracy']:.3f}"
        for method in measured:
            if read := cells.record(Quantity(CONTENT_CONFUSION.name, method, *where)):
                about = read["protocol"]
                told = ", ".join(f"{factor} {r2:.2f}" for factor, r2 in about["r2"].items())
                readers[about["domain"]] = f"{about['domain']}: {told}"
    # The paper's average is shown only if the directions are the paper's.
    same = {row["direction"] for row in rows} == {title for title, _ in paper} - {AVERAGE}
    limit = limits.pop() if len(limits) == 1 else None
    printed = paper if same and not preset.own else {}
    rows += _of_directions(AVERAGE, methods, every, printed, limit, cells)
    words = (
        f"Preset {scale(preset)}. {departs(preset)}Protocol (paper: 100 inputs x 100 samples of each): "
        f"{', '.join(sorted(protocols)) or DASH}. Values: {trainings(cells.trainings)} Scores are in nats "
        "(no exponential). ln K is the maximum for K modes; the IS of real data is the maximum that "
        "the classifier can detect."
    )
    nearness = against_paper([agreement(*column) for column in numbers.items()], unit="nats")
    if classifiers:
        told = ", ".join(classifiers[domain] for domain in sorted(classifiers))
        words += f" Classifier accuracy on held-out pictures: {told}."
    if readers:
        words += (
            " Content confusion: a network predicts the content of a translation; the score is the "
            "share of other inputs whose true content is closer to this prediction than the content of "
            "its own input. On real data it is the error of the network. R² of the network by factor, on "
            f"held-out pictures: {'; '.join(readers[domain] for domain in sorted(readers))}."
        )
    names = (
        "direction", "method", "row", "paper_cis", "paper_is",
        *(f"{name}{end}" for name in SCORES for end in ("", "_low", "_high")), "real_is", "ln_k",
        "real_content_confusion", *spread(list(SCORES), cells.trainings),
    )  # fmt: skip
    published = TABLE2_METHODS if {*tasks} - {*preset.own} else ()
    parts = tuple(_parts(rows, methods, published, len(cells.trainings)))
    notes = (words, *nearness)
    return Tables(parts, notes, NOT_TRAINED, submitted(others), True, tuple(rows), names)


def _of_directions(
    title: str, methods: Sequence[str], directions: Sequence[tuple[str, str]],
    paper: Mapping[tuple[str, str], tuple[float, float]], limit: float | None, cells: Cells,
) -> list[Row]:  # fmt: skip
    """One row per method for one direction, or for the mean over several, with the bounds of its
    scores: real pictures and ln K."""

    def cell(method: str, metric: Metric) -> Estimate | None:
        return cells.of(*(Quantity(metric.name, method, *where) for where in directions))

    bounds = {
        "real_is": cell(REAL, IS), "ln_k": limit,
        "real_content_confusion": cell(REAL, CONTENT_CONFUSION),
    }  # fmt: skip
    rows = list[Row]()
    for method in methods:
        name = title_of(method)
        cis, inception = paper.get((title, name), (None, None))
        scores = {key: cell(method, metric) for key, metric in SCORES.items()}
        about = {"direction": title, "method": method, "row": name}
        rows.append({**about, "paper_cis": cis, "paper_is": inception, **scores, **bounds})
    return rows


def _parts(
    rows: Sequence[Row], methods: Sequence[str], published: Sequence[str], seeds: int
) -> list[Table]:
    """One table per score, directions by methods, with the paper's numbers of the ``published``."""
    wide: dict[Cell, dict[str, Cell]] = {}  # direction -> the numbers of all methods
    for row in rows:
        of_direction = wide.setdefault(row["direction"], dict(row))
        of_direction |= {f"{row['method']} {key}": cell for key, cell in row.items()}
    titles = {method: title_of(method) for method in methods}

    def paired(score: str) -> list[Column]:
        return [
            Column(f"{title}, {who}", f"{method} {start}{score}")
            for method, title in titles.items()
            for who, start in (("paper", "paper_"), ("ours", ""))
            if who == "ours" or method in published
        ]

    def alone(score: str, spec: str = ".3f", form: str = HALF) -> list[Column]:
        return [Column(t, f"{m} {score}", spec, form=form) for m, t in titles.items()]

    parts = {
        "CIS (nats): how much the mode varies for one input": paired("cis"),
        "IS (nats): how much the mode varies over all inputs": [
            *paired("is"), Column("Real data", "real_is"), Column("ln K", "ln_k"),
        ],
        "Inputs that reach every mode": alone("all_modes_share", ".0%", ALONE),
    }  # fmt: skip
    if any(row["content_confusion"] for row in rows):
        parts["Content confusion (lower is better; 0: content kept, 0.5: chance)"] = [
            *alone("content_confusion"), Column("Real data", "real_content_confusion"),
        ]  # fmt: skip
    first = Column("Direction", "direction", words=True)
    return [
        Table(title, (first, *columns), tuple(wide.values()), trainings=seeds)
        for title, columns in parts.items()
    ]


def tables_of(
    number: int, preset: Preset, results: Path, seeds: Sequence[int]
) -> dict[str, Tables]:
    """Table ``number`` and its companion tables by file name, from the records of ``seeds``. Seeds
    without records of the table's methods are ignored."""
    records, tasks = Records(results, preset.name).all(), preset.tables.get(number, [])
    every = Current(records, seeds)
    cells = Cells(records, [s for s in every.seeds if every.has(s, tasks)] or seeds[:1])
    if number == 2:
        return {"table2": table2(preset, cells)}
    return {"table1": table1(preset, cells), "table1-scores": score_table(preset, cells)}


def table_of(
    number: int, preset: Preset, results: Path, seeds: Sequence[int], write: bool
) -> tuple[str, list[Path]]:
    """Table ``number`` in Markdown, and the paths of its files, which only ``write`` makes."""
    made, files = tables_of(number, preset, results, seeds), list[Path]()
    for name, tables in made.items() if write else ():
        if tables.parts:
            suffixes = "md csv" if name.endswith("scores") else "md csv tex"
            files += tables.write(results / preset.name, name, suffixes)
    return made[f"table{number}"].markdown(), files
