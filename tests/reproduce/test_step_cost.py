"""The cost of a step, on a network small enough to cost nothing."""

from __future__ import annotations

import json

import pytest

from reproduce.step_cost import main

SMALL = ["--size=16", "--batch=2", "--steps=3", "--set=dim=4", "--set=mlp_dim=8"]
SMALL += ["--set=dis_dim=4", "--set=dis_layers=2", "--set=dis_scales=1"]


def test_prints_one_record(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["munit", *SMALL]) == 0
    cost = json.loads(capsys.readouterr().out)
    assert 0 < cost["seconds_min"] <= cost["seconds_median"] <= cost["seconds_max"]
    assert cost["peak_rss_mib"] > 100 and cost["environment"]["threads"] >= 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["munot"], "munit"),
        (["munit", "--size=17"], "nearest legal size"),
        (["munit", "--steps=0"], "--steps"),
        (["munit", "--set=dmi=4"], "dim"),
        (["cyclegan", "--set=depth=4"], "depth=4 has no effect with generator=resnet"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and reason in error
