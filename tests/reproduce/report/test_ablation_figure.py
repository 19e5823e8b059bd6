"""An ablation's figure, from records whose numbers are known."""

from pathlib import Path

import numpy as np
import pytest
from ablating import ANIMALS, curve, fill, made, store, width
from matplotlib import pyplot as plt
from matplotlib.container import ErrorbarContainer
from PIL import Image

from reproduce.analysis.ablation import curves_of
from reproduce.report.ablation_figure import ablation_figure, drawn, positions


def test_the_figure_shows_what_the_table_says(tmp_path: Path) -> None:
    ablation = made("recon_c=0,0.1,1,10", "style_dim=2,8")
    shares = [0, 0.02, 0.01]
    values = {p.values: [i / 10 + s for s in shares] for i, p in enumerate(ablation.points)}
    fill(tmp_path, ablation, values)
    store(tmp_path, ablation.preset, ablation.own[0], 0.95, method="real", config=None)
    found = curve(ablation, tmp_path)
    figure = drawn(ablation, [found])
    (panel,) = figure.axes
    places = positions(ablation.axes[0])
    bars = [c for c in panel.containers if isinstance(c, ErrorbarContainer)]
    assert [bar.get_label() for bar in bars] == ["style_dim=2", "style_dim=8"]
    for bar, second in zip(bars, (2, 8), strict=True):
        line, _, (ends,) = bar.lines
        mine = [
            (p, m.estimate)
            for p, m in zip(ablation.points, found.means, strict=True)
            if p.values[1] == second and m is not None
        ]
        assert list(line.get_ydata()) == [e.value for _, e in mine]
        nearly = [places[p.values[0]] for p, _ in mine]
        assert list(line.get_xdata()) == pytest.approx(nearly, abs=0.1)
        shown = [sorted(segment[:, 1]) for segment in ends.get_segments()]
        assert np.array(shown) == pytest.approx(np.array([[e.low, e.high] for _, e in mine]))
    lines = {str(line.get_label()): line for line in panel.lines}
    assert set(lines["real data"].get_ydata()) == {0.95}
    (own,) = [m for p, m in zip(ablation.points, found.means, strict=True) if p.default]
    assert own is not None and list(lines["default"].get_ydata()) == [own.estimate.value]
    assert [t.get_text() for t in panel.get_xticklabels()] == ["0", "0.1", "1", "10"]
    assert panel.get_xlabel() == "recon_c"
    # 0 has no place on the scale: no line leads there.
    joined = [line for line in panel.lines if len(line.get_xdata()) == 3]
    assert len(joined) == 2 and all(min(line.get_xdata()) > -1.2 for line in joined)
    plt.close(figure)


def test_words_are_not_joined_and_every_direction_has_a_panel(tmp_path: Path) -> None:
    ablation = made("lr_policy=linear,constant", task=ANIMALS, seeds=[0])
    for point in ablation.points:
        for translation, value in {"a2b": 0.5, "b2a": 0.7}.items():
            store(
                tmp_path, point.preset, point.runs[0], value, metric="modes-reached",
                translation=translation, unit="share", **width(value - 0.1, value + 0.1),
            )  # fmt: skip
    curves = curves_of(ablation, ["modes-reached"], tmp_path)
    assert [c.translation for c in curves] == ["a2b", "b2a"]
    figure = drawn(ablation, curves)
    assert [p.get_title(loc="left") for p in figure.axes] == [
        "modes reached, house cats -> dogs (share)", "modes reached, dogs -> house cats (share)",
    ]  # fmt: skip
    for panel in figure.axes:
        assert not [line for line in panel.lines if line.get_linestyle() == "-"]
    plt.close(figure)
    path = ablation_figure(ablation, curves, tmp_path)
    assert path == tmp_path / "cpu" / "ablations" / f"{ANIMALS}-munit-lr_policy.png"
    assert Image.open(path).width < 600
