"""Digests of the code behind a result (jobs, trained runs, records): all modules that its entry points
import, directly or not.

A digest covers the code and its imports, but not the names and places of files: moving or renaming a
module changes no digest, nor do comments, docstrings and layout. Imports are read from the source
(also inside functions), so no code runs. A package's ``__init__.py`` counts if something is imported
from it.

A module that assigns ``OUTSIDE_DIGESTS`` (the reason, in words) is a boundary: it changes no number,
or something else accounts for it (a run's settings, a picture's fingerprint). It counts only as an
entry point; modules that import it ignore it and its imports.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from benchmarks.files import write_text
from models.zoo import recipe

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("models", "benchmarks", "reproduce")
MARK = "OUTSIDE_DIGESTS"
OUTSIDE_DIGESTS = "it only names code"
_DESCRIBED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules_behind(entries: Iterable[str], *, through: bool = False) -> tuple[str, ...]:
    """The ``entries`` and all modules of this project that they import, directly or not, sorted;
    ``through``: boundaries count like any other module.

    ValueError for an entry that is not a module of this project.
    """
    waiting, found = list(entries), set[str]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if _path(name) is None:
            raise ValueError(f"{name} is not a module of this project")
        found.add(name)
        waiting += [n for n in _read(name).targets if through or not _read(n).boundary]
    return tuple(sorted(found))


def contents(modules: Iterable[str]) -> dict[str, str]:
    """Module -> digest (12 hex digits) of its own code, without its imports."""
    return {name: _read(name).content for name in modules}


def digest_of(modules: Iterable[str]) -> str:
    """The digest (12 hex digits) of the code of ``modules`` and of their imports of each other."""
    known = contents(modules)
    return _sha("\n".join(sorted(_read(name).told(known) for name in known)))


def state_of_files() -> str:
    """A digest of the names, sizes and times of all source files, to detect changes cheaply."""
    files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    told = ((path.relative_to(ROOT), path.stat()) for path in files)
    return _sha("".join(f"{name} {of.st_size} {of.st_mtime_ns}\n" for name, of in told))


@dataclass(frozen=True)
class _Source:
    """A module without its imports from this project.

    ``code``: its syntax tree, with ``<module a.b>`` for the names of imported modules; ``imports``:
    the other imported names, as (name there, name here, module).
    """

    code: str
    modules: frozenset[str]
    imports: frozenset[tuple[str, str, str]]
    boundary: bool

    @property
    def targets(self) -> set[str]:
        """All modules that it imports from."""
        return {*self.modules, *(target for _, _, target in self.imports)}

    @cached_property
    def content(self) -> str:
        """The digest of its own code, without its imports."""
        return self.told({})

    def told(self, known: dict[str, str]) -> str:
        """The digest of the code, with imported modules replaced by their digests in ``known``."""
        code = self.code
        for name in self.modules:
            code = code.replace(f"<module {name}>", f"<module {known.get(name, '')}>")
        imports = sorted((there, here, known.get(name, "")) for there, here, name in self.imports)
        return _sha(f"{imports}\n{code}")


@cache
def _read(name: str) -> _Source:
    path = _path(name)
    assert path is not None
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(tree):
        if isinstance(node, _DESCRIBED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
    reader = _Imports()
    reader.visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in reader.modules:
            node.id = f"<module {reader.modules[node.id]}>"
    boundary = any(
        isinstance(node, ast.Assign) and any(ast.unparse(t) == MARK for t in node.targets)
        for node in tree.body
    )
    return _Source(
        _dumped(tree), frozenset(reader.modules.values()), frozenset(reader.names), boundary
    )


def _dumped(tree: ast.AST) -> str:
    """The dump as in Python 3.11: 3.12 added type parameters, 3.13 omits empty fields."""
    shown: dict[str, Any] = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **shown).replace(", type_params=[]", "")


class _Imports(ast.NodeTransformer):
    """Removes the project's own imports from a tree; ``modules``: name here -> module."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}
        self.names: set[tuple[str, str, str]] = set()

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        ours = [alias for alias in node.names if _path(alias.name)]
        for alias in ours:
            if alias.asname:
                self.modules[alias.asname] = alias.name
            else:  # its uses contain the full name
                self.names.add(("", "", alias.name))
        node.names = [alias for alias in node.names if alias not in ours]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        if node.level or not node.module or node.module.split(".")[0] not in PACKAGES:
            return node
        for alias in node.names:
            here = alias.asname or alias.name
            if _path(inner := f"{node.module}.{alias.name}"):
                self.modules[here] = inner
            elif _path(node.module):
                self.names.add((alias.name, here, node.module))
        return None


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def _path(name: str) -> Path | None:
    """The file of a module or package of this project; None if there is none."""
    if name.split(".")[0] not in PACKAGES:
        return None
    place = ROOT.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


# The modules behind every training, whatever the method.
_TRAINING = (
    "reproduce.training.trainer", "reproduce.training.graphed", "reproduce.training.checkpoints",
    "reproduce.tasks.batches", "models.randomness",
)  # fmt: skip


_KNOWN: dict[str, dict[str, Any]] = {}  # names of modules -> their digests


def digests(*modules: str) -> dict[str, Any]:
    """The code behind ``modules``: its ``digest``, which decides, and the digests of its ``modules``
    by name, which only show what changed."""
    names = " ".join(modules)
    if names not in _KNOWN:
        found = modules_behind(modules)
        _KNOWN[names] = {"digest": digest_of(found), "modules": contents(found)}
    return _KNOWN[names]


def known_digests() -> dict[str, Any]:
    """The cache of ``digests`` for other processes, because reading a hundred files takes each job
    a second."""
    return {"files": state_of_files(), "digests": _KNOWN}


def take_digests(told: Mapping[str, Any]) -> None:
    """Fill the cache from ``known_digests`` of another process, if no file has changed since."""
    if told.get("files") == state_of_files():
        _KNOWN.update(told["digests"])


def training(method: str) -> dict[str, Any]:
    """The ``digests`` of the code that trains a method."""
    return digests(recipe(method).method.__module__, *_TRAINING)


@cache
def training_code(method: str) -> str:
    """The digest (12 hex digits) of the code that trains a method."""
    return str(training(method)["digest"])


def measuring(*modules: str) -> dict[str, Any]:
    """The ``digests`` of modules that measure translations."""
    return digests(*modules, "reproduce.training.translate")


@cache
def code_of(module: str) -> str:
    """The digest (12 hex digits) of the code with which ``module`` measures; results of other code
    are measured again."""
    return str(measuring(module)["digest"])


def code_behind(module: str) -> str:
    """The digest (12 hex digits) of the code behind ``module``."""
    return digest_of(modules_behind([module]))


def made_by(path: Path, module: str) -> bool:
    """Whether the network stored at ``path`` was trained by the current code behind ``module``; a
    network without a note (brought from elsewhere) is accepted."""
    return path.exists() and signed(path) in (None, code_behind(module))


def signed(path: Path) -> str | None:
    """The digest that ``sign`` noted for the network at ``path``; None without a note."""
    note = path.with_suffix(".code")
    return note.read_text(encoding="utf-8").strip() if note.exists() else None


def sign(path: Path, module: str) -> None:
    """Note the digest of the code that trained the network at ``path``."""
    write_text(path.with_suffix(".code"), code_behind(module) + "\n")
