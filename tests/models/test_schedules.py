"""Learning rates over a training, as the originals set them."""

import pytest
import torch
from torch import nn

from models.method import MethodConfig


def test_step_schedule_is_torchs_stepped_before_the_update() -> None:
    config = MethodConfig(lr=1.0, lr_policy="step", lr_step=3, lr_gamma=0.5)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 3, 0.5)
    for step in range(10):
        optimiser.step()
        scheduler.step()
        assert config.lr_factor(step, 10) == optimiser.param_groups[0]["lr"]
    assert MethodConfig(lr_policy="step", lr_step=1).lr_factor(0, 10) == 0.5


def test_linear_schedule_is_cyclegans_100_plus_100_epochs() -> None:
    config = MethodConfig(lr_policy="linear")
    factors = [config.lr_factor(e, 200) for e in range(200)]
    assert factors[:100] == [1.0] * 100
    for epoch in range(100, 200):  # lambda_rule: 1 - (epoch + 1 - niter) / (niter_decay + 1)
        assert factors[epoch] == pytest.approx(1 - (epoch - 99) / 101)
    assert factors[-1] == pytest.approx(1 / 101)
    for total in (1, 2, 3, 7):
        assert all(0 < config.lr_factor(s, total) <= 1 for s in range(total))
