"""The report for paper."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from report_world import HOSTILE

from reproduce.analysis.table import Column, Table, of_texts
from reproduce.report.blocks import Bullets, Figure, Missing, Report, Section, Text
from reproduce.report.latex import latex, tex, write_pdf
from reproduce.report.page import write_page

NEEDS_LATEX = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="no LaTeX: apt-get install texlive-latex-base texlive-latex-recommended",
)
EVIL = r"\write18{touch owned} \input{/etc/passwd} \openout3=owned"


def small(folder: Path) -> Report:
    """A report with one block of each kind, all with words that LaTeX might obey."""
    picture = folder / "a_b-c+d.png"
    Image.new("RGB", (300, 100), "teal").save(picture)
    words = f"{HOSTILE} {EVIL} **bold** ± † → ↓ Ω é"
    rows = [
        {"claim": words, "measured": words, "verdict": "not measured", "p": words, "cause": words},
        {"claim": "a", "measured": "b", "verdict": "fails", "p": "—", "cause": ""},
    ]
    columns = (Column("Claim", "claim"), Column("Verdict", "verdict"), Column("p"))
    blocks = (
        Text(words), Text(words, "heading"), Text(f"{EVIL}\nsecond line", "code"), Bullets((words, "b")),
        of_texts(words, [("Method", "Ours"), (words, "1"), ("", "2")]),
        of_texts("Wide", [tuple("abcdefghijkl"), *[["0.123 ± 0.456"] * 12] * 3]),
        Table(words, columns, tuple(rows), kind="claims"),
        Figure(picture, words, words, (300, 100)), Missing((words, "more"), EVIL),
    )  # fmt: skip
    sections = (Section("one", words, blocks), Section("two", "Two", ()))
    return Report(words, words, "2026-11-23T10:00:00+00:00", sections, folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5% & $x_1$ #2 {a}", r"5\% \& \$x\_1\$ \#2 \{a\}"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a -> b ± †", r"a $\rightarrow$ b $\pm$ $^\dagger$"),
        ("`a_b` **c**", r"\texttt{a\_b} \textbf{c}"),
        ("é Ω\n漢", r"e \texttt{U+03A9} \texttt{U+6F22}"),
        ("~^<|>\"", r"\textasciitilde{}\textasciicircum{}$<$$|$$>$''"),
    ],
)  # fmt: skip
def test_text_is_never_a_command(text: str, expected: str) -> None:
    assert tex(text) == expected


def test_the_source_is_plain_ascii_and_holds_no_foreign_command(tmp_path: Path) -> None:
    source = latex(small(tmp_path))
    assert source.isascii()
    for command in ("input", "write", "openout", "include"):
        assert not re.search(rf"\\{command}\b", source)


def test_without_latex_the_source_is_written_and_people_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    made, note = write_pdf(small(tmp_path), tmp_path / "out")
    assert [path.name for path in made] == ["report.tex"]
    assert "pdflatex is not installed" in note
    assert "apt-get install" in note


@NEEDS_LATEX
def test_every_block_is_typeset_and_equal_reports_are_equal_files(tmp_path: Path) -> None:
    report = small(tmp_path)
    made = []
    for name in ("one", "two"):
        write_page(report, tmp_path / name)
        paths, note = write_pdf(report, tmp_path / name)
        assert note == ""
        assert [path.name for path in paths] == ["report.tex", "report.pdf"]
        made.append(paths[1].read_bytes())
    assert made[0] == made[1]
    assert made[0].startswith(b"%PDF-")
    assert len(made[0]) > 20_000
    assert not list(tmp_path.rglob("owned*"))
    made_here = {p.name for p in (tmp_path / "one").iterdir()}
    assert made_here == {"index.html", "report.tex", "report.pdf"}


@NEEDS_LATEX
def test_what_latex_refuses_is_told_and_not_fatal(tmp_path: Path) -> None:
    report = small(tmp_path)
    report.pictures[0].write_bytes(b"no picture")
    paths, note = write_pdf(report, tmp_path / "out")
    assert [path.name for path in paths] == ["report.tex"]
    assert "report.log" in note
    assert (tmp_path / "out" / "report.log").is_file()
