"""The same report for paper: LaTeX of it, and its PDF where a LaTeX is at hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.files import whole, write_text
from reproduce.analysis.table import in_latex, tabular
from reproduce.report.blocks import Report
from reproduce.report.page import environment

TEX, PDF, LOG = "report.tex", "report.pdf", "report.log"
PASSES = 2  # the second knows the pages of the contents
SECONDS = 300  # of one pass, at most
INSTALL = "apt-get install texlive-latex-base texlive-latex-recommended"


def tex(text: str) -> str:
    """Plain text for LaTeX; what stands in backticks is code, between pairs of asterisks bold."""
    escaped = re.sub(r"`([^`]+)`", r"\\texttt{\1}", in_latex(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"\\textbf{\1}", escaped)


def latex(report: Report) -> str:
    """The text of ``report.tex``, which finds the page's pictures beside it or in the folder above."""
    filters: dict[str, Callable[..., object]] = {
        "tex": tex,
        "row": lambda cells: " & ".join(map(tex, cells)),
        "link": lambda figure: figure.path.name,
        "tabular": lambda table: tabular([replace(table, title="")]),
    }
    templates = environment(
        filters, block_start_string="<%", block_end_string="%>", variable_start_string="<<",
        variable_end_string=">>", comment_start_string="<#", comment_end_string="#>",
    )  # fmt: skip
    return templates.get_template("report.tex.j2").render(report=report)


def write_pdf(report: Report, out: Path) -> tuple[list[Path], str]:
    """``report.tex`` in ``out``, beside the page, and ``report.pdf`` if it can be made.

    Returns the files, and what to tell people where there is no PDF.
    """
    source = out / TEX
    write_text(source, latex(report))
    program = shutil.which("pdflatex")
    if program is None:
        return [source], f"no PDF: there is no pdflatex here ({INSTALL}); {source} is written"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in (source, *report.pictures):
            shutil.copy(path, folder)
        if not _compiled(program, folder):
            shutil.copyfile(folder / LOG, out / LOG)
            return [source], f"no PDF: LaTeX refused {source}; {out / LOG} says why"
        with whole(out / PDF) as part:
            shutil.copyfile(folder / PDF, part)
    return [source, out / PDF], ""


def _compiled(program: str, folder: Path) -> bool:
    """Whether LaTeX made a PDF of what lies in ``folder``. No command of a text is ever run."""
    words = [program, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", TEX]
    # It reads and writes nothing outside that folder.
    surroundings = os.environ | {"openin_any": "p", "openout_any": "p"}
    try:
        for _ in range(PASSES):
            subprocess.run(
                words, cwd=folder, env=surroundings, stdin=subprocess.DEVNULL,
                capture_output=True, timeout=SECONDS, check=True,
            )  # fmt: skip
    except subprocess.SubprocessError:
        (folder / LOG).touch()
        return False
    return (folder / PDF).is_file()
