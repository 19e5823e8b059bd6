"""Files that hold computed numbers, compared: the last digits differ between machines."""

import csv
import io
import math
import re

RELATIVE = 1e-6
# Decimals and percentages are rounded; other integers count or name something.
_ROUNDED = re.compile(r"(\d+\.\d+|\d+(?=\\?%))")


def assert_same_csv(made: str, stored: str) -> None:
    """Cells that are numbers agree to 1e-6 of their size (0 to 1e-9), all others exactly."""
    one, two = (list(csv.reader(io.StringIO(text))) for text in (made, stored))
    assert [len(row) for row in one] == [len(row) for row in two]
    for line, (ours, theirs) in enumerate(zip(one, two, strict=True), 1):
        for name, a, b in zip(one[0], ours, theirs, strict=True):
            assert a == b or _near(a, b), f"line {line}, {name}: {a} is not {b}"


def assert_same_text(made: str, stored: str) -> None:
    """Markdown or LaTeX: decimals and percentages agree to one unit of their last digit, all else but
    the padding of columns exactly."""
    one, two = (_ROUNDED.split(_unpadded(text)) for text in (made, stored))
    assert one[::2] == two[::2]
    for a, b in zip(one[1::2], two[1::2], strict=True):
        digits = len(a.partition(".")[2])
        unit = 10.0**-digits
        assert a == b or (
            len(b.partition(".")[2]) == digits and abs(float(a) - float(b)) < 1.5 * unit
        ), f"{a} is not {b}"


def _unpadded(text: str) -> str:
    return re.sub(r"-{3,}", "---", re.sub(r" +", " ", text))


def _near(a: str, b: str) -> bool:
    try:
        return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=1e-9)
    except ValueError:
        return False
