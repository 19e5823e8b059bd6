"""Contents of drawn animals as numbers, where their readers are kept, and who has none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sorted_pictures import opened as sorted_task
from sorted_pictures import sorted_folder
from stored_judges import reader_of
from tiny import places_of

from benchmarks.networks.content_reader import ContentReader
from models.errors import UserError
from reproduce.experiments.preset import load_preset
from reproduce.experiments.run import parse_settings
from reproduce.measuring import content_readers as content_measure
from reproduce.measuring.content_readers import (
    FACTORS,
    RECIPE,
    content_of,
    content_scores,
    kept_reader,
    open_content,
    tells_content,
)
from reproduce.measuring.subject import Pictures, open_pictures
from reproduce.tasks.animals.animal import draw_animal

RUN = load_preset("quick").table_runs(2, 0, parse_settings(["train=12", "test=8"]))[0]
CATS_DOGS = replace(RUN, task="drawn-housecats-dogs")


def opened(root: Path, task: str = CATS_DOGS.task) -> Pictures:
    return open_pictures(replace(RUN, task=task), places_of(root))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("content")


def store(root: Path, r2: float) -> ContentReader:
    """An untrained reader, which claims to know, where a trained one would be."""
    reader = reader_of("dogs", r2)
    reader.save(kept_reader(opened(root), "b", places_of(root)).path)
    return reader


def test_contents_are_those_that_were_drawn(root: Path) -> None:
    pictures = opened(root)
    modes = pictures.modes
    assert tells_content(modes)
    ids = pictures.domains.test_b.ids[::-1]
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


def test_a_reader_is_trained_once_and_kept(root, tmp_path, monkeypatch):
    monkeypatch.setattr(content_measure, "RECIPE", replace(RECIPE, steps=2, floor=-1e9))
    pictures, where = opened(root), replace(places_of(root), runs=tmp_path)
    reader = open_content(pictures, "b", where)
    assert reader is not None and reader.used == FACTORS
    assert reader.facts == {"domain": "dogs", "train": 12, "held_out": 8, "seed": 0}
    path = kept_reader(pictures, "b", where).path
    before = path.stat().st_mtime_ns
    open_content(pictures, "b", where)
    assert path.stat().st_mtime_ns == before
    stored = content_of(pictures.modes, "trainB", pictures.domains.train_b.ids)
    assert reader.scale.mean == pytest.approx(stored.mean(axis=0))


def test_real_pictures_are_scored_and_a_reader_that_knows_nothing_scores_nothing(root):
    pictures, stored = opened(root), store(root, 0.9)
    reader = open_content(pictures, "b", places_of(root))
    assert reader is not None and reader.sha256 == stored.sha256
    source = pictures.domains.test_b
    scores = content_scores(reader, pictures.modes, "testB", source.ids)
    for item in pictures.shown(source):
        scores.update(*item)
    table = scores.finish()
    assert np.array_equal(table.truth, content_of(pictures.modes, "testB", table.input_ids))
    m = table.measurement(0)
    assert 0 < m.value < 1
    assert (m.protocol["protocol"], m.protocol["domain"]) == ("real@8", "dogs")
    store(root, 0.49)
    assert open_content(pictures, "b", places_of(root)) is None


def test_tasks_that_share_a_domain_share_its_reader(root: Path) -> None:
    def paths(pictures: Pictures) -> list[Path]:
        return [kept_reader(pictures, domain, places_of(root)).path for domain in "ab"]

    pictures = opened(root)
    (cats, dogs), (big_cats, same_dogs) = paths(pictures), paths(opened(root, "drawn-bigcats-dogs"))
    assert dogs == same_dogs and len({cats, dogs, big_cats}) == 3
    rows = dict(pictures.modes.rows)
    name = pictures.domains.train_b.ids[0]
    rows["trainB", name] = {**rows["trainB", name], "yaw": "1.5"}
    pictures.modes = replace(pictures.modes, rows=rows)
    same_cats, turned = paths(pictures)
    assert same_cats == cats and turned != dogs


def test_photographs_tell_no_content(places, tmp_path) -> None:
    domains = sorted_task(sorted_folder(tmp_path / "sorted"), places.data)
    assert open_content(Pictures(RUN, domains, ""), "b", places) is None
    assert not places.runs.exists()


def test_a_truth_that_is_none_is_refused(root: Path) -> None:
    pictures = opened(root)
    modes, ids = pictures.modes, pictures.domains.test_b.ids
    name = ids[3]
    row = modes.rows["testB", name]
    for wrong in ({"tilt": "left"}, {"tilt": ""}, {"expression": "sad"}):
        broken = replace(modes, rows={**modes.rows, ("testB", name): {**row, **wrong}})
        with pytest.raises(UserError, match=f"tell the content of testB/{name} .*; remove") as e:
            content_of(broken, "testB", ids)
        assert "\n" not in str(e.value)
