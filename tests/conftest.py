"""Options and helpers that all tests share."""

import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import torch

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden-dir",
        type=Path,
        default=GOLDEN,
        help="folder of recorded cases, one sub-folder each (default: tests/golden)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "golden_case" in metafunc.fixturenames:
        root = metafunc.config.getoption("--golden-dir")
        cases = sorted(p.parent for p in root.glob("*/case.json"))
        if not cases:
            raise pytest.UsageError(f"no golden case (*/case.json) in --golden-dir {root}")
        metafunc.parametrize("golden_case", cases, ids=[c.name for c in cases])


# Files that take half a minute or more: begun first (--no-loadscope-reorder), they end while there are
# others to run beside them.
LONG = (
    "test_regression.py", "test_all_command.py", "test_distributed.py", "test_ablate_command.py",
    "test_training.py", "test_observed.py", "test_rerun.py", "test_retraining.py", "test_examples.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = [*LONG, ""]
    items.sort(key=lambda item: names.index(item.path.name if item.path.name in LONG else ""))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Networks of a few channels run many times slower on two threads than on one."""
    torch.set_num_threads(1)


@pytest.fixture
def refused_by(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A function: run a program's ``main`` with words that it must refuse, and get its one line.
    ``printed``: it may have said on standard output what it understood."""

    def run(
        main: Callable[[list[str]], object], words: Iterable[object], printed: bool = False
    ) -> str:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code
        out, error = capfd.readouterr()
        assert code == 2, (code, error)
        lines = [line for line in error.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1 and lines[0].startswith("error: "), error
        assert printed or out == "", out
        return lines[0]

    return run


@pytest.fixture(autouse=True)
def _proxies_of_this_test_alone() -> Iterator[None]:
    """urllib keeps the proxies that its first call found: those of a test without a network."""
    yield
    urllib.request.install_opener(None)
