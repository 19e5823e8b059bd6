"""Pictures that are drawn one by one are those of the folders, and so is what is told of them."""

import numpy as np
import pytest

from models.errors import UserError
from reproduce.experiments.places import Places, open_run_task
from reproduce.experiments.run import RunConfig
from reproduce.tasks.drawn.truth import truth_of
from reproduce.tasks.modes import open_modes
from reproduce.tasks.sources import FolderSource
from reproduce.training.single_pictures import DrawnTask, digest


@pytest.mark.parametrize("task", ["drawn-shoes", "drawn-bigcats-dogs"])
def test_they_are_those_of_the_folders(task, data) -> None:
    run = RunConfig("munit", task, size=32, train=6, test=5, settings={})
    domains = open_run_task(run, Places(data, data, data, progress=False))
    alone = DrawnTask.of(run)
    for part, source in alone.sources.items():
        folder = FolderSource(domains.folder / part)
        assert source.ids == folder.ids
        for i in (0, len(folder) - 1):
            assert np.array_equal(np.asarray(source.read(i)), np.asarray(folder.read(i)))
            assert digest(source.read(i)) == digest(folder.read(i))
            assert source.path(i).name == folder.path(i).name
        assert digest(source.read(0)) != digest(source.read(1))
    if alone.animals:
        told, known = open_modes(domains.folder), alone.modes({"testA": 5, "testB": 2})
        assert (known.titles, known.names) == (told.titles, told.names)
        assert len(known.rows) == 7
        assert all(dict(row) == dict(told.rows[key]) for key, row in known.rows.items())
    else:
        truth = truth_of(domains, 32)
        assert truth is not None
        for key in (("test", "00003"), ("trainB", "00005")):
            assert alone.rows[key] == {k: v for k, v in truth.rows[key].items() if v != ""}


def test_what_is_not_drawn_is_refused() -> None:
    run = RunConfig("munit", "edges2shoes", settings={})
    with pytest.raises(UserError, match="edges2shoes is not a drawn task"):
        DrawnTask.of(run)
