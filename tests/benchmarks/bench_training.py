"""A training step of a 7 M GPT against its peers: transformers' GPT-2 as a Trainer trains it, and torch's own layers.

All of them start from one set of weights, read the same batches, and have the same optimiser and clipping. They are
timed in one process, first as it comes, then with freed memory kept, as `finetune` has it: a gift to the peers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from bimodal.allocator import freed_memory_kept
from bimodal.collate import Collator, Encoded
from bimodal.environment import pin_threads
from bimodal.learner import Learner
from bimodal.optimisation import make_optimizer
from bimodal.schema import ModelConfig, TrainConfig
from bimodal.tokenizer import train_tokenizer
from bimodal.types import Example
from bimodal_kernels import choose_backend
from bimodal_kernels.stopwatch import interleave, on_cpu
from bimodal_models import gpt

VOCAB, WIDTH, LAYERS, HEADS, BATCH, LENGTH = 8192, 256, 6, 4, 16, 64
TRAIN = TrainConfig(learning_rate=3e-4, weight_decay=0.05, beta2=0.98, batch_size=BATCH)
OURS, TRANSFORMERS, TRAINER, TORCH = "bimodal", "transformers", "transformers, fused AdamW", "torch.nn layers"
WORK = f"training step, 7 M parameters, {BATCH} x {LENGTH} tokens"
CURVE_STEPS = 50

Step = Callable[[int], Tensor]
"""One optimiser step on a batch; its loss."""


class TorchGPT(nn.Module):
    """GPT-2 of torch's layers. `nn.TransformerDecoder` always reads a memory; without one it is a masked encoder."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LENGTH, WIDTH)
        gelu = partial(F.gelu, approximate="tanh")
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation=gelu, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH), persistent=False)
        self.load_state_dict({_torchs_name(name): tensor for name, tensor in weights.items()})

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits."""
        x = self.tokens(tokens) + self.positions.weight
        return F.linear(self.layers(x, mask=self.mask, is_causal=True), self.tokens.weight)


def _torchs_name(ours: str) -> str:
    for mine, theirs in (
        ("token_embedding", "tokens"),
        ("position_embedding", "positions"),
        ("final_norm", "layers.norm"),
        ("blocks.", "layers.layers."),
        ("attention_norm", "norm1"),
        ("mlp_norm", "norm2"),
        ("attention.in_proj.", "self_attn.in_proj_"),
        ("attention.out_proj", "self_attn.out_proj"),
        ("mlp.up", "linear1"),
        ("mlp.down", "linear2"),
    ):
        ours = ours.replace(mine, theirs)
    return ours


@pytest.fixture(scope="module")
def batches() -> list[Tensor]:
    """Token ids [batch, length + 1]: each but the last is read, each but the first predicted."""
    return list(torch.randint(VOCAB, (8, BATCH, LENGTH + 1), generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def steps(tmp_path: Path, batches: list[Tensor]) -> Iterator[dict[str, Step]]:
    """The contenders, each with weights of its own that start the same."""
    before = torch.get_num_threads()
    pin_threads(None)
    torch.manual_seed(0)
    shape = {"n_positions": LENGTH, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS}
    quiet = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 0, "eos_token_id": 0}
    models = [GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, **shape, **quiet))]
    models[0].save_pretrained(tmp_path)
    models.append(GPT2LMHeadModel.from_pretrained(tmp_path))
    config = ModelConfig(name="gpt", init=str(tmp_path), dropout=0.0)
    kernel = choose_backend("auto", device="cpu", dtype=torch.float32, head_dims=(WIDTH // HEADS,)).name
    ours = gpt.build(config, vocab_size=VOCAB, kernel=kernel)
    weights = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    yield {
        OURS: _ours(ours, kernel, batches),
        TRANSFORMERS: _plain(models[0], _transformers_loss, batches, fused=None),
        TRAINER: _plain(models[1], _transformers_loss, batches, fused=True),
        TORCH: _plain(TorchGPT(weights), _torch_loss, batches, fused=None),
    }
    torch.set_num_threads(before)


def _ours(model: gpt.GPT, kernel: str, batches: list[Tensor]) -> Step:
    words = train_tokenizer(["pad"], 300)
    collator = Collator.create(words, lambda example: "", model.config, ())
    rows = [
        [Encoded(Example(str(row), "", ""), tuple(ids.tolist()), 1) for row, ids in enumerate(batch)]
        for batch in batches
    ]
    optimizer = make_optimizer(model, TRAIN, kernel=kernel)
    learner = Learner(model, model, collator, optimizer, TRAIN, kernel, 0, torch.device("cpu"), "fp32")
    model.train()
    return lambda step: learner.step(step, [rows[step % len(rows)]], TRAIN.learning_rate)[0]


def _plain(
    model: nn.Module, loss_of: Callable[[Any, Tensor, Tensor], Tensor], batches: list[Tensor], fused: bool | None
) -> Step:
    """The loop that everybody writes."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": TRAIN.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=TRAIN.learning_rate, betas=(TRAIN.beta1, TRAIN.beta2), fused=fused)
    model.train()

    def step(number: int) -> Tensor:
        batch = batches[number % len(batches)]
        loss = loss_of(model, batch[:, :-1], batch[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), TRAIN.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def _transformers_loss(model: GPT2LMHeadModel, tokens: Tensor, targets: Tensor) -> Tensor:
    return model(input_ids=tokens, labels=tokens, shift_labels=targets.contiguous()).loss


def _torch_loss(model: TorchGPT, tokens: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())


@pytest.mark.parametrize("who", [OURS, TRANSFORMERS, TRAINER, TORCH])
def bench_training_step(benchmark: Any, steps: dict[str, Step], who: str) -> None:
    benchmark.group = WORK
    number = iter(range(10**6))
    loss = benchmark.pedantic(lambda: steps[who](next(number)), warmup_rounds=2, rounds=7)
    assert loss.isfinite()


@pytest.mark.parametrize("memory", ["as it comes", "kept"])
def bench_training_step_in_turns(steps: dict[str, Step], comparisons: Any, memory: str) -> None:
    """At least 1.4 times as many tokens a second as a plain loop on transformers' GPT-2."""
    number = iter(range(10**6))
    calls = {who: lambda step=step: step(next(number)) for who, step in steps.items()}
    with freed_memory_kept() if memory == "kept" else nullcontext():
        samples = interleave(calls, on_cpu, budget_s=15.0)
    work = f"{WORK}, freed memory {memory}"
    found = [comparisons.add(work, samples, ours=OURS, peer=peer) for peer in steps if peer != OURS]
    assert memory == "kept" or found[0].times_as_fast >= 1.4


def bench_loss_curves_agree(steps: dict[str, Step]) -> None:
    """Over 50 steps from the same weights, losses in nats differ by at most 1e-3."""
    curves = {who: torch.stack([step(number) for number in range(CURVE_STEPS)]) for who, step in steps.items()}
    assert curves[OURS][0] > curves[OURS][-1] + 1.0  # it learns
    for peer in (TRANSFORMERS, TRAINER, TORCH):
        assert (curves[OURS] - curves[peer]).abs().max() <= 1e-3
