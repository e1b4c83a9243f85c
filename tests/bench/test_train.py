"""train.finetune on a toy: it learns, stops early, accumulates, and says when it diverges."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from bimodal import store
from bimodal.collate import Collator, Encoded
from bimodal.errors import CheckpointError
from bimodal.likelihood import bits_per_unit, target_bits
from bimodal.schema import ModelConfig, TrainConfig
from bimodal.tokenizer import train_tokenizer
from bimodal.train import DivergedError, finetune
from bimodal.types import Example
from bimodal_models.gpt import MODEL

CPU = torch.device("cpu")
NAMES = ["red square", "blue square", "red circle", "blue circle", "green triangle", "tiny green dot"]
SMALL = ModelConfig(name="gpt", embed_dim=32, num_heads=2, num_layers=1, max_positions=32, dropout=0.1)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def toy(dropout: float = 0.1) -> tuple[nn.Module, Collator, list[Encoded]]:
    words = train_tokenizer(NAMES, 280)
    config = SMALL.model_copy(update={"dropout": dropout})
    torch.manual_seed(0)
    model = MODEL.build(config, vocab_size=words.vocab_size, kernel="sdpa", modalities=())
    collator = Collator.create(words, lambda example: "", config, ())
    rows = [collator.encode(Example(str(i), "", NAMES[i % len(NAMES)])) for i in range(24)]
    return model, collator, rows


def learn(
    folder: Path, validation: list[Encoded] | None = None, dropout: float = 0.1, seed: int = 0, **changes: object
):
    model, collator, rows = toy(dropout)
    config = TrainConfig.model_validate({"epochs": 30, "batch_size": 8, "learning_rate": 3e-3, **changes})
    steps: list[int] = []
    summary, cost = finetune(
        model,
        collator,
        rows,
        validation or rows[:6],
        config,
        seed=seed,
        device=CPU,
        files=store.CellDirectory(folder),
        progress=lambda what, done, total: steps.append(done),
    )
    return model, summary, cost, steps


def test_it_learns_the_toy_by_heart_and_counts_what_it_saw(tmp_path: Path) -> None:
    _, summary, cost, steps = learn(tmp_path)
    first, *_, last = (
        row["validation_bits"]
        for row in map(json.loads, (tmp_path / "train.jsonl").read_text().splitlines())
        if "validation_bits" in row
    )
    assert last < 0.5 * first
    assert summary.steps == summary.planned_steps == cost.steps == len(steps) == 30 * 3
    assert cost.examples == 30 * 24
    assert cost.target_tokens == 30 * sum(row.target_length for row in toy()[2])
    assert cost.flops > 0


def test_it_ends_with_the_best_weights_not_the_last(tmp_path: Path) -> None:
    model, summary, _, _ = learn(tmp_path, learning_rate=0.02, warmup_fraction=0.0)
    _, collator, rows = toy()
    assert bits_per_unit(model, collator, rows[:6], 8, CPU) == pytest.approx(summary.best_validation_bits, rel=1e-6)
    assert summary.best_validation_bits <= summary.final_validation_bits


def test_it_stops_early_when_validation_stops_improving(tmp_path: Path) -> None:
    _, collator, _ = toy()
    unlearnable = [collator.encode(Example("x", "", "zzzz qqqq"))]
    _, summary, cost, _ = learn(tmp_path, validation=unlearnable, patience=2, evaluations=30)
    assert summary.stopped_early
    assert cost.steps == summary.steps < summary.planned_steps
    assert summary.best_step < summary.steps


def test_accumulated_batches_make_the_same_step_as_one_large_batch(tmp_path: Path) -> None:
    # One step over all 24 examples, in one batch or in three: the same gradient but for rounding.
    one, *_ = learn(tmp_path / "one", dropout=0.0, epochs=1, batch_size=24, evaluations=1)
    three, *_ = learn(tmp_path / "three", dropout=0.0, epochs=1, batch_size=8, accumulate=3, evaluations=1)
    for left, right in zip(one.parameters(), three.parameters(), strict=True):
        assert torch.allclose(left, right, atol=2e-4)


def test_max_steps_ends_training_and_its_schedule(tmp_path: Path) -> None:
    _, summary, _, _ = learn(tmp_path, max_steps=7)
    assert summary.steps == summary.planned_steps == 7


def test_repeating_it_gives_the_same_weights_and_another_seed_does_not(tmp_path: Path) -> None:
    first, second = (learn(tmp_path / name, epochs=3)[1].weights_sha256 for name in ("a", "b"))
    assert first == second
    other = learn(tmp_path / "c", seed=1, epochs=3)[1].weights_sha256  # the same start, another order and dropout
    assert other != first


def test_a_restart_point_of_another_model_is_refused(tmp_path: Path) -> None:
    learn(tmp_path, epochs=1)
    state = store.load_state(tmp_path / "checkpoint" / "training_state.pt")
    state["model"].pop("token_embedding.weight")
    store.save_state(tmp_path / "checkpoint" / "training_state.pt", state)
    with pytest.raises(CheckpointError, match="belongs to another model"):
        learn(tmp_path, epochs=1)


def test_a_loss_that_is_no_number_ends_training_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bimodal.learner.summed_loss", lambda model, batch, **_: _not_a_number(model))
    with pytest.raises(DivergedError, match=r"training loss is nan at step 3 .* --set train\.learning_rate="):
        learn(tmp_path, epochs=10)


def _not_a_number(model: nn.Module) -> torch.Tensor:
    return sum(p.sum() for p in model.parameters()) * math.nan


def test_bits_are_those_of_the_softmax(tmp_path: Path) -> None:
    model, collator, rows = toy()
    model.eval()
    batch = collator.training_batch(rows[:1])
    with torch.no_grad():
        log_p = model.logits(model.hidden(batch.tokens)).log_softmax(-1)[0]
    by_hand = -sum(float(log_p[i, t]) for i, t in enumerate(batch.targets[0])) / math.log(2)
    assert target_bits(model, collator, rows[:1], CPU) == pytest.approx([by_hand], rel=1e-5)
