"""Agreement with the original implementations, in float64, to 1e-8.

Runs every recorded case through the code that trains: same first weights, pictures and noise;
every loss of every step and every weight after the last one are compared.
"""

from pathlib import Path

import torch
from golden_case import GoldenCase

from models.bicyclegan import Bicyclegan
from models.cyclegan import Cyclegan
from models.method import Method
from models.munit import Munit
from models.original import load_original, to_original
from models.unit import Unit
from reproduce.training.trainer import Trainer

BAR = 1e-8


def trained(case: GoldenCase) -> tuple[Method, list[dict[str, float]]]:
    method = case.method()
    load_original(method, case.init)
    steps = case.case["steps"]
    trainer = Trainer(method, 0, steps, noise=case.noise)
    batches = [(case.inputs[f"step{k}.x_a"], case.inputs[f"step{k}.x_b"]) for k in range(steps)]
    return method, [trainer.step(a, b, k) for k, (a, b) in enumerate(batches)]


def test_every_loss_and_weight(golden_case: Path) -> None:
    case = GoldenCase(golden_case)
    method, records = trained(case)
    for k, (record, recorded) in enumerate(zip(records, case.case["losses"], strict=True)):
        losses = case.losses(method, record)
        assert set(recorded) <= set(losses), f"step {k}: losses {set(recorded) - set(losses)}"
        for name, value in recorded.items():
            assert abs(losses[name] - value) < BAR * max(1, abs(value)), (k, name)
    weights = to_original(method)
    assert set(weights) == set(case.final)
    for name, value in case.final.items():
        difference = (weights[name].reshape(value.shape) - value).abs().max().item()
        assert difference < BAR, (name, difference)
    assert any((case.init[k] != case.final[k]).any() for k in case.init), "nothing was trained"


@torch.no_grad()
def test_forward_of_final_weights(golden_case: Path) -> None:
    case = GoldenCase(golden_case)
    method = case.method()
    load_original(method, case.final)
    x_a, x_b = case.inputs["step0.x_a"], case.inputs["step0.x_b"]
    computed = forward(method, x_a, x_b, case)
    assert set(case.forward_final) <= set(computed), set(case.forward_final) - set(computed)
    for name, value in case.forward_final.items():
        assert computed[name].shape == value.shape, name
        assert (computed[name] - value).abs().max() < BAR, name


def forward(
    method: Method, x_a: torch.Tensor, x_b: torch.Tensor, case: GoldenCase
) -> dict[str, torch.Tensor]:
    """Codes, translations and discriminator outputs under the names of the record."""
    match method:
        case Munit():
            a, b = method.gen_a, method.gen_b
            s_b = case.inputs["step0.gen.s_b"].flatten(1)
            x_ab = method.translate(x_a, "a2b", {"style": s_b})
            out = {
                "content_a": a.content(x_a), "content_b": b.content(x_b),
                "style_a": a.style(x_a), "style_b": b.style(x_b),
                "x_aa": a.decoder(a.content(x_a), a.style(x_a)), "x_ab": x_ab,
                "x_ab_guided": method.translate_guided(x_a, "a2b", x_b),
            }  # fmt: skip
            maps = method.dis_b(x_ab)
        case Unit():
            x_ab = method.translate(x_a, "a2b")
            h_a, h_b = method.encode(x_a, "a"), method.encode(x_b, "b")
            out = {"hidden_a": h_a, "hidden_b": h_b, "x_aa": method.decode(h_a, "a"), "x_ab": x_ab}
            maps = method.dis_b(x_ab)
        case Cyclegan():
            x_ab, x_ba = method.translate(x_a, "a2b"), method.translate(x_b, "b2a")
            return {"x_ab": x_ab, "x_ba": x_ba, "D_A_of_x_ab": method.dis_b(x_ab)[0]}
        case Bicyclegan():
            n = len(case.forward_final["mu"])
            mu, logvar = method.encoder(x_b[:n])
            z = case.inputs["step0.z_random"][:n]
            x_ab = method.translate(x_a[:n], "a2b", {"z": z})
            out = {"mu": mu, "logvar": logvar, "x_ab": x_ab}
            maps = (method.dis2 or method.dis)(method.shown(x_a[:n], x_ab))
            return out | {f"D2_scale{i}": m for i, m in enumerate(maps)}
    return out | {f"dis_b_scale{i}": m for i, m in enumerate(maps)}
