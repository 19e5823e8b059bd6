"""Profiles that no job could be run with are refused before any is begun."""

import importlib.util
from pathlib import Path

import pytest
from reading import refusal
from tiny import places

from models.errors import UserError
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
    assert "'slrm': did you mean slurm? known: slurm, or a folder" in refusal(profile_path, "slrm")


def test_a_missing_executor_is_named_with_its_package(tmp_path: Path) -> None:
    for number, text in enumerate(("cores: 2\n", "executor: local\n")):  # come with Snakemake
        check_executor(own(tmp_path / str(number), text))
    for name in ("config.yaml", "config.v9+.yaml", "profile.yaml"):
        folder = own(tmp_path / name, "executor: no-such\n", name)
        said = refusal(check_executor, folder)
        assert str(Path(folder) / name) in said
        assert said.endswith("pip install snakemake-executor-plugin-no-such")


@pytest.mark.parametrize("text", ["a: [", "- slurm\n", ""])
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"config\.yaml(: not a profile| is no YAML)"):
        check_executor(own(tmp_path / "odd", text))


def test_all_refuses_before_it_begins(tmp_path, refused, monkeypatch):
    monkeypatch.setenv("PATH", "")
    words = ["all", "--preset=quick", *places(tmp_path), "--no-progress"]
    told = refused([*words, "--profile=slurm"])
    assert "slurm" in told and ("no sbatch" if HAS_PLUGIN else "pip install") in told
    assert "unknown --profile" in refused([*words, "--profile", tmp_path / "none"])
    assert not list(tmp_path.iterdir()), "nothing was begun"
