"""optimisation: the schedule, and what is decayed."""

import copy

import pytest
import torch
from torch import nn

from bimodal.optimisation import choose_precision, learning_rate, make_optimizer
from bimodal.schema import TrainConfig

CONFIG = TrainConfig(learning_rate=1.0, min_learning_rate_ratio=0.1, warmup_fraction=0.1)


def test_the_rate_rises_linearly_then_falls_as_a_cosine_to_its_floor() -> None:
    rates = [learning_rate(step, 101, CONFIG) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.1 + 0.9 * 0.5, abs=0.01)  # half-way down
    assert rates[-1] == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("planned", [1, 2, 3])
def test_the_shortest_runs_have_rates_too(planned: int) -> None:
    assert all(0 < learning_rate(step, planned, CONFIG) <= 1 for step in range(planned))


def test_matrices_are_decayed_and_vectors_are_not() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    decayed, free = make_optimizer(module, TrainConfig(weight_decay=0.3)).param_groups
    assert [p.shape for p in decayed["params"]] == [(2, 3)]
    assert {tuple(p.shape) for p in free["params"]} == {(2,)}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.3, 0.0)


def test_precision_is_full_on_a_cpu_unless_asked_for() -> None:
    cpu = torch.device("cpu")
    assert choose_precision(TrainConfig(), cpu) == "fp32"
    assert choose_precision(TrainConfig(precision="bf16"), cpu) == "bf16"


@pytest.mark.parametrize("kernel", ["sdpa", "native"])
def test_a_step_is_clipped_and_restart_points_serve_with_and_without_kernels(kernel: str) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    plain = copy.deepcopy(module)
    ours = make_optimizer(module, TrainConfig(learning_rate=0.1), kernel=kernel)
    torchs = make_optimizer(plain, TrainConfig(learning_rate=0.1))
    for turn in range(4):
        for optimizer, model in ((ours, module), (torchs, plain)):
            (model(torch.full((2, 3), turn + 1.0)) ** 2).sum().mul(100).backward()
            if optimizer is ours:
                norm = ours.clipped_step(1.0)
            else:
                expected = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                torchs.step()
            optimizer.zero_grad()
        torch.testing.assert_close(norm, expected, rtol=1e-4, atol=1e-4)
        if turn == 1:  # exchange what was kept
            kept = ours.state_dict(), torchs.state_dict()
            ours.load_state_dict(copy.deepcopy(kept[1]))
            torchs.load_state_dict(copy.deepcopy(kept[0]))
    for mine, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
