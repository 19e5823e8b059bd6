"""What UNIT's first release trained animals and faces with, beside the same in plain layers."""

import torch
from tiny_methods import make, pictures
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(dim, dim, 3, 1, 1), nn.InstanceNorm2d(dim), nn.ReLU(),
            nn.Conv2d(dim, dim, 3, 1, 1), nn.InstanceNorm2d(dim),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def leaky(*shape: int) -> list[nn.Module]:
    return [nn.Conv2d(*shape), nn.LeakyReLU(0.01)]


def with_weights_of(plain: nn.Module, *networks: nn.Module) -> nn.Module:
    weights = [p for network in networks for p in network.parameters()]
    for own, given in zip(plain.parameters(), weights, strict=True):
        own.data.copy_(given)
    return plain


@torch.no_grad()
def test_networks_of_animals_have_instance_norm_in_their_strided_layers() -> None:
    method = make("unit", recipe="nips-animals", n_downsample=2, dropout=0.0)
    encoder = nn.Sequential(
        *leaky(3, 2, 7, 1, 3),
        nn.Conv2d(2, 4, 3, 2, 1), nn.InstanceNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 8, 3, 2, 1), nn.InstanceNorm2d(8), nn.ReLU(), Residual(8),
    )  # fmt: skip
    decoder = nn.Sequential(
        Residual(8),
        nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.InstanceNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 2, 3, 2, 1, 1), nn.InstanceNorm2d(2), nn.ReLU(),
        nn.ConvTranspose2d(2, 3, 1), nn.Tanh(),
    )  # fmt: skip
    x = pictures(2)
    z = with_weights_of(encoder, method.enc_a)(x)
    torch.testing.assert_close(method.enc_a(x), z)
    torch.testing.assert_close(method.dec_b(z), with_weights_of(decoder, method.dec_b)(z))


@torch.no_grad()
def test_both_domains_of_faces_share_their_discriminators_upper_layers() -> None:
    method = make("unit", recipe="nips-faces", dis_layers=6, dis_scales=1)
    for domain, x in (("a", pictures(2, 64, 64)), ("b", pictures(2, 64, 64, seed=5))):
        plain = nn.Sequential(
            *leaky(3, 2, 7, 2, 3), *leaky(2, 4, 3, 2, 1), *leaky(4, 8, 3, 2, 1),
            *leaky(8, 16, 3, 2, 1), *leaky(16, 32, 3, 2, 1), *leaky(32, 64, 3, 2, 1),
            nn.Conv2d(64, 1, 1),
        )  # fmt: skip
        own = getattr(method, f"dis_{domain}")
        assert len(list(own.parameters())) == 2 * 2
        (found,) = own(x)
        torch.testing.assert_close(found, with_weights_of(plain, own, method.dis_shared)(x))


def test_shared_weights_are_updated_and_saved_once() -> None:
    method = make("unit", recipe="nips-faces", dis_scales=1)
    weights = [p for network in method.discriminators() for p in network.parameters()]
    assert len({id(p) for p in weights}) == len(weights)
    kept = [t.data_ptr() for t in method.state_dict().values()]
    assert len(set(kept)) == len(kept)
