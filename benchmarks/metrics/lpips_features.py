"""LPIPS split in two: features of a picture, found once, and distances between features.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
CVPR 2018, Eq. 1: d(x, y) = sum_l 1/(H_l W_l) sum_hw || sqrt(w_l) * (x_hw - y_hw) ||^2 with
x_hw, y_hw unit vectors over the channels of layer l. The weights w_l are not negative, so with
sqrt(w_l / (H_l W_l)) multiplied in, a picture becomes one flat vector and d the squared
Euclidean distance between two of them. Layers and constants are those of the lpips package.

AlexNet was made for pictures of 224 px; of a small one its deeper layers see next to nothing. So
pictures whose shorter side is under 64 px, the size of LPIPS's own training patches, are enlarged
to it (bilinear); larger ones are measured as they are. Protocols say so in their names.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import interpolate

from benchmarks.networks.precision import full_precision
from benchmarks.networks.weights import LpipsWeights
from benchmarks.pictures import check_range
from models.errors import UserError

MEASURED_SIDE = 64  # pixels: pictures whose shorter side is under it are enlarged to it
SMALLEST_SIZE = 8  # pixels: of less there is nothing to enlarge
_EPSILON = 1e-10  # added to a norm, as lpips.normalize_tensor does


def _alexnet(weights: LpipsWeights) -> nn.Module:
    """The package's five slices of AlexNet around the given parameters."""
    from lpips import pretrained_networks  # it imports torchvision, which takes a second

    with warnings.catch_warnings(), torch.device("meta"):
        # The package asks torchvision in a deprecated way. On "meta" nothing is drawn or held.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        net: nn.Module = pretrained_networks.alexnet(pretrained=False)
    # slice2.3.weight of the package is features.3.weight of torchvision.
    state = {n: weights.trunk["features." + n.split(".", 1)[1]].clone() for n in net.state_dict()}
    net.load_state_dict(state, assign=True)
    return net.requires_grad_(False).eval()


class LpipsDistance:
    """LPIPS with AlexNet, equal to ``lpips.LPIPS(net="alex")`` of the ``enlarged`` pictures to 1e-6
    in float32: ``features`` once a picture, then ``distance`` between any of them."""

    def __init__(self, weights: LpipsWeights, device: torch.device | str = "cpu") -> None:
        self.weights = weights
        self.device = torch.device(device)
        # On processors convolutions with channels last take half the time at 256x256.
        self._format = torch.channels_last if self.device.type == "cpu" else torch.contiguous_format
        self._net = _alexnet(weights).to(self.device).to(memory_format=self._format)
        import lpips

        self._scaling = lpips.ScalingLayer().to(self.device)
        self._roots = [c.sqrt().to(self.device) for c in weights.channels]

    @torch.inference_mode()
    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W), float32 RGB in [-1, 1], to flat features (N, D) on the device. D is
        31,872 up to 64x64 and 640,128 at 256x256. UserError as ``check_pictures``."""
        check_pictures(pictures)
        x = enlarged(pictures.to(self.device, memory_format=self._format))
        with full_precision(self.device):
            layers = self._net(self._scaling(x) if self.weights.version == "0.1" else x)
        return _flat(layers, self._roots)

    @torch.inference_mode()
    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Features (P, D) and (P, D) of the two pictures of P pairs to distances (P,), >= 0."""
        return (first - second).square_().sum(dim=1)


def measured_size(height: int, width: int) -> tuple[int, int]:
    """The height and width, in pixels, at which a picture of this size is measured."""
    scale = max(1.0, MEASURED_SIDE / min(height, width))
    return round(height * scale), round(width * scale)


def enlarged(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, H, W) at the size at which they are measured: themselves if that is theirs."""
    size = measured_size(*pictures.shape[2:])
    if size == tuple(pictures.shape[2:]):
        return pictures
    return interpolate(pictures, size, mode="bilinear", align_corners=False)


def _flat(layers: Sequence[torch.Tensor], roots: Sequence[torch.Tensor]) -> torch.Tensor:
    """Layers (N, C_l, H_l, W_l) to (N, D): unit vectors times sqrt(w_l / (H_l W_l)), one after
    another. ``lpips.normalize_tensor`` and the rest, in as few passes over memory as it takes."""
    flat = layers[0].new_empty(len(layers[0]), sum(layer[0].numel() for layer in layers))
    end = 0
    for layer, root in zip(layers, roots, strict=True):
        rows = layer.permute(0, 2, 3, 1)  # (N, H_l, W_l, C_l): as channels last lie in memory
        area = rows.shape[1] * rows.shape[2]
        begin, end = end, end + rows[0].numel()
        unit = flat[:, begin:end].view(rows.shape)
        norm = torch.linalg.vector_norm(rows, dim=3, keepdim=True)
        torch.div(rows, norm.add_(_EPSILON), out=unit).mul_(root / area**0.5)
    return flat


def check_pictures(pictures: torch.Tensor) -> None:
    """Raises UserError unless ``pictures`` are float32 (N, 3, H, W) in [-1, 1], large enough."""
    shape = tuple(pictures.shape)
    if pictures.ndim != 4 or shape[1] != 3 or pictures.dtype != torch.float32:
        raise UserError(
            f"pictures are {pictures.dtype} {shape}: LPIPS needs torch.float32 (N, 3, H, W)"
        )
    if min(shape[2:]) < SMALLEST_SIZE:
        raise UserError(
            f"pictures of {shape[2]}x{shape[3]} are too small for LPIPS: "
            f"use at least {SMALLEST_SIZE}x{SMALLEST_SIZE}"
        )
    check_range(pictures, "LPIPS needs")
