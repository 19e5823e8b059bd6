"""The papers' tables from records: the published column beside ours, the wider table of scores, and their files."""

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

# What a table shows; a CSV has more.
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
OF_OWN = ("row", "preferred", "diversity")  # columns that one's own pictures always have
SUBMITTED = "‡"
NOT_TRAINED = f"{SUBMITTED} was not trained here; its outputs were measured like all others:"
SPREAD = ("diversity", "silhouette_iou", "quality")


def table1(preset: Preset, cells: Cells) -> Tables:
    """Table 1 of the MUNIT paper from records, a table a task. A row without a record shows a dash,
    and so does one that was measured in another way than the newest: a column holds one quantity.
    """
    published, tasks = published_table1(), tuple(preset.tables[1])
    others = cells.submissions(tasks)
    # What others submit sets no protocol, unless there is nothing else.
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
            even = None  # by definition; what the reference scores against itself is a control
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
        if qualities:  # to itself the reference is preferred as often as not
            asked_at = {seed for number in qualities for seed in number.ours}
            qualities.append(Number(50.0, dict.fromkeys(asked_at, 50.0)))
        of_columns = agreement("Diversity", diversities), agreement("Quality", qualities)
        nearness += against_paper(of_columns, f" on {task}")
    words = (
        f"Preset {scale(preset)}. {departs(preset)}Diversity, ours: protocol {protocol or DASH}, which enlarges pictures "
        f"under {MEASURED_SIDE} px to {MEASURED_SIDE} px; {trainings(cells.trainings, 'random pairs')}"
    )
    columns = tuple(
        column for column in COLUMNS
        if {*tasks} - {*preset.own} or column.key in OF_OWN
        or any(row[column.key] is not None for row in rows)
    )  # fmt: skip
    if extractor not in ("", "lpips"):
        words += f" {extractor} is not the paper's LPIPS, so compare the order of rows, not values."
        # Named where its numbers stand.
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
    """Who preferred, of judges by their protocols, and what the reference scores against itself."""
    asked = [(row, row["quality"]) for row in rows if isinstance(row["quality"], Estimate)]
    sources = {quality.note for _, quality in asked}
    words = ""
    photos = {
        f"photos of the {of.get('right', observer.RIGHT)} training inputs"
        if of.get("pairs_known", True) else f"{of['right']} training photos" for of in judges
    }  # fmt: skip
    if photos:
        words += (
            " Quality (judged): share of pairs of translations in which the method's is nearer (LPIPS "
            f"0.1) than MUNIT's to the nearest of the {' or '.join(sorted(photos))} that are most like "
            "the input, a stand-in for people."
        )
    if "observed" in sources:
        words += (
            " Quality (observed): share of pairs of translations in which the method's is nearer "
            f"(LPIPS 0.1) than MUNIT's to the nearest of {observer.RIGHT} true pictures of the input. The "
            "observer does not see whether a set of pictures is varied, takes a style that no true "
            "picture has for an error, and knows nothing of what people find realistic."
        )
    if any(row["method"] == REAL for row, _ in asked):
        words += " Real data's Quality is that of real pictures of the same inputs against MUNIT's."
    if "human" in sources:
        words += " Quality (human): preference over MUNIT by people."
    controls = [
        f"{in_words(quality, '.1f', '%')} ({row['task']})"
        for row, quality in asked
        if row["method"] == REFERENCE and quality.note != "human"
    ]
    if controls:
        words += f" Two samples of MUNIT against each other: {', '.join(controls)}."
    return words


def title_of(method: str) -> str:
    """As the paper's rows call a method; a row that was not trained here bears a mark."""
    if method in METHODS:
        return METHODS[method].title
    return "Real data" if method == REAL else f"{method} {SUBMITTED}"


def submitted(rows: Mapping[str, Record]) -> tuple[str, ...]:
    """What a reader is told of rows that were not trained here, one each."""
    told = []
    for label, record in rows.items():
        about = {key: str(value) for key, value in record["submission"].items()}
        facts = [about.pop("name", label), *(f"{key} {value}" for key, value in about.items())]
        told.append(f"{title_of(label)}: {'; '.join(facts)}.")
    return tuple(told)


def heading(task: str) -> str:
    """A task's title, with the paper's task that it stands for."""
    spec = TASKS.get(task)
    if spec is None or spec.stands_for == task:
        return spec.title if spec else task
    return f"{spec.title} (paper: {spec.stands_for})"


def scale(preset: Preset) -> str:
    """A preset and what was overridden, in words."""
    changes = ", ".join(f"{k}={v}" for k, v in preset.changes.items())
    return preset.title + (f" with {changes}" if changes else "")


def departs(preset: Preset) -> str:
    """In what a preset is not the published recipe scaled, as a sentence before others."""
    return f"{preset.departs} " if preset.departs else ""


def trainings(seeds: Sequence[int], of_real: str = "") -> str:
    """What numbers are means over, and their intervals about; ``of_real``: real data's, of one."""
    if len(seeds) < 2:
        told = f" (of real data, over {of_real})" if of_real else ""
        return f"one training each, so the 95% intervals are over inputs{told} and not over seeds."
    return (
        f"means over {len(seeds)} trainings each (seeds {', '.join(map(str, seeds))}) with 95% "
        "intervals over other trainings on the same pictures (Student's t, on the values as they "
        "are, cut where they cannot go), ± the longer side; "
        f"real data's are over pictures.{few(len(seeds))} A cell of fewer trainings says so; that "
        "of one has an interval over inputs."
    )


def against_paper(
    agreements: Iterable[Agreement | None], where: str = "", unit: str = ""
) -> list[str]:
    """How near columns of ours are to the paper's, in a sentence; none where that is not known."""
    told = "; ".join(of.in_words(unit) for of in agreements if of)
    return [f"Against the paper{where} (intervals over trainings): {told}."] if told else []


# Column by column: metrics, or families of them, whose names end in the extractor's.
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
    """All tasks of Table 1, with what the columns mean; no tables where nothing but one score was
    measured. Intervals are those over several trainings; the CSV has all, one line a number."""
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
    """One task's rows, with the columns that any of them fills."""
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
    """How far judges can stand in for the observer, in a line; empty where not both were asked."""
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
        f"Quality as judged against Quality as observed: Spearman {rank:.2f} over {len(pairs)} "
        "trainings of the methods."
    )


BY_MODES = (IS, CIS, REACHED)  # what a classifier of modes measures
# The numbers of a method in a direction, as the CSV calls them.
SCORES = {"cis": CIS, "is": IS, "all_modes_share": REACHED, "content_confusion": CONTENT_CONFUSION}


def table2(preset: Preset, cells: Cells) -> Tables:
    """Table 2 from records, a table a score; what was not measured shows a dash. Scores are in nats."""
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
        printed = {} if task in preset.own else paper  # even where domains are called alike
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
    # Beside the paper's average only where the directions are its.
    same = {row["direction"] for row in rows} == {title for title, _ in paper} - {AVERAGE}
    limit = limits.pop() if len(limits) == 1 else None
    printed = paper if same and not preset.own else {}
    rows += _of_directions(AVERAGE, methods, every, printed, limit, cells)
    words = (
        f"Preset {scale(preset)}. {departs(preset)}{', '.join(sorted(protocols)) or DASH} (inputs x samples of each); "
        f"{trainings(cells.trainings)} Scores are in nats, without exponential. ln K is the most that K "
        "modes allow, and real data's IS the most that the classifier can see."
    )
    nearness = against_paper([agreement(*column) for column in numbers.items()], unit="nats")
    if classifiers:
        told = ", ".join(classifiers[domain] for domain in sorted(classifiers))
        words += f" Accuracy of the classifiers on held-out pictures: {told}."
    if readers:
        words += (
            " Content confusion: the share of other inputs whose true content is nearer to what a "
            "network reads off a translation than its own input's; real data's is the network's own "
            "error. Share of each factor's variance that it explains on held-out pictures: "
            f"{'; '.join(readers[domain] for domain in sorted(readers))}."
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
    """A row a method of one direction, or of the mean over several, with what bounds its scores: real
    pictures and ln K."""

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
    """A table a score: directions by methods, beside the paper's numbers of the ``published``."""
    wide: dict[Cell, dict[str, Cell]] = {}  # by direction, the numbers of all methods
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
        "CIS (nats): how much modes vary for one input": paired("cis"),
        "IS (nats): how much modes vary over all inputs": [
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
    """Table ``number`` of the records of ``seeds``, and what stands beside it, by file name. Only
    seeds count that have records of the table's methods."""
    records, tasks = Records(results, preset.name).all(), preset.tables.get(number, [])
    every = Current(records, seeds)
    cells = Cells(records, [s for s in every.seeds if every.has(s, tasks)] or seeds[:1])
    if number == 2:
        return {"table2": table2(preset, cells)}
    return {"table1": table1(preset, cells), "table1-scores": score_table(preset, cells)}


def table_of(
    number: int, preset: Preset, results: Path, seeds: Sequence[int], write: bool
) -> tuple[str, list[Path]]:
    """Table ``number`` in Markdown; with ``write`` also all its files, which are returned."""
    made, files = tables_of(number, preset, results, seeds), list[Path]()
    for name, tables in made.items() if write else ():
        if tables.parts:
            suffixes = "md csv" if name.endswith("scores") else "md csv tex"
            files += tables.write(results / preset.name, name, suffixes)
    return made[f"table{number}"].markdown(), files
