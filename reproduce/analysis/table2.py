"""Table 2 of the MUNIT paper: CIS and IS of four methods on the directions between domains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.harness.published import AVERAGE, published_table2
from benchmarks.metric import Metric
from benchmarks.metrics.content_confusion import CONTENT_CONFUSION
from benchmarks.metrics.inception_score import CIS, IS, REACHED
from models.method import DIRECTIONS
from models.zoo import METHODS
from reproduce.analysis.agreement import Number, agreement
from reproduce.analysis.cells import Cells
from reproduce.analysis.estimate import Estimate
from reproduce.analysis.table import ALONE, DASH, HALF, Cell, Column, Row, Table, Tables, spread
from reproduce.analysis.tables import (
    NOT_TRAINED,
    about_submissions,
    against_paper,
    scale,
    title_of,
    trainings,
)
from reproduce.experiments.preset import TABLE2_METHODS, Preset
from reproduce.records.current import Quantity
from reproduce.records.store import REAL
from reproduce.tasks.specs import TASKS

BY_MODES = (IS, CIS, REACHED)  # what a classifier of modes measures
# The numbers of a method in a direction, as the CSV calls them.
SCORES = {"cis": CIS, "is": IS, "all_modes_share": REACHED, "content_confusion": CONTENT_CONFUSION}


def table2(preset: Preset, cells: Cells) -> Tables:
    """Table 2 from records, a table a score; what was not measured shows a dash. Scores are in nats."""
    paper = published_table2()
    rows, protocols, every = list[Row](), set[str](), list[tuple[str, str]]()
    numbers: dict[str, list[Number]] = {"CIS": [], "IS": []}
    classifiers, readers, limits = dict[str, str](), dict[str, str](), set[float | None]()
    tasks = preset.tables[2]
    others = cells.submissions(tasks)
    methods = (*TABLE2_METHODS, *others)
    measured = (*methods, REAL)
    for task in tasks:
        for translation in DIRECTIONS:
            where = task, translation
            spec = TASKS.get(task)
            title = spec.directions[translation] if spec else f"{task}, {translation}"
            known = [
                r for m in measured for of in BY_MODES if (r := cells.record(_of(of, m, where)))
            ]
            modes = next((r["protocol"]["modes"] for r in known), None)
            limits.add(math.log(len(modes)) if modes else None)
            most = math.log(len(modes)) if modes else None
            rows += _rows(title, methods, [where], paper, most, cells)
            every.append(where)
            for method in TABLE2_METHODS:
                printed = paper.get((title, METHODS[method].title))
                for column, metric, at in (("CIS", CIS, 0), ("IS", IS, 1)):
                    by_seed = cells.by_seed(_of(metric, method, where))
                    if printed and by_seed:
                        numbers[column].append(Number(printed[at], by_seed, title))
            for record in known:
                if record["method"] != REAL:
                    protocols.add(str(record["protocol"]["protocol"]))
                about = record["protocol"]
                classifiers[about["domain"]] = f"{about['domain']} {about['accuracy']:.3f}"
            for method in measured:
                if read := cells.record(_of(CONTENT_CONFUSION, method, where)):
                    about = read["protocol"]
                    told = ", ".join(f"{factor} {r2:.2f}" for factor, r2 in about["r2"].items())
                    readers[about["domain"]] = f"{about['domain']}: {told}"
    # Beside the paper's average only where the directions are its.
    same = {row["direction"] for row in rows} == {title for title, _ in paper} - {AVERAGE}
    limit = limits.pop() if len(limits) == 1 else None
    rows += _rows(AVERAGE, methods, every, paper if same else {}, limit, cells)
    words = (
        f"{scale(preset)}. {', '.join(sorted(protocols)) or DASH} (inputs x samples of each); "
        f"{trainings(cells.trainings)} Scores are in nats, without exponential. ln K is the most that K "
        "modes allow, and real data's IS the most that the classifier can see."
    )
    agreements = [agreement(*column) for column in numbers.items()]
    words += against_paper([of for of in agreements if of is not None], unit="nats")
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
    parts = tuple(_parts(rows, methods, len(cells.trainings)))
    points = about_submissions(others)
    lead = NOT_TRAINED if points else ""
    return Tables(parts, (words,), lead, points, data=tuple(rows), names=names)


def _of(metric: Metric, method: str, where: tuple[str, str]) -> Quantity:
    return Quantity(metric.name, method, *where)


def _rows(
    title: str, methods: Sequence[str], directions: Sequence[tuple[str, str]],
    paper: Mapping[tuple[str, str], tuple[float, float]], limit: float | None, cells: Cells,
) -> list[Row]:  # fmt: skip
    """A row a method of one direction, or of the mean over several, with what bounds its scores: real
    pictures and ln K."""

    def cell(method: str, metric: Metric) -> Estimate | None:
        return cells.of(*(_of(metric, method, where) for where in directions))

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


def _parts(rows: Sequence[Row], methods: Sequence[str], seeds: int) -> list[Table]:
    """A table a score: directions by methods."""
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
            if who == "ours" or method in METHODS
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
