"""Contents of drawn animals as numbers, where their readers are kept, and who has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sorted_pictures import opened as sorted_task
from sorted_pictures import sorted_folder

from benchmarks.networks.content_reader import ContentNetwork, ContentReader, Scale
from models.errors import UserError
from models.init import initialise
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import parse_settings
from reproduce.measuring import content_readers as content_measure
from reproduce.measuring.content_readers import (
    FACTORS,
    RECIPE,
    content_of,
    content_scores,
    open_content,
    reader_path,
    tells_content,
)
from reproduce.tasks.animals.animal import draw_animal
from reproduce.tasks.modes import open_modes
from reproduce.tasks.pictures import Preparation

RUN = load_preset("quick").table_runs(2, 0, parse_settings(["train=12", "test=8"]))[0]
CATS_DOGS = replace(RUN, task="drawn-housecats-dogs")


def places(root: Path) -> Places:
    return Places(root / "data", root / "runs", root / "results", progress=False)


def opened(root: Path, task: str = CATS_DOGS.task):
    domains = open_run_task(replace(RUN, task=task), places(root))
    return domains, open_modes(domains.folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("content")


def store(root: Path, r2: float) -> ContentReader:
    """An untrained reader, which claims to know, where a trained one would be."""
    network = ContentNetwork(RECIPE, len(FACTORS))
    initialise(network, "kaiming", torch.Generator().manual_seed(0))
    scale = Scale((0.0,) * len(FACTORS), (1.0,) * len(FACTORS))
    claims = dict.fromkeys(FACTORS, r2)
    reader = ContentReader(RECIPE, scale, (32, 32), network, claims, {"domain": "dogs"})
    reader.save(reader_path(*opened(root), "b", CATS_DOGS, root / "runs"))
    return reader


def test_contents_are_those_that_were_drawn(root: Path) -> None:
    domains, modes = opened(root)
    assert tells_content(modes)
    ids = domains.test_b.ids[::-1]
    values = content_of(modes, "testB", ids)
    assert values.shape == (8, len(FACTORS))
    column = {factor: values[:, k] for k, factor in enumerate(FACTORS)}
    for i, name in enumerate(ids):
        mode = modes.rows["testB", name]["mode"]
        pose = draw_animal("dogs", mode, 0, "testB", int(name)).pose
        for factor in ("yaw", "scale", "gaze_x", "openness"):
            assert column[factor][i] == pytest.approx(getattr(pose, factor), abs=1e-4)
        shown = [n for n in ("closed", "smile", "open") if column[f"expression={n}"][i] == 1]
        assert shown == [pose.expression]
    one_hot = values[:, [k for k, f in enumerate(FACTORS) if "=" in f]]
    assert one_hot.sum(axis=1).tolist() == [1.0] * 8


def test_a_reader_is_trained_once_and_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_measure, "RECIPE", replace(RECIPE, steps=2, floor=-1e9))
    domains, modes = opened(root)
    where = replace(places(root), runs=tmp_path)
    reader = open_content(domains, modes, "b", CATS_DOGS, where)
    assert reader is not None and reader.used == FACTORS
    assert reader.facts == {"domain": "dogs", "train": 12, "held_out": 8, "seed": 0}
    path = reader_path(domains, modes, "b", CATS_DOGS, tmp_path)
    before = path.stat().st_mtime_ns
    open_content(domains, modes, "b", CATS_DOGS, where)
    assert path.stat().st_mtime_ns == before
    stored = content_of(modes, "trainB", domains.train_b.ids)
    assert reader.scale.mean == pytest.approx(stored.mean(axis=0))


def test_real_pictures_are_scored_and_a_reader_that_knows_nothing_scores_nothing(
    root: Path,
) -> None:
    domains, modes = opened(root)
    stored = store(root, 0.9)
    reader = open_content(domains, modes, "b", CATS_DOGS, places(root))
    assert reader is not None and reader.sha256 == stored.sha256
    source, fixed = domains.test_b, Preparation(32).at_test()
    scores = content_scores(reader, modes, "testB", source.ids)
    for i, name in enumerate(source.ids):
        scores.update(name, 0, fixed(source.read(i)))
    table = scores.finish()
    assert np.array_equal(table.truth, content_of(modes, "testB", table.input_ids))
    m = table.measurement(0)
    assert 0 < m.value < 1
    assert (m.protocol["protocol"], m.protocol["domain"]) == ("real@8", "dogs")
    store(root, 0.49)
    assert open_content(domains, modes, "b", CATS_DOGS, places(root)) is None


def test_tasks_that_share_a_domain_share_its_reader(root: Path, tmp_path: Path) -> None:
    paths = {
        task: [reader_path(*opened(root, task), d, CATS_DOGS, tmp_path) for d in "ab"]
        for task in (CATS_DOGS.task, "drawn-bigcats-dogs")
    }
    (cats, dogs), (big_cats, same_dogs) = paths.values()
    assert dogs == same_dogs and len({cats, dogs, big_cats}) == 3
    domains, modes = opened(root)
    rows = dict(modes.rows)
    name = domains.train_b.ids[0]
    rows["trainB", name] = {**rows["trainB", name], "yaw": "1.5"}
    turned = replace(modes, rows=rows)
    assert reader_path(domains, turned, "b", CATS_DOGS, tmp_path) != dogs
    assert reader_path(domains, turned, "a", CATS_DOGS, tmp_path) == cats


def test_photographs_tell_no_content(tmp_path: Path) -> None:
    domains = sorted_task(sorted_folder(tmp_path / "sorted"), tmp_path / "data")
    modes = open_modes(domains.folder)
    assert not tells_content(modes)
    assert open_content(domains, modes, "b", RUN, places(tmp_path)) is None
    assert not (tmp_path / "runs").exists()


def test_a_truth_that_is_none_is_refused(root: Path) -> None:
    domains, modes = opened(root)
    name = domains.test_b.ids[3]
    row = modes.rows["testB", name]
    for wrong in ({"tilt": "left"}, {"tilt": ""}, {"expression": "sad"}):
        broken = replace(modes, rows={**modes.rows, ("testB", name): {**row, **wrong}})
        with pytest.raises(UserError, match=f"tell the content of testB/{name} .*; remove") as e:
            content_of(broken, "testB", domains.test_b.ids)
        assert "\n" not in str(e.value)
