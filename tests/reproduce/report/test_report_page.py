"""The page: all numbers on it, nothing broken on it, and the same bytes again."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from reading import markdown_rows
from report_world import HOSTILE, Page, preset_runs, seeds_of
from tiny import places_of

from reproduce.analysis.claims.table import claims_table
from reproduce.analysis.tables import table_of
from reproduce.analysis.theory import theory_of, theory_table
from reproduce.experiments.preset import load_preset
from reproduce.records.store import Records
from reproduce.report.content import _measuring_seconds, command_of, report_of
from reproduce.report.inputs import inputs_sha256
from reproduce.report.page import PICTURES, html, write_page
from reproduce.report.theory_figures import styles_alt


def cells(text: str) -> list[str]:
    """All cells of the Markdown tables in ``text``, as a page shows them."""
    found = (cell for row in markdown_rows(text) for cell in row)
    return [" ".join(cell.replace("->", "→").split()) for cell in found]


@pytest.mark.parametrize("number", [1, 2])
def test_every_cell_of_the_tables_is_on_the_page(page: Page, results: Path, number: int) -> None:
    text, _ = table_of(number, load_preset("cpu"), results, seeds_of(results), False)
    section = page.section(f"table-{number}")
    shown = [e.text for e in section.all("th", "td")]
    expected = cells(text)
    assert len(expected) > 100
    assert shown[: len(expected)] == expected
    titles = re.findall(r"^### (.*)$", text, re.M)
    captions = [e.text for e in section.all("caption")]
    assert captions[: len(titles)] == [title.replace("->", "→") for title in titles]


def test_verdicts_with_their_numbers_and_causes(page: Page, results: Path) -> None:
    (table,) = claims_table(load_preset("cpu"), results, seeds_of(results)).parts
    shown = [row for t in page.section("claims").all("table") for row in t.all("tr")[1:]]
    assert len(shown) == len(table.rows) > 40
    found = Counter()
    for row in shown:
        verdict, *_, ours, _, _ = (cell.text for cell in row.all("td"))
        found[row.all("th")[0].text, verdict, ours] += 1
    expected = Counter()
    for row, cells in zip(table.rows, table.lines, strict=True):
        cause = row["cause"] if row["verdict"] != "holds" else ""
        told = " ".join(f"{row['claim']} {row['measured']} {cause}".split())
        expected[told.replace("->", "→").replace("`", ""), row["verdict"], cells[6]] += 1
    assert found == expected


def test_hostile_words_stay_words(page: Page) -> None:
    assert not page.root.all("script")
    assert "<script" not in page.source
    shown = " ".join(HOSTILE.replace("->", "→").replace("`a<b>`", "a<b>").split())
    words = page.section("ablations")
    assert shown in [p.text for p in words.all("p")]
    assert "a<b>" in [code.text for code in words.all("code")]


def test_pictures_are_there_whole_and_told(page: Page, out: Path) -> None:
    images = page.root.all("img")
    assert len(images) >= 9
    for image in images:
        source = str(image.given["src"])
        with Image.open(out / source) as picture:
            picture.load()
            assert [str(n) for n in picture.size] == [image.given["width"], image.given["height"]]
        assert len(str(image.given["alt"])) > 40
    assert len({image.given["alt"] for image in images}) == len(images)


def test_what_is_missing_or_broken_is_said_with_the_command(page: Page, out: Path) -> None:
    section = page.section("translations")
    missing = section.all("figure", "div")[-1].text  # in one block, the last of the section
    assert "UNIT's Fig. 5" in missing and "UNIT's Fig. 6" in missing
    assert "UNIT's Fig. 4" not in missing and "UNIT's Fig. 4" in section.text
    assert "python -m reproduce all --preset cpu --seeds 0" in missing
    assert "unit-figure5.png" not in page.source
    assert not (out / PICTURES).exists()
    assert "Learning curves of drawn edges → handbags" in page.section("curves").text


def test_structure_for_who_listens(page: Page) -> None:
    root = page.root
    levels = [int(e.tag[1]) for e in root.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and all(later - earlier <= 1 for earlier, later in pairwise(levels))
    ids = [e.given["id"] for e in root.all() if "id" in e.given]
    assert all(e.given.get("aria-labelledby", ids[0]) in ids for e in root.all())
    skip = root.all("a")[0]
    assert skip.given["href"] == f"#{root.all('main')[0].given['id']}"
    tables = root.all("table")
    assert len(tables) > 15
    for table in tables:
        assert table.all("caption")[0].text
        head, *rows = table.all("tr")
        assert all(e.tag == "th" and e.given["scope"] == "col" for e in head.all("th", "td"))
        for row in rows:
            first, *rest = row.all("th", "td")
            assert (first.tag, first.given["scope"]) == ("th", "row")
            assert {e.tag for e in rest} == {"td"}
            assert 1 + len(rest) == len(head.all("th"))


ROLES = {
    "table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell",
    "th col": "columnheader", "th row": "rowheader",
}  # fmt: skip


def test_stacked_claims_stay_a_table_to_listeners(page: Page) -> None:
    """Browsers may take a table's meaning from it where a style stacks its cells."""
    for table in page.section("claims").all("table"):
        for e in (table, *table.all("thead", "tbody", "tr", "td", "th")):
            assert e.given["role"] == ROLES[f"{e.tag} {e.given.get('scope', '')}".strip()]
        head, *rows = ([cell for cell in tr.all("th", "td")[1:]] for tr in table.all("tr"))
        for row in rows:
            assert [td.given["data-label"] for td in row] == [th.text for th in head]


def test_links_lead_somewhere_here(page: Page, out: Path) -> None:
    ids = {e.given.get("id") for e in page.root.all()}
    for link in page.root.all("a"):
        href = str(link.given["href"])
        assert href[1:] in ids if href.startswith("#") else (out / href).is_file()
    assert not re.search(r"https?:|url\(|@import|//", page.source.replace("&#34;", ""))


def test_the_same_records_are_the_same_bytes(report, results, out, tmp_path):
    preset, runs = preset_runs("cpu", *seeds_of(results))
    again = report_of(preset, runs, places_of(results.parent))
    assert again == report
    assert html(again, out) == (out / "index.html").read_text()
    page, *pictures = write_page(again, tmp_path)
    assert [path.read_bytes() for path in pictures] == [p.read_bytes() for p in report.pictures]
    assert str(results.parent) not in page.read_text()


def test_cost_is_what_curves_and_records_tell(page: Page, results: Path) -> None:
    tables = page.section("cost").all("table")
    shoes = next(t for t in tables if "shoes" in t.all("caption")[0].text)
    row = next(r for r in shoes.all("tr") if r.all("th")[0].text == "MUNIT")
    steps, seed0 = (e.text for e in row.all("td")[:2])
    total = load_preset("cpu").make_run("munit", "drawn-shoes").steps
    assert (steps, seed0) == (f"{total:,}", f"{total / 10:.0f}")
    assert row.all("td")[-2].text == "0.100"
    assert "2 of " in page.section("cost").all("p")[0].text


def test_a_measurement_of_many_numbers_took_its_time_once() -> None:
    told = [
        (0, "f.npz", None, 10.0), (0, "f.npz", None, 10.0),  # FID and KID
        (0, "d.npz", None, 5.0), (1, "d.npz", None, 5.0),  # diversity
        (0, "c.npz", "a2b", 3.0), (0, "m.npz", "a2b", 20.0), (0, "m.npz", "b2a", 20.0),
    ]  # fmt: skip
    names = ("seed", "raw", "translation", "seconds")
    row = {"task": "t", "method": "munit"}
    records = [row | dict(zip(names, of, strict=True)) for of in told]
    assert _measuring_seconds(records) == {("t", "munit"): 10.0 + 2 * 5.0 + 2 * 20.0}


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path: Path) -> None:
    preset, runs = preset_runs("quick", 0, 1)
    where = places_of(tmp_path)
    made = write_page(report_of(preset, runs, where), tmp_path / "out")
    assert len(made) == 1
    page = Page(made[0])
    for name in ("about", "table-1", "table-2", "claims", "translations", "styles", "curves",
                 "theory", "environment"):  # fmt: skip
        section = page.section(name)
        missing = [d.text for d in section.all("div") if d.given["class"] == "missing"]
        assert len(missing) == 1, name
        assert "python -m reproduce all --preset quick --seeds 0 1" in missing[0]
    assert not page.root.all("img")


def test_the_command_names_what_was_changed() -> None:
    preset = load_preset("cpu").changed({"lr": "1e-3"}, {"inputs": 9}).of_tasks(["drawn-shoes"])
    assert command_of(preset, [0, 2]) == (
        "python -m reproduce all --preset cpu --inputs 9 --set lr=1e-3 --task drawn-shoes --seeds 0 2"
    )


def test_a_seed_without_records_is_said(results: Path) -> None:
    preset, runs = preset_runs("cpu", *seeds_of(results), 77)
    section = report_of(preset, runs, places_of(results.parent)).sections[0]
    missing = [block for block in section.blocks if block.kind == "missing"]
    assert [block.what for block in missing] == [("Measurements of seed 77",)]


def test_what_people_wrote_counts(tmp_path: Path) -> None:
    before = inputs_sha256(tmp_path)
    assert set(before) == {"page.html.j2", "style.css", "report.tex.j2", "pictures.yaml"}
    (tmp_path / "ablations").mkdir()
    for name in ("causes.yaml", "ablations/a.json", "ablations/a.csv"):
        (tmp_path / name).write_text(name)
    after = inputs_sha256(tmp_path)
    assert set(after) - set(before) == {"causes.yaml", "ablations/a.json"}
    (tmp_path / "causes.yaml").write_text("other")
    changed = inputs_sha256(tmp_path)
    assert [name for name in after if after[name] != changed[name]] == ["causes.yaml"]


def test_theory_is_told_in_numbers_to_all(page: Page, results: Path) -> None:
    preset = load_preset("cpu")
    tasks = theory_of(preset, Records(results, "cpu").all(), seeds_of(results))
    section = page.section("theory")
    assert [e.text for e in section.all("th", "td")] == cells(
        theory_table(preset, tasks).markdown()
    )
    captions = [e.text for e in section.all("caption") if "drawn edges → shoes" in e.text]
    assert [c.rpartition(": ")[2] for c in captions] == ["styles", "codes"]
    (image,) = section.all("img")
    assert image.given["alt"] == styles_alt(tasks[0]).replace("->", "→")
    assert "Content codes, drawn edges → shoes" in section.text, "its picture is missing"
