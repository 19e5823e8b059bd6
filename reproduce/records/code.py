"""The code that decides a result (jobs, trained runs, records): all modules that its entry points
import, as one digest.

A digest counts what code says and what it imports, not what files are called or where they are:
moving or renaming a module changes none. Neither do comments, docstrings and layout. Imports are
read from the source (those inside functions too), so nothing is run. A package's own file counts
where something is imported from it.

A module that assigns ``OUTSIDE_DIGESTS``, the reason in words, is a boundary: something else accounts
for it (a run's settings, a picture's fingerprint), or it changes no number. It counts only as an
entry point, and what it imports does not count for those who import it.
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
    """The modules of this project that ``entries`` import, directly or not, and they themselves,
    sorted; ``through``: boundaries count like any other module.

    ValueError for an entry that is no module of this project.
    """
    waiting, found = list(entries), set[str]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if _path(name) is None:
            raise ValueError(f"{name} is no module of this project")
        found.add(name)
        waiting += [n for n in _read(name).targets if through or not _read(n).boundary]
    return tuple(sorted(found))


def contents(modules: Iterable[str]) -> dict[str, str]:
    """By module, a digest (12 hex digits) of what its own code says, whatever it imports."""
    return {name: _read(name).content for name in modules}


def digest_of(modules: Iterable[str]) -> str:
    """12 hex digits of what ``modules`` say, and which of them imports what from which."""
    known = contents(modules)
    return _sha("\n".join(sorted(_read(name).told(known) for name in known)))


def state_of_files() -> str:
    """A digest of the names, sizes and times of all source files: while it is the same, so is what
    they say."""
    files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    told = ((path.relative_to(ROOT), path.stat()) for path in files)
    return _sha("".join(f"{name} {of.st_size} {of.st_mtime_ns}\n" for name, of in told))


@dataclass(frozen=True)
class _Source:
    """A module without its imports of this project.

    ``code``: its syntax tree; a name that stands for an imported module reads ``<module a.b>``, and
    ``imports`` are the other names: (their name there, their name here, module).
    """

    code: str
    modules: frozenset[str]
    imports: frozenset[tuple[str, str, str]]
    boundary: bool

    @property
    def targets(self) -> set[str]:
        """All modules that it imports."""
        return {*self.modules, *(target for _, _, target in self.imports)}

    @cached_property
    def content(self) -> str:
        """What it says, whatever it imports."""
        return self.told({})

    def told(self, known: dict[str, str]) -> str:
        """The code, modules by their contents in ``known``; those that are not there all alike."""
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
    """As Python 3.11 tells it: 3.12 added type parameters, 3.13 leaves out what is empty."""
    shown: dict[str, Any] = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **shown).replace(", type_params=[]", "")


class _Imports(ast.NodeTransformer):
    """Takes a project's own imports out of a tree; ``modules`` by their names here."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}
        self.names: set[tuple[str, str, str]] = set()

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        ours = [alias for alias in node.names if _path(alias.name)]
        for alias in ours:
            if alias.asname:
                self.modules[alias.asname] = alias.name
            else:  # its uses say where it is
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


# What a training computes with, whatever the method.
_TRAINING = (
    "reproduce.training.trainer", "reproduce.training.graphed", "reproduce.training.checkpoints",
    "reproduce.tasks.batches", "models.randomness",
)  # fmt: skip


_KNOWN: dict[str, dict[str, Any]] = {}  # by the modules' names


def digests(*modules: str) -> dict[str, Any]:
    """The code behind ``modules``: its ``digest``, which decides, and by name the contents of its
    ``modules``, which only say what changed."""
    names = " ".join(modules)
    if names not in _KNOWN:
        found = modules_behind(modules)
        _KNOWN[names] = {"digest": digest_of(found), "modules": contents(found)}
    return _KNOWN[names]


def known_digests() -> dict[str, Any]:
    """All that ``digests`` has told in this process, for another one: to read a hundred files takes
    each job a second."""
    return {"files": state_of_files(), "digests": _KNOWN}


def take_digests(told: Mapping[str, Any]) -> None:
    """What ``known_digests`` told, if no file has changed since."""
    if told.get("files") == state_of_files():
        _KNOWN.update(told["digests"])


def training(method: str) -> dict[str, Any]:
    """The same of the training of a method."""
    return digests(recipe(method).method.__module__, *_TRAINING)


@cache
def training_code(method: str) -> str:
    """12 hex digits of the code that trains a method."""
    return str(training(method)["digest"])


def measuring(*modules: str) -> dict[str, Any]:
    """The same of modules that measure translations."""
    return digests(*modules, "reproduce.training.translate")


@cache
def code_of(module: str) -> str:
    """12 hex digits of the code with which ``module`` measures: what was measured with other code
    is measured again."""
    return str(measuring(module)["digest"])


def code_behind(module: str) -> str:
    """12 hex digits of the code that is behind ``module``."""
    return digest_of(modules_behind([module]))


def made_by(path: Path, module: str) -> bool:
    """Whether a network that is kept at ``path`` was trained by the code that is behind
    ``module`` now; one that was brought here, without a note, is taken as it is."""
    return path.exists() and signed(path) in (None, code_behind(module))


def signed(path: Path) -> str | None:
    """What ``sign`` noted of the network at ``path``."""
    note = path.with_suffix(".code")
    return note.read_text(encoding="utf-8").strip() if note.exists() else None


def sign(path: Path, module: str) -> None:
    """Note which code trained the network at ``path``."""
    write_text(path.with_suffix(".code"), code_behind(module) + "\n")
