"""Drawn pictures may change only together with the version that results name."""

from __future__ import annotations

import hashlib

import pytest

from reproduce.tasks.drawn.dataset import GENERATOR_VERSION, draw
from reproduce.tasks.drawn.render import render_edges, render_mask, render_photo

# (version, kind) -> sha256 of 150 objects' pictures; a changed drawing needs a new version, and
# then a new line here.
PICTURES = {
    (2, "shoes"): "2c491eb159959bf99a206c9ab3159d352d07eda11027ea450fe402ca9f86279e",
    (2, "handbags"): "f734915a10b3db74c2b4ae9eb094482e948144a867865c948952517798ea679b",
    (3, "shoes"): "e0fa410b4b0d86701550d2b10d223f2af0a4267189dd9eda03c8a4939c40641d",
    (3, "handbags"): "30c589262caa26acbd428fa9d16762b9dba99ee11856d66eca983b65300fd107",
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
