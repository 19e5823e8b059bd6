"""What a folder of files holds, without reading them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def listing(source: Path, *, times: bool, without: str = "") -> str:
    """A digest of names and sizes, and with ``times`` of when they were written, of the files at
    ``source``: quick to see whether pictures were changed, if not which.

    ``without``: the name of a file that does not count. A folder that is gone has one too.
    """
    files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    told = [
        (p.relative_to(source).as_posix(), s.st_size, *([s.st_mtime_ns] if times else []))
        for p in files if p.name != without and p.exists() and (s := p.stat())
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
