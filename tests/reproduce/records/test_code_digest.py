"""Digests of code: what hangs on what, and what changes nothing."""

import re
from pathlib import Path

import pytest

from reproduce.records import code as code_digest
from reproduce.records.code import digest_of, modules_behind


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


def digest(*names: str) -> str:
    """Of the code behind modules, read anew."""
    forget()
    return digest_of(modules_behind(names))


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert re.search(old, text), f"{path} has no {old}"
        text = re.sub(old, new, text)
    path.write_text(text, encoding="utf-8")


def test_imports_are_followed_wherever_they_stand(project: Path) -> None:
    assert modules_behind(["models.a"]) == ("models.a", "models.b")
    # A package's own file counts where something is imported from it.
    assert modules_behind(["reproduce.late"]) == ("models.b", "reproduce.late")
    (project / "models/a.py").write_text("from reproduce import c\n")
    forget()
    assert modules_behind(["models.a"]) == ("models.a", "models.c", "reproduce")
    with pytest.raises(ValueError, match="models.absent is not a module"):
        modules_behind(["models.absent"])


def test_digests_are_those_of_every_python(project: Path) -> None:
    """Another version of Python dumps syntax otherwise; records made with it would not be found."""
    (project / "models/b.py").write_text("class C:\n    pass\n\n\ndef f():\n    return 1\n")
    assert digest("models.a") == "5ca7315c34d4"


def test_a_boundary_counts_as_an_entry_alone(project: Path) -> None:
    rewrite(project / "models/b.py", ("^", "from models.c import X\n\nOUTSIDE_DIGESTS = 'why'\n"))
    forget()
    assert modules_behind(["models.a"]) == ("models.a",)
    assert modules_behind(["models.a"], through=True) == ("models.a", "models.b", "models.c")
    assert modules_behind(["models.a", "models.b"]) == ("models.a", "models.b", "models.c")
    before = digest("models.a"), digest("models.b")
    rewrite(project / "models/b.py", ("return 1", "return 2"))
    assert digest("models.a") == before[0] and digest("models.b") != before[1]


def test_what_is_imported_from_where_counts(project: Path) -> None:
    (project / "models/c.py").write_text("def f():\n    return 3\n")
    (project / "models/a.py").write_text(
        "from models import b, c\nfrom models.b import f\nfrom models.c import f as other\n\n"
        "X = b.f() - c.f() * f() * other()\n"
    )
    before = digest("models.a")
    changes = ("b.f.. - c.f", "c.f() - b.f"), ("models.b import f\\n", "models.c import f\n")
    for change in changes:
        text = (project / "models/a.py").read_text()
        rewrite(project / "models/a.py", change)
        assert modules_behind(["models.a"]) == ("models.a", "models.b", "models.c")
        assert digest("models.a") != before
        (project / "models/a.py").write_text(text)
    assert digest("models.a") == before


def test_moved_modules_change_no_digest(project: Path) -> None:
    """A and b import each other, a takes c whole; b and c move, and then one of them changes."""
    a, b, c = (project / f"models/{name}.py" for name in "abc")
    a.write_text(
        "from models import c\nfrom models.b import f\n\n\ndef g():\n    return f() + c.X\n"
    )
    b.write_text("def f():\n    from models.a import g\n\n    return g\n")
    before = digest("models.a")
    (project / "reproduce/parts").mkdir()
    b.rename(project / "reproduce/parts/last.py")
    c.rename(project / "models/other.py")
    rewrite(a, ("import c", "import other"), ("c.X", "other.X"))
    rewrite(a, ("models.b", "reproduce.parts.last"), ("^", "# moved\n"))
    assert digest("models.a") == before
    assert modules_behind(["models.a"]) == ("models.a", "models.other", "reproduce.parts.last")
    rewrite(project / "models/other.py", ("1", "2"))
    assert digest("models.a") != before


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("def f():\n    return 1  # one\n", True),
        ('"""About."""\n\n\ndef f():\n    """One."""\n    return 1\n', True),
        ("def f():\n\n    return (1)\n", True),
        ("def f():\n    return 2\n", False),
        ("def f():\n    return 1.0\n", False),
        ("def f(x=1):\n    return 1\n", False),
    ],
)
def test_only_what_code_does_counts(project: Path, text: str, same: bool) -> None:
    before = digest("models.b")
    (project / "models/b.py").write_text(text)
    assert (digest("models.b") == before) == same


def test_no_method_hangs_on_another() -> None:
    """The real project: CycleGAN's code is none of MUNIT's, and both hang on the trainer's."""
    from reproduce.records.code import training

    names = ("munit", "unit", "cyclegan", "bicyclegan")
    behind = {name: set(training(name)["modules"]) for name in names}
    for name, modules in behind.items():
        others = {f"models.{other}" for other in names} - {f"models.{name}"}
        assert f"models.{name}" in modules and not modules & others
        assert {"models.losses", "models.blocks", "reproduce.training.trainer"} <= modules
