"""Digests of code: what hangs on what, and what changes nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from reproduce import code_digest
from reproduce.code_digest import code_digests, modules_behind


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A project of its own: models/a imports models/b, reproduce/late imports b inside a function."""
    files = {
        "models/__init__.py": "",
        "models/a.py": "import math\nfrom models.b import f\n\n\ndef g():\n    return f() + 1\n",
        "models/b.py": "def f():\n    return 1\n",
        "models/c.py": "X = 1\n",
        "reproduce/__init__.py": "from models import c\n",
        "reproduce/late.py": "def h():\n    from models import b\n\n    return b.f()\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code_digest, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    code_digest._read.cache_clear()
    code_digest._path.cache_clear()
    code_digest._imports.cache_clear()


def digest(name: str) -> str:
    forget()
    return code_digests([name])[name]


def test_imports_are_followed_wherever_they_stand(project: Path) -> None:
    assert modules_behind(["models.a"]) == ("models", "models.a", "models.b")
    # A package runs before what lies in it, and what it imports counts.
    assert modules_behind(["reproduce.late"]) == (
        "models", "models.b", "models.c", "reproduce", "reproduce.late",
    )  # fmt: skip
    assert modules_behind(["models.a"], without=["models.b"]) == ("models", "models.a")
    with pytest.raises(ValueError, match="models.absent is no module"):
        modules_behind(["models.absent"])


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("def f():\n    return 1  # one\n", True),
        ('"""About."""\n\n\ndef f():\n    """One."""\n    return 1\n', True),
        ("def f():\n\n    return (1)\n", True),
        ("def f():\n    return 2\n", False),
        ("def f():\n    return 1.0\n", False),
        ('def f():\n    return "1"\n', False),
        ("def f(x=1):\n    return 1\n", False),
    ],
)
def test_only_what_code_does_counts(project: Path, text: str, same: bool) -> None:
    before = digest("models.b")
    (project / "models/b.py").write_text(text)
    assert (digest("models.b") == before) == same


def test_a_text_that_is_a_value_is_no_docstring(project: Path) -> None:
    (project / "models/b.py").write_text('X = "a"\n')
    before = digest("models.b")
    (project / "models/b.py").write_text('X = "b"\n')
    assert digest("models.b") != before


def test_no_method_hangs_on_another() -> None:
    """The real project: CycleGAN's code is none of MUNIT's, and both hang on the trainer's."""
    from reproduce.measuring_code import training

    names = ("munit", "unit", "cyclegan", "bicyclegan")
    behind = {name: set(training(name)) for name in names}
    for name, modules in behind.items():
        others = {f"models.{other}" for other in names} - {f"models.{name}"}
        assert f"models.{name}" in modules and not modules & others
        assert {"models.losses", "models.blocks", "reproduce.trainer"} <= modules


def test_every_module_can_be_read() -> None:
    root = code_digest.ROOT
    for package in code_digest.PACKAGES:
        for path in (root / package).rglob("*.py"):
            ast.parse(path.read_text(encoding="utf-8"))
