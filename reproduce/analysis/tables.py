"""The papers' tables from records: the published column beside ours. Table 1 is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.harness.published import published_table1
from benchmarks.metrics.ground_truth import SILHOUETTE
from benchmarks.metrics.lpips_features import MEASURED_SIDE
from benchmarks.metrics.observer import RIGHT
from models.zoo import METHODS
from reproduce.analysis.agreement import Agreement, Number, agreement
from reproduce.analysis.cells import Cells, Record
from reproduce.analysis.estimate import Estimate, few
from reproduce.analysis.table import DASH, Column, Row, Table, Tables, in_words, spread
from reproduce.experiments.preset import TABLE1_METHODS, Preset
from reproduce.records.current import Quantity
from reproduce.records.store import QUALITY, REAL, REFERENCE
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
    every = [Quantity("diversity", m, task) for m in (*TABLE1_METHODS, *others) for task in tasks]
    protocols = [record["protocol"] for quantity in every if (record := cells.record(quantity))]
    extractor, protocol = (
        next((str(of[key]) for of in protocols), "") for key in ("extractor", "protocol")
    )
    rows, nearness = list[Row](), ""
    for task in tasks:
        diversities, qualities = list[Number](), list[Number]()
        own = cells.submissions([task])
        about = {
            method: cells.record(Quantity("quality", method, task))
            for method in (*TABLE1_METHODS, *own, REAL)
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
            if source and preferred:
                preferred = replace(preferred, note=source["metric"].removeprefix("quality-"))
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
                "preferred": _even(preferred, cells) if method == REFERENCE else preferred,
            })  # fmt: skip
        if qualities:  # to itself the reference is preferred as often as not
            asked_at = {seed for number in qualities for seed in number.ours}
            qualities.append(Number(50.0, dict.fromkeys(asked_at, 50.0)))
        of_columns = agreement("Diversity", diversities), agreement("Quality", qualities)
        nearness += against_paper([of for of in of_columns if of is not None], f" on {task}")
    words = (
        f"{scale(preset)}. Diversity, ours: protocol {protocol or DASH}, which enlarges pictures "
        f"under {MEASURED_SIDE} px to {MEASURED_SIDE} px; {trainings(cells.trainings, 'random pairs')}"
    )
    columns: tuple[Column, ...] = COLUMNS
    if extractor not in ("", "lpips"):
        words += f" {extractor} is not the paper's LPIPS, so compare the order of rows, not values."
        # Named where its numbers stand.
        columns = tuple(
            replace(c, title=c.title.replace("LPIPS", extractor)) if c.key == "diversity" else c
            for c in COLUMNS
        )
    words += f"{_about_quality(rows)}{nearness} † is trained on pairs."
    parts = tuple(
        Table(
            heading(task), columns, tuple(row for row in rows if row["task"] == task),
            trainings=len(cells.trainings),
        )
        for task in tasks
    )  # fmt: skip
    names = (*NAMES, *spread(SPREAD, cells.trainings))
    told = about_submissions(others)
    lead = NOT_TRAINED if told else ""
    return Tables(parts, (words,), lead, told, data=tuple(rows), names=names)


def _even(control: Estimate | None, cells: Cells) -> Estimate | None:
    """The reference's Quality, by definition; what it scores against itself is a control."""
    return control and Estimate(50.0, seeds=len(cells.trainings), note=control.note)


def _about_quality(rows: Sequence[Row]) -> str:
    """Who preferred, and what the reference scores against itself."""
    asked = [(row, row["quality"]) for row in rows if isinstance(row["quality"], Estimate)]
    sources = {quality.note for _, quality in asked}
    words = ""
    if "judged" in sources:
        words += (
            " Quality (judged): share of pairs of translations in which the method's is nearer (LPIPS "
            f"0.1) than MUNIT's to the nearest of the photos of the {RIGHT} training inputs that are "
            "most like the input, a stand-in for people."
        )
    if "observed" in sources:
        words += (
            " Quality (observed): share of pairs of translations in which the method's is nearer "
            f"(LPIPS 0.1) than MUNIT's to the nearest of {RIGHT} true pictures of the input. The "
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


def about_submissions(rows: Mapping[str, Record]) -> tuple[str, ...]:
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
    return f"Preset {preset.title}" + (f" with {changes}" if changes else "")


def trainings(seeds: Sequence[int], of_real: str = "") -> str:
    """What numbers are means over, and their intervals about; ``of_real``: real data's, of one."""
    if len(seeds) < 2:
        told = f" (of real data, over {of_real})" if of_real else ""
        return f"one training each, so the 95% intervals are over inputs{told} and not over seeds."
    return (
        f"means over {len(seeds)} trainings each (seeds {', '.join(map(str, seeds))}) with 95% "
        "intervals over other trainings on the same pictures (Student's t), ± the longer side; "
        f"real data's are over pictures.{few(len(seeds))} A cell of fewer trainings says so; that "
        "of one has an interval over inputs."
    )


def against_paper(agreements: Sequence[Agreement], where: str = "", unit: str = "") -> str:
    """How near columns of ours are to the paper's, in a sentence; empty where that is not known."""
    told = "; ".join(of.in_words(unit) for of in agreements)
    return f" Against the paper{where}: {told}." if told else ""
