"""Our own Markdown, read back."""

from __future__ import annotations

import pytest

from models.errors import UserError
from reproduce.analysis.table_text import grid
from reproduce.report.blocks import (
    Bullets,
    Code,
    Heading,
    Missing,
    Paragraph,
    Table,
    blocks_of,
    missing_last,
)


@pytest.mark.parametrize("left", [1, 2])
def test_a_grid_comes_back_cell_by_cell(left: int) -> None:
    rows = [["Method", "On", "Ours"], ["MUNIT", "shoes", "0.1 ± 0.2"], ["", "—", "<b>5%</b>"]]
    text = f"### Caption -> here\n\n{grid(rows, left)}\n\nSome words.\n"
    table, paragraph = blocks_of(text, "")
    words = frozenset(range(left))
    assert table == Table("Caption -> here", tuple(rows[0]), tuple(map(tuple, rows[1:])), words)
    assert paragraph == Paragraph("Some words.")


def test_headings_stay_where_no_table_follows() -> None:
    text = (
        "## One\n\nwords\nof two lines\n## Two\n### Three\n| a |\n|--:|\n| 1 |\n- x\n  more\n- y\n"
    )
    assert blocks_of(text, "") == [
        Heading("One"), Paragraph("words of two lines"), Heading("Two"),
        Table("Three", ("a",), (("1",),), frozenset()), Bullets(("x more", "y")),
    ]  # fmt: skip
    assert blocks_of("words\n# End", "") == [Paragraph("words"), Heading("End")]
    assert blocks_of("\n \n", "") == []


def test_tables_below_one_heading_share_it() -> None:
    one, two, words, bare = blocks_of(
        "# T\n\n| a |\n|:--|\n\n| b |\n|:--|\n\nx\n\n| c |\n|:--|\n", ""
    )
    assert [block.caption for block in (one, two, bare) if isinstance(block, Table)] == [
        "T", "T", "",
    ]  # fmt: skip
    assert words == Paragraph("x")


def test_a_torn_table_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"theory\.md: a table whose rows differ"):
        blocks_of("| a | b |\n|:--|--:|\n| 1 |\n", "theory.md")


def test_what_is_missing_comes_last_and_once_a_command() -> None:
    some = [Missing(("x",), "a"), Code("c"), Missing(("y", "z"), "a"), Missing(("w",), "b")]
    assert missing_last(some) == (Code("c"), Missing(("x", "y", "z"), "a"), Missing(("w",), "b"))
