"""Which code a result depends on: the modules that its entry points import, and their digest.

Imports are read from the source (those inside functions too), so nothing is run and nothing that
merely happens to be loaded counts. Comments, docstrings and layout change no number, so they change
no digest.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("models", "benchmarks", "reproduce")
_DESCRIBED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules_behind(entries: Iterable[str], without: Iterable[str] = ()) -> tuple[str, ...]:
    """The modules of this project that ``entries`` import, directly or not, and they themselves,
    sorted; ``without``: modules that are not followed, because something else accounts for them.

    ValueError for an entry that is no module of this project.
    """
    barred = set(without)
    waiting = [name for name in entries if name not in barred]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name in barred:
            continue
        if _path(name) is None:
            raise ValueError(f"{name} is no module of this project")
        found.add(name)
        waiting += _imports(name)
    return tuple(sorted(found))


def code_digests(modules: Iterable[str]) -> dict[str, str]:
    """By module, a digest (12 hex digits) of what its code does."""
    return {name: _digest(name) for name in modules}


def _digest(name: str) -> str:
    return _read(name)[0]


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Modules of this project that ``name`` imports, its packages among them."""
    found = _read(name)[1]
    ours = {n for n in found if n.split(".")[0] in PACKAGES and _path(n) is not None}
    parents = {n.rpartition(".")[0] for n in (*ours, name)}
    return tuple(sorted(ours | {p for p in parents if p and _path(p) is not None}))


@cache
def _read(name: str) -> tuple[str, frozenset[str]]:
    """A module's digest, and what it imports."""
    path = _path(name)
    assert path is not None
    tree, found = ast.parse(path.read_text(encoding="utf-8"), str(path)), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, _DESCRIBED) and node.body and _is_text(node.body[0]):
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12], frozenset(found)


@cache
def _path(name: str) -> Path | None:
    """The file of a module or package of this project; None if there is none."""
    place = ROOT.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
