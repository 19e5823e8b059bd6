"""What a report is made of."""

from __future__ import annotations

from reproduce.analysis.table import Tables, of_texts
from reproduce.report.blocks import Bullets, Missing, Text, blocks_of, missing_last


def test_what_is_missing_comes_last_and_once_a_command() -> None:
    some = [Missing(("x",), "a"), Text("c", "code"), Missing(("y", "z"), "a"), Missing(("w",), "b")]
    last = Missing(("x", "y", "z"), "a"), Missing(("w",), "b")
    assert missing_last(some) == (Text("c", "code"), *last)


def test_what_is_told_of_tables_follows_them() -> None:
    one, two = of_texts("One", [["a"]], caption="of one"), of_texts("Two", [["b"]])
    made = blocks_of(Tables((one, two), ("of both",), "a list", ("x", "y")))
    told = [Text("of both"), Text("a list"), Bullets(("x", "y"))]
    assert made == [one, Text("of one"), two, *told]
