"""LPIPS in two steps: features of each picture, computed once, and distances between features.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
CVPR 2018, Eq. 1: d(x, y) = sum_l 1/(H_l W_l) sum_hw || sqrt(w_l) * (x_hw - y_hw) ||^2 with
x_hw, y_hw unit vectors over the channels of layer l. The weights w_l are non-negative, so
multiplying by sqrt(w_l / (H_l W_l)) turns a picture into one flat vector, and d is the squared
Euclidean distance between two such vectors. Layers and constants are those of the lpips package.

AlexNet was designed for 224 px; its deeper layers see almost nothing of a small picture. Pictures
whose shorter side is under 64 px, the size of LPIPS's training patches, are therefore enlarged to
it (bilinear); larger ones are measured unchanged. Protocol names state this.
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

MEASURED_SIDE = 64  # pixels: pictures with a smaller shorter side are enlarged to it
SMALLEST_SIZE = 8  # pixels: anything smaller is refused
_EPSILON = 1e-10  # added to a norm, as lpips.normalize_tensor does


def _alexnet(weights: LpipsWeights) -> nn.Module:
    """Return the package's five slices of AlexNet with the given parameters."""
    from lpips import pretrained_networks  # imported late: it imports torchvision, which is slow

    with warnings.catch_warnings(), torch.device("meta"):
        # The package uses a deprecated argument. "meta" avoids drawing and allocation.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        net: nn.Module = pretrained_networks.alexnet(pretrained=False)
    # slice2.3.weight of the package is features.3.weight of torchvision.
    state = {n: weights.trunk["features." + n.split(".", 1)[1]].clone() for n in net.state_dict()}
    net.load_state_dict(state, assign=True)
    return net.requires_grad_(False).eval()


class LpipsDistance:
    """LPIPS with AlexNet: ``features`` once per picture, then ``distance`` between any two. Equal
    to ``lpips.LPIPS(net="alex")`` of the ``enlarged`` pictures, to 1e-6 in float32."""

    def __init__(self, weights: LpipsWeights, device: torch.device | str = "cpu") -> None:
        self.weights = weights
        self.device = torch.device(device)
        # On CPUs, channels-last convolutions take half the time at 256x256.
        self._format = torch.channels_last if self.device.type == "cpu" else torch.contiguous_format
        self._net = _alexnet(weights).to(self.device).to(memory_format=self._format)
        import lpips

        self._scaling = lpips.ScalingLayer().to(self.device)
        self._roots = [c.sqrt().to(self.device) for c in weights.channels]

    @torch.inference_mode()
    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return flat features (N, D), on the device, of pictures (N, 3, H, W), float32 RGB in [-1,
        1]. D is 31,872 up to 64x64 and 640,128 at 256x256. Raises UserError as
        ``check_pictures``."""
        check_pictures(pictures)
        x = enlarged(pictures.to(self.device, memory_format=self._format))
        with full_precision(self.device):
            layers = self._net(self._scaling(x) if self.weights.version == "0.1" else x)
        return _flat(layers, self._roots)

    @torch.inference_mode()
    def distance(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the distances (P,), >= 0, of pairs with features ``first``, ``second`` (P, D)."""
        return (first - second).square_().sum(dim=1)


def measured_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width, in pixels, at which a picture of this size is measured."""
    scale = max(1.0, MEASURED_SIDE / min(height, width))
    return round(height * scale), round(width * scale)


def enlarged(pictures: torch.Tensor) -> torch.Tensor:
    """Return pictures (N, 3, H, W) at their ``measured_size``, unchanged if they have it."""
    size = measured_size(*pictures.shape[2:])
    if size == tuple(pictures.shape[2:]):
        return pictures
    return interpolate(pictures, size, mode="bilinear", align_corners=False)


def _flat(layers: Sequence[torch.Tensor], roots: Sequence[torch.Tensor]) -> torch.Tensor:
    """Flatten layers (N, C_l, H_l, W_l) to (N, D): unit vectors times sqrt(w_l / (H_l W_l)),
    concatenated. Does the work of ``lpips.normalize_tensor`` in fewer passes over memory."""
    flat = layers[0].new_empty(len(layers[0]), sum(layer[0].numel() for layer in layers))
    end = 0
    for layer, root in zip(layers, roots, strict=True):
        rows = layer.permute(0, 2, 3, 1)  # (N, H_l, W_l, C_l): the memory order of channels last
        area = rows.shape[1] * rows.shape[2]
        begin, end = end, end + rows[0].numel()
        unit = flat[:, begin:end].view(rows.shape)
        norm = torch.linalg.vector_norm(rows, dim=3, keepdim=True)
        torch.div(rows, norm.add_(_EPSILON), out=unit).mul_(root / area**0.5)
    return flat


def check_pictures(pictures: torch.Tensor) -> None:
    """Raise UserError unless ``pictures`` are float32 (N, 3, H, W) in [-1, 1] and large enough."""
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
