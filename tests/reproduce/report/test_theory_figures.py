"""Tables and pictures of theory from records whose numbers are known."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reading import markdown_rows
from tiny import FACTS, places_of

from benchmarks.files import save_arrays, sha256_file
from benchmarks.metrics.theory import contents, styles
from models.errors import UserError
from reproduce.analysis.theory import theory_of, theory_table
from reproduce.experiments.preset import load_preset
from reproduce.records.store import Records
from reproduce.report.theory_figures import content_alt, styles_alt, styles_figure, write_theory

PRESET = load_preset("quick")
SHOES, CATS = "drawn-shoes", "drawn-housecats-dogs"
STYLED = {"munit": 0.9, "munit-wo-s": 0.2, "bicyclegan": 1.0}


class Filled:
    """A results folder with known numbers: those of seed k are 0.01 k greater."""

    def __init__(self, root: Path) -> None:
        self.places = places_of(root)
        self.records = Records(self.places.results, "quick")

    def styles(self, method: str, seed: int = 0) -> Path:
        domains = "b" if method == "bicyclegan" else "ab"
        rng = np.random.default_rng([9, seed])
        of = {d: STYLED[method] * rng.standard_normal((40, 4)) for d in domains}
        raw = self.records.folder / "raw" / f"theory-styles-{method}-{seed}.npz"
        save_arrays(raw, {}, of)
        told = {"deviation": dict.fromkeys(domains, STYLED[method]), "collapsed": 0.25,
                "null": {"value": 0.03 if domains == "ab" else 0.04}}  # fmt: skip
        about = {"raw": raw.relative_to(self.places.results).as_posix(),
                 "raw_sha256": sha256_file(raw), "protocol": {"domains": [*domains]}}  # fmt: skip
        for metric in styles.METRICS:
            self._add(method, seed, metric.name, 0.1 + 0.01 * seed, theory=told, **about)
        return raw

    def contents(self, method: str, task: str = SHOES) -> None:
        told = {"pixels": 0.77, "same_domain": 0.49, "null": {"value": 0.02}, "first": 0.5,
                "first_pixels": 0.1}  # fmt: skip
        for metric in (*contents.METRICS[:2], *(() if task == CATS else contents.OF_PAIRS)):
            self._add(method, 0, metric.name, 0.6, theory=told, protocol={}, task=task)

    def _add(self, method: str, seed: int, metric: str, value: float, **more: Any) -> None:
        told = {
            "task": SHOES, "method": method, "seed": seed, "metric": metric, "value": value,
            "interval": {"low": value - 0.005, "high": value + 0.005},
            "checkpoint_sha256": f"{method}{seed}",
        }  # fmt: skip
        self.records.append(FACTS | told | more)

    @property
    def table(self) -> str:
        return theory_table(PRESET, theory_of(PRESET, self.records.all())).markdown()


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    made = Filled(tmp_path)
    for method in STYLED:
        made.styles(method)
    for method in ("munit", "munit-wo-s", "unit"):
        made.contents(method)
    return made


def cells(text: str, start: str) -> list[str]:
    """The row of that heading, of the first table that has it."""
    return next(cells for first, *cells in markdown_rows(text) if first == start)


def test_the_table_shows_the_records(filled: Filled) -> None:
    text = filled.table
    styled, coded = text.split("| Codes of")
    assert "Deviation, edges | Deviation, shoes" in styled
    assert cells(styled, "MUNIT") == ["0.90", "0.90", *["0.100 ± 0.005"] * 3]
    assert cells(styled, "BicycleGAN†")[:2] == ["—", "1.00"]
    assert cells(styled, "N(0, I) itself") == ["1", "1", *["≤ 0.030"] * 3]
    assert cells(styled, "all styles 0")[2] == "0.250"
    assert cells(coded, "UNIT") == [*["0.600 ± 0.005"] * 4, "0.50"]
    assert cells(coded, "the pictures themselves") == [*["0.770"] * 4, "0.10"]
    assert cells(coded, "one distribution") == ["0.490", "≤ 0.020", "1", "0.5", "—"]
    assert text.index("| MUNIT w/o s ") < text.index("| MUNIT   ") < text.index("| BicycleGAN†")
    assert "Preset quick, seed 0; ± is half a 95% interval" in text


def test_several_seeds_are_averaged_and_named(filled: Filled) -> None:
    for seed in (1, 2):
        filled.styles("munit", seed=seed)
    text = filled.table
    assert cells(text, "MUNIT")[2] == "0.110 (0.100 to 0.120)"
    assert cells(text, "MUNIT w/o s")[2] == "0.100 ± 0.005"
    assert "mean over seeds 0, 1, 2; ranges are over seeds" in text
    one = theory_table(PRESET, theory_of(PRESET, filled.records.all(), [1])).markdown()
    assert cells(one, "MUNIT")[2] == "0.110 ± 0.005" and "w/o s" not in one


def test_tasks_of_other_seeds_are_told_apart(filled: Filled) -> None:
    filled.styles("munit", seed=1)
    filled.contents("munit", CATS)
    told = f"mean over seeds 0, 1 ({SHOES}); seed 0 ({CATS}); ranges are over seeds; ± is half a"
    assert told in filled.table


def test_domains_without_pairs_have_no_columns_of_pairs(filled: Filled) -> None:
    filled.contents("munit", CATS)
    of_cats = filled.table.split("house cats -> dogs")[1]
    assert cells(of_cats, "Codes of") == ["Domain accuracy", "MMD"]


def test_everything_is_written_once_more_to_the_byte(filled: Filled) -> None:
    filled.contents("munit", CATS)
    filled.styles("munit", seed=1).unlink()  # what is drawn is the first training's
    written = write_theory(PRESET, filled.places)
    assert [path.name for path in written] == [
        "theory.md", f"theory-styles-{SHOES}.png", f"theory-content-{SHOES}.png",
        f"theory-content-{CATS}.png",
    ]  # fmt: skip
    assert (filled.records.folder / "theory.md").read_text() == filled.table
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in write_theory(PRESET, filled.places)] == before
    for path in written[1:]:
        with Image.open(path) as picture:
            # Scaled to 390 pixels, 8 points still are 9 pixels high.
            assert picture.width == 528 and picture.height < 1600


def test_raw_styles_that_are_not_the_recorded_are_refused(filled: Filled, tmp_path: Path) -> None:
    [of] = theory_of(PRESET, filled.records.all())
    results = filled.places.results
    raw = results / of.of("munit", "style-mmd")[0]["raw"]
    with np.load(raw) as arrays:
        changed = {d: 0.5 * arrays[d] for d in "ab"}
    save_arrays(raw, {}, changed)
    with pytest.raises(UserError, match="is not the file that style-mmd of munit .* restore"):
        styles_figure(of, results, tmp_path / "styles.png")


def test_a_sentence_tells_the_numbers(filled: Filled) -> None:
    filled.styles("munit", seed=1)
    [of] = theory_of(PRESET, filled.records.all())
    told = styles_alt(of)
    assert "drawn edges -> shoes" in told and "\n" not in told
    assert "MUNIT w/o s 0.100, MUNIT 0.105, BicycleGAN† 0.100" in told
    assert "itself is below 0.030" in told and "all 0 have 0.250" in told
    assert "Deviation of MUNIT's styles: 0.90 (edges) and 0.90 (shoes)" in told
    told = content_alt(of)
    assert len(re.findall("UNIT 0.600, MUNIT w/o s 0.600, MUNIT 0.600", told)) == 4
    assert told.count("pictures themselves 0.770") == 4 and "chance 0.5." in told
