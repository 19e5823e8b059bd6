"""``python -m reproduce claims``: its files, README and causes."""

from pathlib import Path

import pytest
from claims_world import PRESET, QUICK, SHOES, World
from reading import csv_rows, markdown_rows

from reproduce.analysis.claims.statements import claims


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three seeds of Table 1's diversities, without those of w/o s."""
    made = World(tmp_path)
    means = {"munit": 0.1, "unit": 0.01, "cyclegan": 0.2, "munit-wo-x": 0.1}
    for seed in range(3):
        for method, mean in means.items():
            made.diversity(method, mean * (1 + 0.01 * seed), seed)
    return made


def words_for(world: World, *words: str) -> list[str]:
    return ["claims", "--preset", PRESET, "--results", str(world.results), *words]


def test_files_say_what_is_printed(world: World, said) -> None:
    printed = said(words_for(world)).out
    folder = world.records.folder
    text = (folder / "claims.md").read_text(encoding="utf-8")
    assert printed.startswith(text)
    rows = markdown_rows(text)[1:]
    assert [row[0] for row in rows] == [claim.statement for claim in claims(QUICK)]
    assert rows[0][2:6] == ["drawn edges -> shoes", "diversity: MUNIT − UNIT", "> 0", "0.098"]
    assert rows[0][6].startswith("0.091 [0.0")
    assert rows[0][8:] == ["3", "holds"]
    verdicts = [row[9] for row in rows]
    assert {v: verdicts.count(v) for v in set(verdicts)} == {
        "holds": 2, "fails": 2, "undecided": 1, "not measured": 28
    }  # fmt: skip
    assert "Of 33 claims: 2 hold, 2 fail, 1 undecided, 28 not measured." in text
    assert "Student's t" in text and "diversity-lpips" in text

    found = csv_rows(folder / "claims.csv")
    assert [row["verdict"] for row in found] == verdicts
    assert float(found[0]["value"]) == pytest.approx(0.0909, abs=1e-5)
    assert float(found[0]["low"]) < float(found[0]["value"]) < float(found[0]["high"])
    assert (found[0]["seeds"], found[0]["paper"]) == ("0 1 2", "0.098")
    assert found[0]["limit_low"] == "0" and found[0]["limit_high"] == ""
    assert found[8]["note"].startswith("no record of") and found[8]["p"] == ""

    latex = (folder / "claims.tex").read_text(encoding="utf-8")
    assert latex.count(r"\\") == 1 + 33 + 1 and "→" not in latex and "−" not in latex
    assert "w/o x $-$ MUNIT & $>$ 0 &" in latex and r"at most 5\%" in latex


def test_csv_alone_and_one_seed(world: World, said) -> None:
    rows = csv_rows(said(words_for(world, "--csv", "-", "--seeds", "1")).out)
    assert len(rows) == 33 and rows[0]["seeds"] == "1"
    text = (world.records.folder / "claims.md").read_text(encoding="utf-8")
    assert "one training only is undecided" in text and rows[0]["verdict"] == "undecided"
    assert "### Claims" in said(words_for(world, "--csv", world.results / "some.csv")).out
    written = (world.results / "some.csv").read_text(encoding="utf-8")
    assert written == (world.records.folder / "claims.csv").read_text(encoding="utf-8")


def test_readme_is_filled_between_its_markers(world: World, tmp_path: Path, said) -> None:
    readme = tmp_path / "README.md"
    start, end = f"<!-- claims-{PRESET} -->", f"<!-- /claims-{PRESET} -->"
    readme.write_text(f"before\n{start}\nold\n{end}\nafter\n", encoding="utf-8")
    said(words_for(world, "--readme", str(readme)))
    text = (world.records.folder / "claims.md").read_text(encoding="utf-8")
    expected = f"before\n{start}\n#{text}{end}\nafter\n"
    assert readme.read_text(encoding="utf-8") == expected
    readme.write_text(f"<!-- glance-{PRESET} -->\n<!-- /glance-{PRESET} -->\n", encoding="utf-8")
    said(words_for(world, "--readme", str(readme)))
    short = readme.read_text(encoding="utf-8")
    assert "| MUNIT w/o x reconstruction |" in short and "IoU" not in short
    assert "\n- Agreement with the paper on drawn-shoes (intervals over trainings): Div" in short
    assert "Seeds 0, 1, 2. Of 33 claims: 2 hold, 2 fail," in short
    failing = short.split("Claims that fail:\n\n")[1].splitlines()[:-1]
    assert failing and all("(paper: " in line for line in failing)
    readme.write_text("no place", encoding="utf-8")
    said(words_for(world, "--readme", str(readme)), 2)


def test_causes_stand_below_the_table(world: World, said) -> None:
    file = world.records.folder / "causes.yaml"
    file.write_text(
        "diversity.above-cyclegan: |\n  Its dropout & noise\n  stay on: 100%.\n"
        f"diversity.munit-wo-x.{SHOES}: Not known.\ndiversity.above-unit: It holds, so unsaid.\n",
        encoding="utf-8",
    )
    said(words_for(world))
    text = (world.records.folder / "claims.md").read_text(encoding="utf-8")
    below = text.split("What is known about the causes:\n\n")[1].splitlines()
    assert below == [
        "- MUNIT is more diverse than CycleGAN (fails on drawn edges -> shoes): Its dropout & noise "
        "stay on: 100%.",
        "- Without image reconstruction MUNIT is more diverse (undecided on drawn edges -> shoes): "
        "Not known.",
    ]
    found = csv_rows(world.records.folder / "claims.csv")
    assert found[1]["cause"] == "Its dropout & noise stay on: 100%."
    latex = (world.records.folder / "claims.tex").read_text(encoding="utf-8")
    assert r"Its dropout \& noise stay on: 100\%." in latex


def test_causes_name_numbers_that_are_on_record(world: World, said) -> None:
    """Means over the seeds; what was not measured is a dash."""
    cause = "so {diversity-lpips cyclegan S 3}, half of {diversity-lpips  munit S}, {fid munit S}, {fid}."
    text = f"diversity.above-cyclegan: '{cause.replace('S', SHOES)}'\n"
    (world.records.folder / "causes.yaml").write_text(text, encoding="utf-8")
    said(words_for(world))
    text = (world.records.folder / "claims.md").read_text(encoding="utf-8")
    assert "so 0.202, half of 0.10, —, {fid}." in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("diversity.above-unit: 'x {fid munti drawn-shoes}'", "unknown method: did you mean"),
        ("diversity.above-unti: x", "did you mean diversity.above-unit?"),
        ("- a\n- b", "holds a list"),
        ("diversity.above-unit: [1]", "is not text"),
        ("a: b: c: [", "is no YAML"),
    ],
)
def test_wrong_causes_are_refused_in_one_line(world, text, words, refused):
    (world.records.folder / "causes.yaml").write_text(text, encoding="utf-8")
    assert words in refused(words_for(world))
    assert not (world.records.folder / "claims.md").exists()
