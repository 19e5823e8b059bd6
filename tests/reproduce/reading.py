"""What commands write and functions refuse, read back."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import UserError


def refusal(call: Callable[..., object], *given: Any, **more: Any) -> str:
    """The one line in which a call is refused."""
    with pytest.raises(UserError) as caught:
        call(*given, **more)
    line = str(caught.value)
    assert "\n" not in line
    return line


def csv_rows(told: Path | str) -> list[dict[str, str]]:
    """Of a file, or of what was printed."""
    text = told.read_text(encoding="utf-8") if isinstance(told, Path) else told
    return list(csv.DictReader(io.StringIO(text)))


def markdown_rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in ``text``, their heads too."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
