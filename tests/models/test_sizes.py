"""Which sizes of pictures a method takes, and what it says of the others."""

import pytest
import torch
from tiny_methods import EVERY_NETWORK, make, pictures

from models.choices import choose
from models.errors import UserError
from models.method import Method
from models.zoo import make_config, make_method
from reproduce.training.trainer import Trainer

FIT_CASES: list[tuple[str, dict[str, object], int]] = [
    ("munit", dict(n_downsample=2, n_style_downsample=4, dis_scales=1), 4),
    ("munit", dict(dis_layers=3, dis_scales=3, pad="zero", dis_pad="zero"), 2),
    ("munit", dict(dis_norm="in", dis_layers=3, dis_pad="replicate", pad="replicate"), 2),
    ("munit", dict(n_downsample=0, n_style_downsample=1, dis_layers=1, dis_scales=1), 1),
    ("unit", dict(n_downsample=2, dis_layers=5, dis_scales=1), 4),
    ("cyclegan", dict(dis_layers=3), 4),
    ("cyclegan-noise", dict(depth=3, dis_layers=2), 8),
    ("bicyclegan", dict(depth=2, enc_blocks=4), 4),
    ("bicyclegan", dict(depth=2, enc_kind="conv", enc_blocks=3), 4),
    ("bicyclegan", dict(depth=3, dis_layers=2, where="input", dis_scales=1), 8),
]


def trains(method: Method, h: int, w: int) -> bool:
    """On the plain path, whose instance norm refuses a single pixel, of which nothing is left."""
    choose(method, frozenset())
    trainer = Trainer(method, 0, 1)
    try:
        trainer.step(pictures(2, h, w), pictures(2, h, w, seed=1), 0)
    except (RuntimeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(("name", "settings", "multiple"), FIT_CASES, ids=str)
def test_legal_sizes_train_and_illegal_ones_cannot(name, settings, multiple):
    method = make(name, **settings)
    sizes = range(4, 37)
    legal = [s for s in sizes if method.fits(s)]
    assert len(legal) > 1 and all(s % multiple == 0 for s in legal)
    for size in (s for s in sizes if s % multiple == 0 and s not in legal):
        assert not trains(method, size, size), f"{size} is refused but trains"
    for h, w in ((legal[0], legal[0]), (legal[0], legal[1])):
        assert trains(method, h, w), f"{h}x{w} is legal but fails"
    # What is only translated need not suit discriminators.
    translated = [s for s in sizes if method.translates(s)]
    assert {*legal} <= {*translated} and all(s % multiple == 0 for s in translated)
    h, w = translated[:2]
    method.eval().check_size(h, w, training=False)
    noise = method.draw_noise(2, h, w, torch.Generator())
    assert method.translate(pictures(2, h, w), "a2b", noise or None).shape == (2, 3, h, w)


@EVERY_NETWORK
def test_illegal_sizes_name_the_nearest_legal(name: str) -> None:
    method = make(name)
    legal = [s for s in range(4, 100) if method.fits(s)]
    method.check_size(legal[0], legal[-1])
    for size in (5, 17, 63):
        with pytest.raises(UserError, match=f"size {size}x{legal[1]} is illegal") as error:
            method.check_size(size, legal[1])
        near, kept = map(int, str(error.value).split()[-1].split("x"))
        assert kept == legal[1] and method.fits(near)
        assert abs(near - size) == min(abs(s - size) for s in legal)


def test_impossible_settings_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="no size up to 4096 is legal for Munit"):
        make("munit", n_style_downsample=13).check_size(256, 256)


@EVERY_NETWORK
def test_the_papers_size_is_legal_by_default(name: str) -> None:
    h, w = 256, 512
    with torch.device("meta"):
        method = make_method(name, make_config(name, {}), torch.Generator())
        method.check_size(h, w)
        noise = {
            k: torch.empty(2, *s.shape, dtype=torch.int64 if s.kind == "seed" else None)
            for k, s in method.training_noise("generator", h, w).items()
        }
        x = torch.empty(2, 3, h, w)
        terms, fakes = method.generator_terms(x, x, noise)
    assert set(terms) == {k for k, v in method.generator_weights.items() if v}
    assert {f.shape[2:] for f in fakes.values()} == {torch.Size((h, w))}
