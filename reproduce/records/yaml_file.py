"""YAML files written by users."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.files import foreign

OUTSIDE_DIGESTS = "what was read is named by those who read it"


class _Once(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML would silently use the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.YAMLError(f"{name} is given twice")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, remedy: str) -> Any:
    """The contents of a YAML file; UserError, ending in ``remedy``, if it is not valid YAML."""
    with foreign(f"{path} is no YAML", remedy):
        return yaml.load(path.read_text(encoding="utf-8"), _Once)
