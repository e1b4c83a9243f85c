"""Greedy generation against `generate()` of transformers, from the same weights and with the same tokens; int8; memory.

In turns, in one process. What bounds decoding is memory: every weight is read once for every token. So a read of as
many bytes (`torch.dot` of a tensor with itself, the fastest that torch has) takes its turn, too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from bimodal.environment import pin_threads
from bimodal.generate import generate
from bimodal.schema import DecodeConfig, ModelConfig
from bimodal_kernels import choose_backend
from bimodal_kernels.stopwatch import interleave, on_cpu
from bimodal_models import gpt

OURS, INT8, TRANSFORMERS, READING = "bimodal", "bimodal, int8", "transformers", "reading the weights"
SHAPES = {
    "7 M": {"n_layer": 6, "n_head": 4, "n_embd": 256, "vocab_size": 8192, "n_positions": 128},
    "124 M": {"n_layer": 12, "n_head": 12, "n_embd": 768, "vocab_size": 50257, "n_positions": 1024},
}
ONE, MIXED = (32,), (4, 32, 11, 27, 8, 19, 32, 15)
"""Tokens of each prompt."""
NEW_TOKENS = 64
NEVER = -1

Models = dict[str, Any]
Write = Callable[[], list[list[int]]]


@pytest.fixture(scope="module", params=SHAPES)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """The same random weights in both, and rounded to int8."""
    before = torch.get_num_threads()
    pin_threads(None)
    torch.manual_seed(0)
    theirs = GPT2LMHeadModel(GPT2Config(**SHAPES[request.param], bos_token_id=0, eos_token_id=0)).eval()
    theirs.generation_config.eos_token_id = None
    folder: Path = tmp_path_factory.mktemp("weights")
    theirs.save_pretrained(folder)
    shape = SHAPES[request.param]
    head_dim = shape["n_embd"] // shape["n_head"]
    kernel = choose_backend("auto", device="cpu", dtype=torch.float32, head_dims=(head_dim,)).name
    config = ModelConfig(name="gpt", init=str(folder))
    ours = gpt.build(config, vocab_size=shape["vocab_size"], kernel=kernel).eval()
    int8 = copy.deepcopy(ours)
    gpt.quantise(int8)
    yield {"size": request.param, OURS: ours, INT8: int8, TRANSFORMERS: theirs}
    torch.set_num_threads(before)


def writers(models: Models, lengths: tuple[int, ...]) -> dict[str, Write]:
    """Who writes 64 tokens after prompts of these lengths."""
    longest, draw = max(lengths), torch.Generator().manual_seed(1)
    tokens = torch.randint(models[OURS].vocab_size, (len(lengths), longest), generator=draw)
    there = torch.arange(longest) < torch.tensor(lengths)[:, None]
    # transformers wants padding on the left.
    left = torch.stack([row.roll(longest - length) for row, length in zip(tokens, lengths, strict=True)])
    config = DecodeConfig(max_new_tokens=NEW_TOKENS)

    def ours(model: gpt.GPT) -> list[list[int]]:
        return generate(model, tokens, torch.tensor(lengths), context=None, config=config, end_token=NEVER)

    def theirs() -> list[list[int]]:
        mask = there.flip(1).long()
        found = models[TRANSFORMERS].generate(
            left, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=0
        )
        return found[:, longest:].tolist()  # type: ignore[no-any-return]

    return {OURS: lambda: ours(models[OURS]), INT8: lambda: ours(models[INT8]), TRANSFORMERS: theirs}


def work(models: Models, lengths: tuple[int, ...]) -> str:
    prompts = f"a prompt of {lengths[0]}" if len(lengths) == 1 else f"{len(lengths)} prompts of {min(lengths)} to 32"
    return f"{NEW_TOKENS} tokens after {prompts}, {models['size']}"


@pytest.mark.parametrize("who", [OURS, INT8, TRANSFORMERS])
@pytest.mark.parametrize("lengths", [ONE, MIXED], ids=["batch 1", "batch 8"])
def bench_generation(benchmark: Any, models: Models, lengths: tuple[int, ...], who: str) -> None:
    benchmark.group = work(models, lengths)
    texts = benchmark.pedantic(writers(models, lengths)[who], warmup_rounds=1, rounds=3)
    assert [len(text) for text in texts] == [NEW_TOKENS] * len(lengths)


@pytest.mark.parametrize("lengths", [ONE, MIXED], ids=["batch 1", "batch 8"])
def bench_generation_in_turns(models: Models, comparisons: Any, lengths: tuple[int, ...]) -> None:
    """The same tokens, several times as fast: 7 M 3 times alone and twice in batches, 124 M 1.4 times alone."""
    if (models["size"], lengths) == ("124 M", MIXED):
        pytest.skip("a minute, and nothing that the others do not show")
    calls = writers(models, lengths)
    assert calls[OURS]() == calls[TRANSFORMERS]()
    samples = interleave(calls, on_cpu, budget_s=10.0)
    found = comparisons.add(work(models, lengths), samples, ours=OURS, peer=TRANSFORMERS)
    comparisons.add(f"{work(models, lengths)}, int8", samples, ours=INT8, peer=OURS)
    least = {("7 M", ONE): 3.0, ("7 M", MIXED): 2.0, ("124 M", ONE): 1.4}
    assert found.times_as_fast >= least[models["size"], lengths]


@torch.no_grad()
def bench_decoding_against_memory(models: Models, comparisons: Any) -> None:
    """At 124 M, the weights are read at 70 % of the memory's speed or more, and int8 is 1.8 times as fast again."""
    token, lengths = torch.tensor([5]), torch.tensor([32])

    def step(model: gpt.GPT) -> Callable[[], object]:
        # The same cache again and again: each call writes to the same slot.
        _, cache = model.prefill(torch.ones(1, 32, dtype=torch.long), lengths, max_length=64)
        return lambda: model.decode(token, cache)

    ours = models[OURS]
    positions = ours.position_embedding.weight.numel()
    weights = torch.ones(sum(weight.numel() for weight in ours.parameters()) - positions)
    calls = {OURS: step(ours), INT8: step(models[INT8]), READING: lambda: torch.dot(weights, weights)}
    samples = interleave(calls, on_cpu, budget_s=10.0)
    what = f"a token, {models['size']}"
    bound = comparisons.add(what, samples, ours=OURS, peer=READING)
    int8 = comparisons.add(f"{what}, int8", samples, ours=INT8, peer=OURS)
    if models["size"] == "124 M":
        assert bound.times_as_fast >= 0.7
        assert int8.times_as_fast >= 1.8
