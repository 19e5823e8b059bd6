"""Reads a recorded case: hyper-parameters as our configuration, losses under our names."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.bicyclegan import BicycleganConfig
from models.cyclegan import CycleganConfig
from models.method import Method, NoiseSpec, Phase
from models.munit import Munit, MunitConfig
from models.unit import Unit, UnitConfig
from models.zoo import make_method

GAN = {"lsgan": "lsgan", "nsgan": "cross-entropy", "vanilla": "cross-entropy"}
# Terms that are recorded weighted, by the original's names; CycleGAN's D_A judges domain B.
WEIGHTED = {
    "cyclegan": {"D_A": "dis_b", "G_A": "gan_b", "cycle_A": "cycle_a", "idt_A": "identity_b",
                 "D_B": "dis_a", "G_B": "gan_a", "cycle_B": "cycle_b", "idt_B": "identity_a"},
    "bicyclegan": {"G_GAN": "gan", "D": "dis", "G_GAN2": "gan2", "D2": "dis2", "G_L1": "l1",
                   "z_L1": "latent", "kl": "kl"},
}  # fmt: skip


class GoldenCase:
    """One folder of recorded numbers."""

    def __init__(self, folder: Path) -> None:
        self.case = json.loads((folder / "case.json").read_text())
        self.init = load_file(folder / "init.safetensors")
        self.inputs = load_file(folder / "inputs.safetensors")
        self.final = load_file(folder / "final.safetensors")
        self.forward_final = load_file(folder / "forward_final.safetensors")

    def method(self) -> Method:
        """The method with the case's hyper-parameters, in float64, all terms monitored."""
        h = dict(self.case["hyperparameters"])
        read = {"munit": munit, "unit": unit, "cyclegan": cyclegan, "bicyclegan": bicyclegan}
        name = self.case["method"]
        config = read[name](h, self.init)
        method = make_method(name, config, torch.Generator()).to(torch.float64)
        # The trainers of MUNIT, UNIT and CycleGAN also compute terms of weight zero; that of
        # BicycleGAN skips them, networks' passes included.
        method.monitor = self.case["method"] != "bicyclegan"
        return method

    def noise(self, phase: Phase, role: str, spec: NoiseSpec, n: int, step: int) -> Tensor:
        """The recorded draw for a role (a noise source of the trainer)."""
        prefix = {"discriminator": "dis.", "generator": "gen."}[phase]
        name = prefix + role if self.case["method"] in ("munit", "unit") else role
        recorded = self.inputs[f"step{step}.{name}"]
        return recorded.reshape(len(recorded), *spec.shape)

    def losses(self, method: Method, record: dict[str, float]) -> dict[str, float]:
        """Our terms of one step as the losses that the original recorded."""
        names = WEIGHTED.get(self.case["method"])
        if names is None:
            return trainer_losses(method, record)
        w = method.generator_weights | method.discriminator_weights
        return {f"loss_{a}": w[b] * record.get(b, 0.0) for a, b in names.items()}


def _common(h: dict[str, Any]) -> dict[str, Any]:
    return {k: h[k] for k in ("lr", "beta1", "beta2", "weight_decay") if k in h}


def _trainer(h: dict[str, Any]) -> dict[str, Any]:
    gen, dis = h["gen"], h["dis"]
    return _common(h) | dict(
        channels_a=h["input_dim_a"], channels_b=h["input_dim_b"],
        lr_policy=h.get("lr_policy", "constant"),
        lr_step=h.get("step_size", 1), lr_gamma=h.get("gamma", 1.0),
        gan_loss=GAN[dis["gan_type"]], gan=h["gan_w"], recon_x=h["recon_x_w"],
        cycle=h.get("recon_x_cyc_w", 0), perceptual=h.get("vgg_w", 0),
        dim=gen["dim"], n_downsample=gen["n_downsample"], n_res=gen["n_res"],
        activ=gen["activ"], pad=gen["pad_type"],
        dis_dim=dis["dim"], dis_layers=dis["n_layer"], dis_scales=dis["num_scales"],
        dis_norm=dis["norm"], dis_activ=dis["activ"], dis_pad=dis["pad_type"],
    )  # fmt: skip


def munit(h: dict[str, Any], init: dict[str, Tensor]) -> MunitConfig:
    return MunitConfig(
        **_trainer(h), recon_c=h["recon_c_w"], recon_s=h["recon_s_w"],
        style_dim=h["gen"]["style_dim"], mlp_dim=h["gen"]["mlp_dim"],
    )  # fmt: skip


def unit(h: dict[str, Any], init: dict[str, Tensor]) -> UnitConfig:
    return UnitConfig(**_trainer(h), kl=h["recon_kl_w"], cycle_kl=h["recon_kl_cyc_w"])


def cyclegan(h: dict[str, Any], init: dict[str, Tensor]) -> CycleganConfig:
    unet = "G_A.model.model.0.weight" in init
    first = "model.model.0.weight" if unet else "model.1.weight"
    depth = max(k.count("model.") for k in init if k.startswith("G_A."))
    blocks = {k.split(".")[2] for k in init if k.startswith("G_A.") and "conv_block" in k}
    layers = {k for k in init if k.startswith("D_A.") and init[k].ndim == 4}
    return CycleganConfig(
        **_common(h), lr_policy="constant", gan_loss=GAN[h.get("gan_mode", "lsgan")],
        generator="unet" if unet else "resnet", depth=depth - 1 if unet else 8,
        channels_a=init[f"G_A.{first}"].shape[1], channels_b=init[f"G_B.{first}"].shape[1],
        cycle=h.get("lambda_A", 10.0), cycle_b=h.get("lambda_B", 10.0),
        identity=h.get("lambda_identity", 0.5), pool=h.get("pool_size", 50),
        dim=init[f"G_A.{first}"].shape[0], dis_dim=init["D_A.model.0.weight"].shape[0],
        n_blocks=len(blocks) or 9, dis_layers=len(layers) - 2,
        dropout=bool(h.get("dropout", False)), norm=_norm(h.get("norm", "instance")),
    )  # fmt: skip


def bicyclegan(h: dict[str, Any], init: dict[str, Tensor]) -> BicycleganConfig:
    size = {"128": 0, "256": 1}
    encoder, encoder_size = h["netE"].split("_")
    input_channels = init["E.conv.0.weight"].shape[1]
    first = next(init[k] for k in ("D.model_0.0.weight", "D.model.0.weight") if k in init)
    gan2 = h.get("lambda_GAN2", 1.0)
    own = any(k.startswith("D2.") for k in init)  # the original has no D2 if its weight is zero
    conditional = first.shape[1] > input_channels
    return BicycleganConfig(
        **_common(h), lr_policy="constant", gan_loss=GAN[h.get("gan_mode", "lsgan")],
        channels_a=_input_channels(h, init), channels_b=input_channels,
        noise_dim=h["nz"], dim=h["ngf"], dis_dim=h["ndf"],
        enc_dim=h["nef"], depth=7 + size[h["netG"].split("_")[1]],
        enc_kind=encoder, enc_blocks=4 + size[encoder_size],
        dis_layers=2 + size[h["netD"].split("_")[1]], dis_scales=h.get("num_Ds", 2),
        where=h.get("where_add", "all"), activ=h.get("nl", "relu"),
        norm=_norm(h.get("norm", "instance")), dropout=bool(h.get("dropout", False)),
        gan=h.get("lambda_GAN", 1.0), gan2=gan2, l1=h.get("lambda_L1", 10.0),
        latent=h.get("lambda_z", 0.5), kl=h.get("lambda_kl", 0.01), conditional=conditional,
        upsample=h.get("upsample", "basic"),
        same_discriminator=bool(h.get("use_same_D", not own and gan2 != 0)),
    )  # fmt: skip


def _input_channels(h: dict[str, Any], init: dict[str, Tensor]) -> int:
    """Channels of the input picture; the first convolution also takes the latent."""
    names = ("G.model.down.0.weight", "G.model.model.0.weight")
    return next(init[k] for k in names if k in init).shape[1] - int(h["nz"])


def _norm(words: str) -> str:
    return {"instance": "in", "none": "none", "batch": "bn"}[words.split()[0]]


def trainer_losses(method: Method, record: dict[str, float]) -> dict[str, float]:
    """MUNIT's and UNIT's: terms are recorded unweighted, absent ones as zero."""
    names = {"gan": "adv", "perceptual": "vgg", "recon_x": "recon_x"}
    if isinstance(method, Munit):
        names |= {"cycle": "cycrecon_x", "recon_s": "recon_s", "recon_c": "recon_c"}
    else:
        names |= {"cycle": "cyc_x", "kl": "recon_kl"}
    out = {f"loss_gen_{theirs}_{d}": record.get(f"{ours}_{d}", 0.0)
           for ours, theirs in names.items() for d in "ab"}  # fmt: skip
    if isinstance(method, Unit):
        out |= {"loss_gen_recon_kl_cyc_aba": record["cycle_kl_a"],
                "loss_gen_recon_kl_cyc_bab": record["cycle_kl_b"]}  # fmt: skip
    out |= {f"loss_dis_{d}": record[f"dis_{d}"] for d in "ab"}
    for net, weights in (("gen", method.generator_weights), ("dis", method.discriminator_weights)):
        out[f"loss_{net}_total"] = sum(w * record[name] for name, w in weights.items() if w)
    return out
