"""Boxes of heads: read without trust, and the squares around them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import refusal

from models.errors import UserError
from reproduce.tasks.heads import head_square, read_box

HERE = Path("x.jpg")


def voc(*boxes: tuple[object, ...]) -> str:
    one = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    objects = (f"<object><bndbox>{one.format(*box)}</bndbox></object>" for box in boxes)
    return f"<annotation>{''.join(objects)}</annotation>"


def box_of(tmp_path: Path, text: str | bytes):
    path = tmp_path / "a.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_box(path)


def test_boxes_count_from_one_and_hold_both_ends(tmp_path):
    assert box_of(tmp_path, voc((1, 1, 8, 9))) == (0, 0, 8, 9)
    declared = '<?xml version="1.0" encoding="latin-1"?>\n'
    assert box_of(tmp_path, declared + voc(("3.0", " 4 ", 10, 12))) == (2, 3, 10, 12)
    assert box_of(tmp_path, "\ufeff" + voc((1, 1, 2, 2))) == (0, 0, 2, 2)
    # The largest of several.
    assert box_of(tmp_path, voc((1, 1, 2, 2), (5, 5, 30, 9), (1, 1, 10, 10))) == (4, 4, 30, 9)


DECLARED = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "1"><!ENTITY c "&b;&b;">]>"""
LAUGHS = DECLARED + voc(("&c;", 1, 20, 20))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LAUGHS, "declares a document type"),
        (LAUGHS.replace("!DOCTYPE", "!  dOctype"), "declares a document type"),
        (LAUGHS.encode("utf-16"), "is not a Pascal VOC file"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "declares a document type"),
        ("<annotation>" + " " * (1 << 16) + "</annotation>", "is over 64 KiB"),
        ("", "is not a Pascal VOC file"),
        ("<annotation/>", "contains no head box"),
        (voc(("x", 1, 2, 3)), "is not a Pascal VOC file"),
        (voc((1, 1, "1e999", 3)), "is not a Pascal VOC file"),
        (voc((5, 1, 4, 3)), "is not a Pascal VOC file"),
        (b"\xff<annotation/>", "is not a Pascal VOC file"),
        ("<annotation><object><bndbox/></object></annotation>", "is not a Pascal VOC file"),
    ],
)
def test_anything_but_a_box_is_refused_by_name(text, told, tmp_path):
    line = refusal(box_of, tmp_path, text)
    assert told in line and str(tmp_path / "a.xml") in line


def test_squares_have_the_margin_and_stay_inside():
    assert head_square((50, 50, 70, 60), (200, 100), HERE) == (46, 41, 74, 69)  # 20 + 2 * 4
    assert head_square((0, 0, 20, 20), (200, 100), HERE) == (0, 0, 28, 28)
    assert head_square((180, 80, 200, 100), (200, 100), HERE) == (172, 72, 200, 100)
    assert head_square((40, 10, 130, 90), (200, 100), HERE) == (35, 0, 135, 100)


@given(
    size=st.tuples(st.integers(8, 500), st.integers(8, 500)),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_squares_hold_the_box_wherever_they_can(size, corners):
    width, height = size
    left, right = sorted(round(c * width) for c in corners[:2])
    top, bottom = sorted(round(c * height) for c in corners[2:])
    box = (left, top, right, bottom)
    if max(right - left, bottom - top) < 8:
        return
    x0, y0, x1, y1 = head_square(box, size, HERE)
    side = x1 - x0
    assert side == y1 - y0
    assert min(x0, y0) >= 0 and x1 <= width and y1 <= height
    if side >= right - left:
        assert x0 <= left and right <= x1
    if side >= bottom - top:
        assert y0 <= top and bottom <= y1


@pytest.mark.parametrize("box", [(0, 0, 300, 20), (10, 10, 30, 101), (5, 5, 8, 8)])
def test_boxes_outside_or_tiny_are_refused(box):
    with pytest.raises(UserError, match=r"x\.jpg is 200x100 pixels, and its head box"):
        head_square(box, (200, 100), HERE)
