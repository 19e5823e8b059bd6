import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.errors import UserError
from reproduce.tasks import batches as under_test
from reproduce.tasks.batches import Batches
from reproduce.tasks.pictures import Preparation
from reproduce.tasks.sources import FolderSource, HalfSource

PLAIN = Preparation(8, flip=False)


def write(folder: Path, count: int, width: int = 8) -> FolderSource:
    """Picture i has red level i everywhere, noise in green."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        picture = rng.integers(0, 256, (8, width, 3), dtype=np.uint8)
        picture[..., 0] = i
        Image.fromarray(picture).save(folder / f"{i}.png")
    return FolderSource(folder)


@pytest.fixture
def a(tmp_path):
    return write(tmp_path / "a", 7)


@pytest.fixture
def b(tmp_path):
    return write(tmp_path / "b", 10, width=12)


def shown(x: torch.Tensor) -> list[int]:
    return x[:, 0, 0, 0].tolist()


def equal(x, y) -> bool:
    return all(torch.equal(p, q) for p, q in zip(x, y, strict=True))


def test_each_epoch_shows_every_picture_once_also_across_batches(a, b):
    batches = [Batches(a, b, PLAIN, 4, seed=0).batch(step) for step in range(35)]
    assert {(x.shape, x.dtype) for pair in batches for x in pair} == {((4, 3, 8, 8), torch.uint8)}
    seen_a, seen_b = ([i for pair in batches for i in shown(pair[k])] for k in (0, 1))
    epochs = [tuple(seen_a[i : i + 7]) for i in range(0, 140, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len(set(epochs)) > 15
    assert set(Counter(seen_b).values()) == {14}
    larger = shown(Batches(a, b, PLAIN, 21, seed=0).batch(1)[0])  # than the data
    assert Counter(larger) == Counter(list(range(7)) * 3)


def test_batches_are_a_function_of_seed_and_step(a, b):
    preparation = Preparation(8, resize=10)
    one, two = (Batches(a, b, preparation, 4, seed=3) for _ in range(2))
    backwards = [two.batch(step) for step in reversed(range(6))][::-1]
    assert all(equal(one.batch(step), backwards[step]) for step in range(6))
    assert not equal(one.batch(0), Batches(a, b, preparation, 4, seed=4).batch(0))


def test_no_global_generator_is_used_or_moved(a, b):
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one is the point
    for workers in (0, 1):
        with Batches(a, b, Preparation(8, resize=10), 4, seed=0, workers=workers) as batches:
            next(batches)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_the_two_domains_are_drawn_in_unrelated_orders(tmp_path):
    same = write(tmp_path / "same", 30)
    x_a, x_b = Batches(same, same, PLAIN, 30, seed=0).batch(0)
    assert shown(x_a) != shown(x_b)


@pytest.mark.parametrize("workers", [0, 2])
def test_iteration_gives_the_batches_in_order(a, b, workers):
    preparation = Preparation(8, resize=10)
    with Batches(a, b, preparation, 4, seed=0, start_step=5, workers=workers) as batches:
        for step in range(5, 15):
            assert batches.step == step
            assert equal(next(batches), batches.batch(step))
    assert equal(next(batches), batches.batch(15))  # also after close()
    batches.close()


@pytest.mark.parametrize("paired", [False, True])
def test_ranks_share_the_global_batch_in_contiguous_slices(a, paired):
    preparation = Preparation(8, resize=10)
    whole = Batches(a, a, preparation, 6, seed=0, paired=paired)
    how = {"seed": 0, "paired": paired, "world_size": 3}
    ranks = [Batches(a, a, preparation, 6, rank=rank, **how) for rank in range(3)]
    for step in range(4):
        parts = [rank.batch(step) for rank in ranks]
        assert equal(whole.batch(step), [torch.cat(side) for side in zip(*parts, strict=True)])


def test_pairs_share_order_crop_and_flip(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(9):
        half = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(np.concatenate([half, half], axis=1)).save(folder / f"{i}.png")
    left, right = HalfSource(folder, "left"), HalfSource(folder, "right")
    preparation = Preparation(8, resize=12)
    paired = Batches(left, right, preparation, 4, seed=0, paired=True)
    unpaired = Batches(left, right, preparation, 4, seed=0)
    for step in range(5):
        x_a, x_b = paired.batch(step)
        assert torch.equal(x_a, x_b)
        assert not torch.equal(*unpaired.batch(step))


def test_the_same_picture_is_cropped_anew_at_each_step(tmp_path):
    one = write(tmp_path / "one", 1, width=30)
    batches = Batches(one, one, Preparation(8), 4, seed=0)
    crops = torch.cat([batches.batch(step)[0] for step in range(4)])
    distinct = {crop.numpy().tobytes() for crop in crops}
    assert len(distinct) >= 10


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_up_at_its_own_step(a, b, workers):
    with Batches(a, b, PLAIN, 1, seed=0, workers=workers) as batches:
        bad_step = 5
        (bad,) = batches.indices(bad_step, "a")
        good = a.path(bad).read_bytes()
        a.path(bad).write_bytes(b"")
        for _ in range(bad_step):
            next(batches)
        with pytest.raises(UserError, match=rf"{a.path(bad).name} is empty; [^\n]*$"):
            next(batches)
        assert batches.step == bad_step
        a.path(bad).write_bytes(good)
        assert equal(next(batches), batches.batch(bad_step))


class Watched(FolderSource):
    """Counts how many pictures were read, so that a test sees how far ahead the threads are."""

    count, seconds = 0, 0.0

    def read(self, index: int) -> Image.Image:
        self.count += 1
        time.sleep(self.seconds)
        return super().read(index)


def test_what_is_prepared_ahead_is_bounded(a, b):
    watched = Watched(a.root)
    with Batches(watched, b, PLAIN, 2, seed=0, prefetch=3, kept=0) as batches:
        for _ in range(5):
            next(batches)
        time.sleep(0.3)
        assert watched.count == 2 * (5 + 3)


@pytest.mark.parametrize(
    ("kept", "reads"), [(7 * 8 * 8 * 3, 7), (4 * 8 * 8 * 3, 4 + 3 * 6), (0, 42)]
)
def test_pictures_are_read_once_as_far_as_memory_is_given(a, b, kept, reads):
    watched, how = Watched(a.root), (Preparation(8, flip=True), 7, 0)
    batches = Batches(watched, watched, *how, paired=True, kept=kept)
    plain = Batches(a, a, *how, paired=True, kept=0)
    for step in range(3):
        assert equal(batches.batch(step), plain.batch(step))
    assert watched.count == reads


def test_for_a_gpu_batches_are_bytes_in_pinned_memory(a, b, monkeypatch):
    chosen, pinned = [], []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda x: pinned.append(x) or x)
    monkeypatch.setattr(under_test, "cores", lambda: 5)
    with Batches(a, b, PLAIN, 2, seed=0, device="cuda:1") as batches:
        x_a, x_b = next(batches)
    assert any(x is x_a for x in pinned) and any(x is x_b for x in pinned)
    assert chosen and set(chosen) == {"cuda:1"}, "a thread pins memory for the first GPU"
    assert (batches.threads, batches.prefetch) == (5, 10)


def test_closing_does_not_wait_for_all_that_was_ordered(a, b):
    slow = Watched(a.root)
    slow.seconds = 0.01
    with Batches(slow, b, PLAIN, 1, seed=0, prefetch=50) as batches:
        next(batches)
    assert slow.count < 25
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


def test_what_cannot_be_is_refused(a, b):
    with pytest.raises(UserError, match="multiple of 2"):
        Batches(a, b, PLAIN, 3, seed=0, world_size=2)
    with pytest.raises(UserError, match="same names"):
        Batches(a, b, PLAIN, 2, seed=0, paired=True)


def test_test_batches_show_everything_once_and_in_order(b):
    chunks = list(under_test.test_batches(b, Preparation(8, resize=10), 4))
    assert [len(ids) for ids, _ in chunks] == [4, 4, 2]
    assert [i for ids, _ in chunks for i in ids] == b.ids
    assert torch.cat([x for _, x in chunks]).shape == (10, 3, 8, 8)
    levels = torch.cat([(x[:, 0, 0, 0] + 1) * 127.5 for _, x in chunks])
    assert levels.round().tolist() == list(range(10))
    again = torch.cat([x for _, x in under_test.test_batches(b, Preparation(8), 3)])
    assert torch.equal(torch.cat([x for _, x in chunks]), again)


@pytest.mark.parametrize("paired", [False, True])
def test_names_are_those_of_the_whole_batch(a, b, paired):
    source_b = a if paired else b
    whole = Batches(a, source_b, PLAIN, 4, seed=0, paired=paired)
    share = Batches(a, source_b, PLAIN, 4, seed=0, paired=paired, rank=1, world_size=2)
    for step in range(3):
        x_a, x_b = whole.batch(step)
        names = {"a": [str(i) for i in shown(x_a)], "b": [str(i) for i in shown(x_b)]}
        assert whole.names(step) == share.names(step) == names
