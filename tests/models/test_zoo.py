"""Method names and settings as a user types them."""

import pytest
import torch
from tiny_methods import TINY, draws

from models.errors import UserError
from models.zoo import make_config, make_method, recipe


def test_a_method_unlike_any_names_all() -> None:
    with pytest.raises(UserError, match="known: bicyclegan, cyclegan"):
        recipe("zzzzzzzz")


@pytest.mark.parametrize(
    ("method", "key", "text", "value"),
    [
        ("munit", "recon_x", "0", 0.0),
        ("munit", "dim", "016", 16),
        ("munit", "activ", "lrelu", "lrelu"),
        ("cyclegan", "dropout", "False", False),
        ("cyclegan", "dropout", "1", True),
        ("cyclegan", "cycle_b", "none", None),
        ("cyclegan", "cycle_b", "5", 5.0),
    ],
)
def test_values_are_read_by_type(method: str, key: str, text: object, value: object) -> None:
    read = getattr(make_config(method, {key: text}), key)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("munit", {"lr": "-1"}, "lr=-1"),
        ("munit", {"lr": "nan"}, "lr=nan"),
        ("munit", {"dim": "8.5"}, "dim=8.5"),
        ("munit", {"dim": "0"}, "dim=0"),
        ("munit", {"beta2": "1.5"}, "beta2=1.5"),
        ("cyclegan", {"dropout": "yes please"}, "dropout=yes please"),
        ("bicyclegan", {"depth": "none"}, "depth=none"),
        ("munit", {"gan_loss": "wgan"}, "unknown gan_loss 'wgan'"),
        ("munit", {"lr_policy": "cosine"}, "unknown lr_policy 'cosine'"),
        ("munit", {"activ": "gelu"}, "unknown activation 'gelu'"),
        ("munit", {"pad": "wrap"}, "unknown padding 'wrap'"),
        ("munit", {"dis_norm": "group"}, "unknown norm 'group'"),
        ("munit", {"init": "zeros"}, "unknown init 'zeros'"),
        ("unit", {"recipe": "eccv"}, "unknown UNIT recipe 'eccv'"),
        ("unit", {"dropout": "1"}, "dropout=1.0"),
        ("unit-release", {"dropout": "0.5"}, "release has no dropout"),
        ("cyclegan", {"generator": "vit"}, "unknown generator 'vit'"),
        ("cyclegan", {"noise_dim": "8"}, "needs generator=unet"),
        ("cyclegan", {"channels_a": "1"}, "set identity=0"),
        ("bicyclegan", {"where": "middle"}, "unknown where 'middle'"),
        ("bicyclegan", {"enc_kind": "vit"}, "unknown enc_kind 'vit'"),
        ("bicyclegan", {"upsample": "cubic"}, "unknown upsample 'cubic'"),
        ("bicyclegan", {"noise_dim": "0"}, "noise_dim=0"),
    ],
)
def test_illegal_settings_are_refused_before_training(method, settings, words):
    with torch.device("meta"), pytest.raises(UserError, match=words) as error:
        make_method(method, make_config(method, settings), torch.Generator())
    assert "\n" not in str(error.value)


def test_weights_come_from_the_generator_alone() -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.randn(7)  # the global generator must not matter
        return make_method("munit", make_config("munit", TINY["munit"]), draws(seed)).state_dict()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(first[k], again[k]) for k in first)
    drawn = [k for k in first if k.endswith(("weight", "gamma"))]
    assert drawn and all(not torch.equal(first[k], other[k]) for k in drawn)
    biases = [k for k in first if k.endswith("bias")]
    assert biases and all(not first[k].any() for k in biases)
