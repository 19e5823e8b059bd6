"""Drawn pictures may change only together with the version that results name."""

from __future__ import annotations

import hashlib

import pytest

from reproduce.tasks.drawn.dataset import GENERATOR_VERSION, draw
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo

# (version, kind) -> sha256 of 150 objects' pictures; a changed drawing needs a new version, and
# then a new line here.
PICTURES = {
    (1, "shoes"): "a0a7340587ecab7d43ea17abaf2371d3e7f506c705057dfaf319767ac90848d7",
    (1, "handbags"): "df2be32cabc71d101bfb9aa4bd8e05a4450497b4f33a029393d05f00bcab3304",
}


@pytest.mark.parametrize("kind", ["shoes", "handbags"])
def test_pictures_change_only_with_their_version(kind: str) -> None:
    seen = hashlib.sha256()
    drawn = set()
    for index in range(150):
        content, style = draw(kind, 0, "trainB", index)
        drawn.add((content.category, dict(content.factors).get("detail")))
        seen.update(render_edges(content, 32)[:, :, 0].tobytes())
        seen.update(render_photo(content, style, 32).tobytes())
        seen.update(render_mask(content, 32).tobytes())
    assert len(drawn) > 20  # categories with their details
    assert seen.hexdigest() == PICTURES[GENERATOR_VERSION, kind]
