"""The report as LaTeX, and as a PDF if pdflatex is installed."""

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
PASSES = 2  # the second fills the table of contents
SECONDS = 300  # timeout of one pass
INSTALL = "apt-get install texlive-latex-base texlive-latex-recommended"


def tex(text: str) -> str:
    """Plain text as LaTeX; text in backticks becomes code, text between double asterisks bold."""
    escaped = re.sub(r"`([^`]+)`", r"\\texttt{\1}", in_latex(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"\\textbf{\1}", escaped)


def latex(report: Report) -> str:
    """The text of ``report.tex``; it finds pictures in its own folder or in the one above."""
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
    """Write ``report.tex`` to ``out``, and ``report.pdf`` if possible.

    Returns the files, and a note for the user if there is no PDF.
    """
    source = out / TEX
    write_text(source, latex(report))
    program = shutil.which("pdflatex")
    if program is None:
        return [source], f"no PDF: pdflatex is not installed ({INSTALL}); {source} is written"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in (source, *report.pictures):
            shutil.copy(path, folder)
        if not _compiled(program, folder):
            shutil.copyfile(folder / LOG, out / LOG)
            return [source], f"no PDF: LaTeX failed on {source}; see {out / LOG}"
        with whole(out / PDF) as part:
            shutil.copyfile(folder / PDF, part)
    return [source, out / PDF], ""


def _compiled(program: str, folder: Path) -> bool:
    """Whether LaTeX made a PDF in ``folder``. It cannot run shell commands."""
    words = [program, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", TEX]
    # Paranoid mode: it cannot read or write outside that folder.
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
