"""The image encoder of the small captioning preset against bare matrix products of the same shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bimodal.allocator import freed_memory_kept
from bimodal.config import Request, plan
from bimodal.environment import pin_threads
from bimodal.optimisation import make_optimizer
from bimodal.schema import RunConfig
from bimodal_kernels import choose_backend
from bimodal_kernels.stopwatch import interleave, on_cpu
from bimodal_models.blocks.image_encoder import ImageEncoder

PRODUCTS, GRADIENTS, STEP = "its matrix products alone", "forward, backward", "forward, backward, AdamW"
WORK = "image encoder, small preset"
Work = Callable[[], object]


@pytest.fixture
def config() -> Iterator[RunConfig]:
    """Of the small captioning preset, on as many threads as a run has."""
    before = torch.get_num_threads()
    pin_threads(None)
    torch.manual_seed(0)
    yield plan(Request(task="captioning", model="multimodal", preset="small"))[0]
    torch.set_num_threads(before)


def bench_image_encoder_against_products(config: RunConfig, comparisons: Any) -> None:
    """At least 65 % of the rate of its matrix products; `bench profile small` says where the rest of the time goes."""
    images = torch.randn(config.train.batch_size, 3, config.model.image.image_size, config.model.image.image_size)
    kernel = choose_backend("auto", device="cpu", dtype=torch.float32, head_dims=(64,)).name
    encoder = ImageEncoder(config.model.image, kernel=kernel)
    optimizer = make_optimizer(encoder, config.train, kernel=kernel)
    towards = torch.randn_like(encoder(images)) / 1e3
    products = [*_linear_products(encoder, images), *_attention_products(encoder, towards)]

    def gradients() -> None:
        encoder(images).backward(towards)
        encoder.zero_grad(set_to_none=True)

    def step() -> None:
        encoder(images).backward(towards)
        optimizer.clipped_step(config.train.clip_norm)
        optimizer.zero_grad(set_to_none=True)

    calls = {PRODUCTS: _all(products), GRADIENTS: gradients, STEP: step}
    with freed_memory_kept():
        samples = interleave(calls, _in_a_row, budget_s=20.0)
    # More than 1 is possible: the matrix unit, where there is one, is faster at products than torch.
    shares = [comparisons.add(f"{WORK}: {work}", samples, ours=work, peer=PRODUCTS) for work in (GRADIENTS, STEP)]
    assert all(share.times_as_fast > 0.0 for share in shares)


def _in_a_row(call: Work, repeats: int) -> float:
    # A training's steps follow one another: nobody is to find in the caches what another work left there.
    return on_cpu(call, max(repeats, 4))


def _linear_products(encoder: ImageEncoder, images: Tensor) -> list[Work]:
    """Each product of forward and backward, on operands of its own, into memory that is there already."""
    batch, tokens, width = encoder(images).shape
    patch = encoder.patch_embedding.weight.flatten(1)
    patches = batch * (tokens - 1)
    found = [_product((patches, patch.shape[1]), (patch.shape[1], width))]  # pictures need no gradient
    found.append(_product((width, patches), (patches, patch.shape[1])))
    rows = batch * tokens
    for layer in (module for module in encoder.modules() if isinstance(module, nn.Linear)):
        into, out = layer.in_features, layer.out_features
        found.append(_product((rows, into), (into, out)))
        found.append(_product((rows, out), (out, into)))
        found.append(_product((out, rows), (rows, into)))
    return found


def _attention_products(encoder: ImageEncoder, out: Tensor) -> list[Work]:
    batch, tokens, width = out.shape
    heads = encoder.blocks[0].attention.num_heads
    pairs, head_dim = batch * heads, width // heads
    scores = ((pairs, tokens, head_dim), (pairs, head_dim, tokens))  # q k', and the gradient of the weights
    values = ((pairs, tokens, tokens), (pairs, tokens, head_dim))  # w v, and the gradients of q, k and v
    found = []
    for _ in encoder.blocks:
        found += [_product(*scores) for _ in range(2)] + [_product(*values) for _ in range(4)]
    return found


def _product(left: tuple[int, ...], right: tuple[int, ...]) -> Work:
    a, b = torch.randn(left), torch.randn(right)
    into = a @ b
    return lambda: torch.matmul(a, b, out=into)


def _all(works: list[Work]) -> Work:
    def run() -> None:
        for work in works:
            work()

    return run
