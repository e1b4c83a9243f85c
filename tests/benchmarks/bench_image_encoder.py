"""The image encoder of the small captioning preset against bare matrix products of the same shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.allocator import freed_memory_kept
from bimodal.config import Request, plan
from bimodal.environment import pin_threads
from bimodal.optimisation import make_optimizer
from bimodal.schema import RunConfig
from bimodal_kernels import choose_backend, self_attention, training
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
    """At least 65 % of the rate of its matrix products; docs/speed.md says where the rest of the time goes."""
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

    pieces = _pieces(config, kernel, images, towards)
    calls = {PRODUCTS: _all(products), GRADIENTS: gradients, STEP: step} | pieces
    with freed_memory_kept():
        samples = interleave(calls, _in_a_row, budget_s=20.0)
    comparisons.take_apart(WORK, samples, whole=STEP, pieces=list(pieces))
    shares = [comparisons.add(f"{WORK}: {work}", samples, ours=work, peer=PRODUCTS) for work in (GRADIENTS, STEP)]
    assert all(0.0 < share.times_as_fast < 1.0 for share in shares)  # it does all of these products, and more


def _in_a_row(call: Work, repeats: int) -> float:
    # A training's steps follow one another: nobody is to find in the caches what another work left there.
    return on_cpu(call, max(repeats, 4))


def _pieces(config: RunConfig, kernel: str, images: Tensor, towards: Tensor) -> dict[str, Work]:
    """What a step consists of, forward and backward, each on tensors of its own."""
    encoder = ImageEncoder(config.model.image, kernel=kernel)
    optimizer = make_optimizer(encoder, config.train, kernel=kernel)
    encoder(images).backward(towards)
    batch, tokens, width = towards.shape
    heads = config.model.image.num_heads
    qkv = torch.randn(batch, tokens, 3, heads, width // heads, requires_grad=True)
    attended = torch.randn_like(self_attention(qkv, backend=kernel))
    x = torch.randn_like(towards).requires_grad_()
    norm = nn.LayerNorm(width)
    hidden = torch.randn(batch, tokens, encoder.blocks[0].mlp.up.out_features, requires_grad=True)
    bias = torch.zeros(hidden.shape[-1], requires_grad=True)

    def gelu() -> Tensor:
        if training.serves(kernel, hidden):
            return training.bias_gelu(hidden, bias, tanh=False)
        return F.gelu(hidden + bias)

    def residual() -> None:
        torch.add(x.detach(), towards)  # forward
        torch.add(x.detach(), towards)  # backward: two gradients of one input
        torch.sum(towards, (0, 1))  # the gradient of the bias that was added

    blocks = len(encoder.blocks)
    back = torch.randn_like(hidden)
    weights = (x, norm.weight, norm.bias)
    attention = [lambda: torch.autograd.grad(self_attention(qkv, backend=kernel), (qkv,), attended)]
    norms = [lambda: torch.autograd.grad(norm(x), weights, towards)]
    return {
        "matrix products of linear layers": _all(_linear_products(encoder, images)),
        "attention": _all(attention * blocks),
        "layer norms": _all(norms * (2 * blocks + 1)),
        "GELU": _all([lambda: torch.autograd.grad(gelu(), (hidden, bias), back)] * blocks),
        "residuals and gradients of biases": _all([residual] * (2 * blocks)),
        "clipping and AdamW": lambda: optimizer.clipped_step(config.train.clip_norm),
    }


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
