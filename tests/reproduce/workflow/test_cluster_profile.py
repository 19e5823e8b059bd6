"""Profiles that no job could be run with are refused before any is begun."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from models.errors import UserError
from reproduce.commands.cli import main
from reproduce.workflow.cluster_profile import PROFILES, check_executor, profile_path

HAS_PLUGIN = importlib.util.find_spec("snakemake_executor_plugin_slurm") is not None


def own(folder: Path, text: str, name: str = "config.yaml") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return str(folder)


def test_ours_by_name_and_ones_own_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert profile_path("slurm") == PROFILES / "slurm"
    folder = own(tmp_path / "mine", "cores: 2\n")
    assert profile_path(folder) == Path(folder)
    monkeypatch.chdir(tmp_path)
    assert profile_path("mine") == Path(folder)
    assert profile_path("mine/config.yaml") == Path(folder) / "config.yaml"
    with pytest.raises(UserError, match=r"'slrm': did you mean slurm\? known: slurm, or a folder"):
        profile_path("slrm")


def test_executors_that_come_with_snakemake_need_nothing(tmp_path: Path) -> None:
    check_executor(own(tmp_path / "a", "cores: 2\n"))
    check_executor(own(tmp_path / "b", "executor: local\ncores: 2\n"))


def test_a_missing_executor_is_named_with_its_package(tmp_path: Path) -> None:
    for name in ("config.yaml", "config.v9+.yaml", "profile.yaml"):
        folder = own(tmp_path / name, "executor: no-such\n", name)
        with pytest.raises(UserError) as caught:
            check_executor(folder)
        said = str(caught.value)
        assert str(Path(folder) / name) in said
        assert said.endswith("pip install snakemake-executor-plugin-no-such")


@pytest.mark.parametrize("text", ["a: [", "- slurm\n", ""])
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"config\.yaml(: not a profile| is no YAML)"):
        check_executor(own(tmp_path / "odd", text))


def test_slurm_needs_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no sbatch" if HAS_PLUGIN else "pip install"):
        check_executor("slurm")


def test_all_refuses_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    places = [f"--{name}={tmp_path / name}" for name in ("data", "runs", "results")]
    words = ["all", "--preset=quick", *places, "--no-progress"]
    assert main([*words, "--profile=slurm"]) == 2
    said = capsys.readouterr().err
    assert said.count("error:") == 1 and "slurm" in said and "Traceback" not in said
    assert main([*words, "--profile", str(tmp_path / "none")]) == 2
    assert "unknown --profile" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing was begun"
