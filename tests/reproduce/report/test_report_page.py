"""The page: all numbers on it, nothing broken on it, and the same bytes again."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from reading import csv_rows, markdown_rows
from report_world import HOSTILE, THEORY, Page, places, preset_runs, seeds_of

from reproduce.analysis.claims.table import claims_table
from reproduce.analysis.tables import table_of
from reproduce.experiments.preset import load_preset
from reproduce.report.blocks import Report
from reproduce.report.content import _measuring_seconds, command_of, report_of
from reproduce.report.inputs import PICTURES, inputs_sha256
from reproduce.report.page import html, write_page


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
    rows = csv_rows(claims_table(load_preset("cpu"), results, seeds_of(results)).csv())
    shown = [row for t in page.section("claims").all("table") for row in t.all("tr")[1:]]
    assert len(shown) == len(rows) > 40
    verdicts = [row.all("td")[0].text for row in shown]
    assert Counter(verdicts) == Counter(row["verdict"] for row in rows)
    # Each claim's own verdict and value: the groups hold the claims in another order.
    expected = sorted(
        (row["claim"], row["verdict"], f"{float(row['value']):.3f}")
        for row in rows
        if row["value"] and not re.match("quality|.*Spearman", row["measured"])
    )
    found = [
        (row.all("th")[0].text, row.all("td")[0].text, row.all("td")[3].text.split()[0])
        for row in shown
    ]
    found = sorted((c, v, n) for c, v, n in found if re.fullmatch(r"-?\d+\.\d{3}", n))
    assert len(found) == len(expected) > 10
    for (claim, verdict, value), (told, *rest) in zip(expected, found, strict=True):
        assert told.startswith(claim)
        assert rest == [verdict, value]
    caused = [row for row in shown if row.all("th")[0].all("span")[-1].given["class"] == "cause"]
    names = [row["verdict"] for row in rows if row["cause"]]
    assert len(caused) == sum(verdict != "holds" for verdict in names)
    assert all(row.all("td")[0].text != "holds" for row in caused)


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
    assert len({image.given["src"] for image in images}) == len(images)
    assert len({image.given["alt"] for image in images}) == len(images)


def test_what_is_missing_or_broken_is_said_with_the_command(page: Page, out: Path) -> None:
    section = page.section("translations")
    missing = next(div.text for div in section.all("div") if div.given["class"] == "missing")
    assert "UNIT's Fig. 5" in missing and "UNIT's Fig. 6" in missing
    assert "UNIT's Fig. 4" not in missing and "UNIT's Fig. 4" in section.text
    assert "python -m reproduce all --preset cpu --seeds 0" in missing
    assert "unit-figure5.png" not in page.source
    assert not (out / PICTURES).exists()
    assert "Learning curves of drawn edges → handbags" in page.section("curves").text


def test_structure_for_who_listens(page: Page) -> None:
    root = page.root
    levels = [int(e.tag[1]) for e in root.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert root.all("html")[0].given["lang"] == "en"
    assert len(root.all("main")) == 1
    ids = [str(e.given["id"]) for e in root.all(*{e.tag for e in _every(root)}) if "id" in e.given]
    assert len(ids) == len(set(ids))
    assert all(e.given.get("aria-labelledby", ids[0]) in ids for e in _every(root))
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


ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}


def test_stacked_claims_stay_a_table_to_listeners(page: Page) -> None:
    """Browsers may take a table's meaning from it where a style stacks its cells."""
    for table in page.section("claims").all("table"):
        assert table.given["role"] == "table"
        for e in _every(table):
            if e.tag == "th":
                head = {"col": "columnheader", "row": "rowheader"}
                assert e.given["role"] == head[str(e.given["scope"])]
            elif e.tag in ROLES:
                assert e.given["role"] == ROLES[e.tag]
        labels = [th.text for th in table.all("tr")[0].all("th")[1:]]
        for row in table.all("tr")[1:]:
            assert [td.given["data-label"] for td in row.all("td")] == labels


def _every(element: object) -> list:
    return [x for c in getattr(element, "children", []) if not isinstance(c, str)
            for x in (c, *_every(c))]  # fmt: skip


def test_links_lead_somewhere_here(page: Page, out: Path) -> None:
    ids = {e.given.get("id") for e in _every(page.root)}
    for link in page.root.all("a"):
        href = str(link.given["href"])
        assert href[1:] in ids if href.startswith("#") else (out / href).is_file()
    assert not re.search(r"https?:|url\(|@import|//", page.source.replace("&#34;", ""))


def test_the_same_records_are_the_same_bytes(
    report: Report, results: Path, out: Path, tmp_path: Path
) -> None:
    preset, runs = preset_runs("cpu", *seeds_of(results))
    again = report_of(preset, runs, places(results.parent))
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
    def told(metric: str, seconds: float, **more: object) -> dict[str, object]:
        about = {"metric": metric, "task": "t", "method": "munit", "seed": 0, "seconds": seconds}
        return about | more

    records = [
        told("fid", 10.0, raw="f.npz"),
        told("kid", 10.0, raw="f.npz"),
        told("diversity", 5.0, raw="d.npz"),
        told("diversity", 5.0, raw="d.npz", seed=1),
        told("content-confusion", 3.0, raw="c.npz", translation="a2b"),  # then the modes
        told("cis", 20.0, raw="m.npz", translation="a2b"),
        told("is", 20.0, raw="m.npz", translation="b2a"),
    ]
    assert _measuring_seconds(records) == {("t", "munit"): 10.0 + 2 * 5.0 + 2 * 20.0}


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path: Path) -> None:
    preset, runs = preset_runs("quick", 0, 1)
    where = places(tmp_path)
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
    preset = load_preset("cpu").changed({"steps": "20", "lr": "1e-3"}, {})
    assert command_of(preset, [0, 2]) == (
        "python -m reproduce all --preset cpu --set lr=1e-3 --set steps=20 --seeds 0 2"
    )
    preset = load_preset("cpu").changed({}, {"inputs": 9}).of_tasks(["drawn-shoes"])
    assert command_of(preset, [1]) == (
        "python -m reproduce all --preset cpu --inputs 9 --task drawn-shoes --seeds 1"
    )


def test_a_seed_without_records_is_said(results: Path) -> None:
    preset, runs = preset_runs("cpu", *seeds_of(results), 77)
    section = report_of(preset, runs, places(results.parent)).sections[0]
    missing = [block for block in section.blocks if block.kind == "missing"]
    assert [block.what for block in missing] == [("Measurements of seed 77",)]


def test_what_people_wrote_counts(tmp_path: Path) -> None:
    before = inputs_sha256(tmp_path)
    assert set(before) == {"page.html.j2", "style.css", "report.tex.j2"}
    (tmp_path / "ablations").mkdir()
    for name in ("causes.yaml", "ablations/a.json", "ablations/a.csv"):
        (tmp_path / name).write_text(name)
    after = inputs_sha256(tmp_path)
    assert set(after) - set(before) == {"causes.yaml", "ablations/a.json"}
    (tmp_path / "causes.yaml").write_text("other")
    changed = inputs_sha256(tmp_path)
    assert [name for name in after if after[name] != changed[name]] == ["causes.yaml"]


def test_theory_is_told_in_numbers_to_all(page: Page) -> None:
    section = page.section("theory")
    captions = [e.text for e in section.all("caption") if "drawn edges → shoes" in e.text]
    assert [c.rpartition(": ")[2] for c in captions] == ["styles", "codes"]
    munit = [row for row in section.all("tr") if row.all("th")[0].text == "MUNIT"]
    numbers = [float(e.text.split()[0]) for row in munit for e in row.all("td") if e.text != "—"]
    assert {0.8, 1.1, *THEORY[:7]} <= set(numbers)
    told = [str(image.given["alt"]) for image in section.all("img")]
    assert any("MUNIT 0.111" in words for words in told)
    assert "Content codes, drawn edges → shoes" in section.text, "its picture is missing"


def test_ablations_are_shown_with_their_pictures(page: Page) -> None:
    section = page.section("ablations")
    [image] = section.all("img")
    assert image.given["src"] == "../ablations/munit-recon_c.png"
    assert section.all("caption")[0].text == "MUNIT by recon_c"
