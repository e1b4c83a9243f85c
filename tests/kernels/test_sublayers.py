"""Whole sub-layers as native calls: against float64, repeatable, and left alone where somebody changed a layer."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bimodal_kernels import sublayers
from bimodal_kernels.check import sublayers as check
from bimodal_kernels.flops import FLOP_FORMULAS
from bimodal_models.blocks.attention import KeyValue
from bimodal_models.blocks.cross_attention import GatedCrossAttention
from bimodal_models.blocks.transformer import Block, BlockConfig

pytestmark = pytest.mark.usefixtures("native_kernels")

NODES = {"_SelfAttentionBackward", "_CrossAttentionBackward", "_FeedForwardBackward"}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def block(kernel: str = "native", *, dropout: float = 0.0, key_bias: bool = True, width: int = 32) -> Block:
    torch.manual_seed(0)
    built = Block(BlockConfig(width, 2, None, dropout, 1e-5, "tanh", key_bias=key_bias), kernel=kernel)
    built.cross = GatedCrossAttention(width, 2, layer_norm_eps=1e-5, kernel=kernel)
    nn.init.constant_(built.cross.gate, 0.5)
    return built


def memory(layer: Block, keys: Tensor) -> KeyValue:
    assert layer.cross is not None
    return layer.cross.attention.keys_values(keys)


def gradients(layer: Block, x: Tensor, grad: Tensor, **options: object) -> list[Tensor]:
    x, keys = x.clone().requires_grad_(), drawn(len(x), 4, x.shape[-1], seed=3).to(x.dtype).requires_grad_()
    out = layer(x, memory=memory(layer, keys), **options)
    out.backward(grad)
    return [out.detach(), x.grad, keys.grad, *(p.grad for p in layer.parameters())]


def nodes(out: Tensor) -> set[str]:
    found, left = set(), [out.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node.name() not in found:
            found.add(node.name())
            left += [following for following, _ in node.next_functions]
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_sublayers_and_their_gradients_agree_with_float64(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = list(check.faults())
    torch.set_num_threads(before)
    assert found == []


def test_an_error_is_seen(monkeypatch):
    monkeypatch.setattr(check, "TOLERANCE", 1e-9)
    assert any("the gradient of x has error" in fault for fault in check.faults())


def test_a_block_is_three_nodes_and_agrees_with_its_layers():
    whole, layered, x, grad = block(dropout=0.2), block(dropout=0.2), drawn(3, 11, 32), drawn(3, 11, 32, seed=1)
    for module in layered.modules():
        module.register_forward_hook(lambda *_: None)
    leaf = x.clone().requires_grad_()
    assert nodes(whole(leaf, memory=memory(whole, leaf))) >= NODES
    assert not nodes(layered(leaf, memory=memory(layered, leaf))) & NODES
    results = []
    for layer in (whole, layered):
        torch.manual_seed(1)  # dropout's elements are the same ones, too
        results.append(gradients(layer, x, grad, causal=True))
    for mine, theirs in zip(*results, strict=True):
        assert (mine - theirs).abs().max() <= 2e-6 * theirs.abs().max().clamp_min(1)


@pytest.mark.parametrize("width", [64, 50])  # on the matrix unit, where there is one; by torch's products
def test_results_repeat_to_the_bit(width):
    layer, x, grad = block(dropout=0.2, width=width), drawn(5, 23, width), drawn(5, 23, width, seed=1)
    found = []
    for _ in range(2):
        torch.manual_seed(1)
        layer.zero_grad(set_to_none=True)
        found.append(gradients(layer, x, grad))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def _hooked(layer: nn.Module) -> None:
    layer.register_forward_hook(lambda *_: None)


CHANGES = {
    "frozen weights": lambda b: b.mlp.up.weight.requires_grad_(False),
    "a frozen bias": lambda b: b.mlp.up.bias.requires_grad_(False),
    "a hook on attention": lambda b: _hooked(b.attention),
    "a hook on the feed-forward layer": lambda b: _hooked(b.mlp),
    "a hook on dropout": lambda b: _hooked(b.dropout),
    "a hook on a linear layer": lambda b: _hooked(b.attention.out_proj),
    "a hook on the way back": lambda b: b.mlp.down.register_full_backward_hook(lambda *_: None),
    "another dropout": lambda b: setattr(b, "dropout", nn.Identity()),
    "another activation": lambda b: setattr(b.mlp, "activation", nn.ReLU()),
    "another forward": lambda b: setattr(b.mlp.up, "forward", lambda x: x.repeat(1, 1, 4)),
    "a parametrisation": lambda b: nn.utils.parametrizations.weight_norm(b.attention.in_proj),
    "a norm without weights": lambda b: setattr(b, "mlp_norm", nn.LayerNorm(32, elementwise_affine=False)),
    "nothing but dropout": lambda b: setattr(b.dropout, "p", 1.0),
    "no bias": lambda b: setattr(b.mlp.down, "bias", None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_block_runs_layer_by_layer(change):
    layer, x = block(), drawn(2, 5, 32).requires_grad_()
    CHANGES[change](layer)
    assert not nodes(layer(x)) & NODES


@pytest.mark.parametrize("change", ["a frozen gate", "a hook", "another norm", "a bias", "a norm without weights"])
def test_a_changed_cross_attention_runs_layer_by_layer(change):
    layer = block().cross
    assert layer is not None
    {
        "a frozen gate": lambda: layer.gate.requires_grad_(False),
        "a hook": lambda: _hooked(layer.attention.query_proj),
        "another norm": lambda: setattr(layer, "norm", nn.Identity()),
        "a bias": lambda: setattr(layer.attention, "out_proj", nn.Linear(32, 32)),
        "a norm without weights": lambda: setattr(layer, "norm", nn.LayerNorm(32, elementwise_affine=False)),
    }[change]()
    x = drawn(2, 5, 32).requires_grad_()
    assert not nodes(layer(x, layer.attention.keys_values(x), None)) & NODES


def test_autocast_other_kernels_and_missing_key_bias_run_layer_by_layer():
    x = drawn(2, 5, 32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        assert not nodes(block()(x)) & NODES
    assert not nodes(block("sdpa")(x)) & NODES
    assert not nodes(block(key_bias=False)(x)) & NODES


def test_without_gradients_layers_are_called():
    layer, calls = block(), []
    layer.attention.in_proj.forward = lambda x: calls.append(1) or x.repeat(1, 1, 3)
    with torch.no_grad():
        layer(drawn(2, 5, 32))
    assert calls == [1]


def test_a_compiler_sees_layers(monkeypatch):
    assert sublayers.serves("native", drawn(2, 5, 32), head_dim=16)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not sublayers.serves("native", drawn(2, 5, 32), head_dim=16)


def test_nothing_to_do_runs_layer_by_layer():
    layer, x, none = block().cross, drawn(2, 5, 32).requires_grad_(), drawn(2, 2, 0, 16)
    assert layer is not None
    torch.testing.assert_close(layer(x, KeyValue(none, none), None), x)
    assert not sublayers.serves("native", drawn(0, 5, 32), head_dim=16)


def test_heads_beyond_the_kernels_limits_run_layer_by_layer():
    assert not sublayers.serves("native", drawn(2, 5, 32), head_dim=257)


def test_operations_are_those_of_the_layers():
    x, grad, counted = drawn(2, 5, 32), drawn(2, 5, 32, seed=1), []
    for layer in (block(), block("sdpa")):
        with FlopCounterMode(display=False, custom_mapping=dict(FLOP_FORMULAS)) as counter:
            gradients(layer, x, grad)
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1]


@pytest.mark.parametrize("mask", [None, torch.ones(2, 5, dtype=torch.bool)])
def test_opcheck(mask):
    x, norm, up, down = drawn(2, 5, 32), (drawn(32), drawn(32)), (drawn(48, 32), drawn(48)), (drawn(32, 48), drawn(32))
    qkv, square, heads = (drawn(96, 32), drawn(96)), (drawn(32, 32), drawn(32)), drawn(2, 2, 5, 16)
    layers = {
        "feed_forward": (*norm, *up, *down, 1e-5, True, 0.1, 7),
        "self_attention": (*norm, *qkv, *square, mask, 1e-5, 2, False, 0.1, 7),
        "cross_attention": (heads, heads, *norm, *square, drawn(32, 32), drawn(1), mask, 1e-5),
    }
    for name, layer in layers.items():
        forward, backward = (getattr(torch.ops.bimodal, op).default for op in (name, f"{name}_backward"))
        torch.library.opcheck(forward, (x, *layer))
        _, *saved = forward(x, *layer)
        torch.library.opcheck(backward, (drawn(2, 5, 32, seed=1), x, *saved, *layer))


def test_what_does_not_fit_is_refused():
    norm = sublayers.Norm(drawn(32), drawn(32), 1e-5)
    up, down = sublayers.Linear(drawn(48, 32), drawn(48)), sublayers.Linear(drawn(32, 48), drawn(32))
    with pytest.raises(RuntimeError, match=r"\[batch, position, embed_dim\]"):
        sublayers.feed_forward(drawn(5, 32), norm, up, down, tanh=True, dropout=0.0)
    with pytest.raises(RuntimeError, match="sizes fit together"):
        sublayers.feed_forward(drawn(2, 5, 32), norm, up, up, tanh=True, dropout=0.0)
    with pytest.raises(RuntimeError, match="probability"):
        sublayers.feed_forward(drawn(2, 5, 32), norm, up, down, tanh=True, dropout=1.0)
    with pytest.raises(RuntimeError, match="heads that divide"):
        sublayers.self_attention(
            drawn(2, 5, 32), norm, up, down, num_heads=5, key_padding_mask=None, causal=False, dropout=0.0
        )
