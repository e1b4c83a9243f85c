"""The native training ops against float64 and torch's own: GELU, cross-entropy, AdamW, dropout, packed attention."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal_kernels import attention, ops, self_attention, training

# Tasks are 32 rows; vectors have up to 16 lanes.
SHAPES = ((1, 1), (3, 16), (32, 48), (33, 17), (100, 130))


pytestmark = pytest.mark.usefixtures("native_kernels")


@pytest.fixture(params=[1, 3])
def _threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def drawn(*shape: int, scale: float = 1.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(ours: Tensor, exact: Tensor, bound: float = 2e-6) -> None:
    assert ours.shape == exact.shape
    assert (ours.double() - exact).abs().max() <= bound * exact.abs().max().clamp_min(1)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("kind", ["tanh", "none"])
@pytest.mark.parametrize(("rows", "width"), SHAPES)
def test_gelu_of_x_plus_bias_and_its_gradients_agree_with_float64(rows, width, kind):
    x, bias, grad = drawn(rows, width, scale=3), drawn(width, seed=1), drawn(rows, width, seed=2)
    ours = [tensor.clone().requires_grad_() for tensor in (x, bias)]
    exact = [tensor.double().requires_grad_() for tensor in (x, bias)]
    out = training.bias_gelu(*ours, tanh=kind == "tanh")
    truth = F.gelu(exact[0] + exact[1], approximate=kind)
    close(out, truth)
    out.backward(grad)
    truth.backward(grad.double())
    close(ours[0].grad, exact[0].grad)
    close(ours[1].grad, exact[1].grad)


@pytest.mark.parametrize("tanh", [True, False])
def test_gelu_far_out_is_0_or_x_with_slopes_0_and_1(tanh):
    x = torch.tensor([[-1e4, -40.0, 40.0, 1e4]], requires_grad=True)
    out = training.bias_gelu(x, torch.zeros(4), tanh=tanh)
    out.sum().backward()
    torch.testing.assert_close(out.detach(), torch.tensor([[0.0, 0.0, 40.0, 1e4]]), rtol=0, atol=1e-20)
    torch.testing.assert_close(x.grad, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), rtol=0, atol=1e-20)


@pytest.mark.parametrize("tanh", [True, False])
def test_gelu_gives_the_same_bits_on_every_number_of_threads(tanh):
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        grads = torch.ops.bimodal.bias_gelu_backward(drawn(900, 64), drawn(900, 64, seed=1), drawn(64, seed=2), tanh)
        found.append(torch.cat([grads[0].flatten(), grads[1]]))
    torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1.0, 1e3])
@pytest.mark.parametrize(("rows", "classes"), SHAPES)
def test_cross_entropy_leaves_its_gradient_in_the_logits(rows, classes, scale, label_smoothing):
    logits = drawn(rows, classes, scale=scale)
    targets = torch.arange(rows) * 7 % classes
    exact = logits.double().requires_grad_()
    truth = F.cross_entropy(exact, targets, reduction="none", label_smoothing=label_smoothing)
    (truth.sum() / 5).backward()
    close(training.cross_entropy_(logits, targets, label_smoothing=label_smoothing, divisor=5.0), truth)
    close(logits, exact.grad)


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_that_is_no_class_is_refused(target):
    with pytest.raises(RuntimeError, match="target that is no class"):
        training.cross_entropy_(drawn(1, 3), torch.tensor([target]), label_smoothing=0.0, divisor=1.0)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("gradient_scale", [1e-3, 1e3])
def test_clipped_adamw_steps_as_torch_clips_and_steps(gradient_scale):
    shapes = ((3,), (130, 260), (1,))  # pieces are 16,384 elements
    ours = [nn.Parameter(drawn(*shape, seed=i)) for i, shape in enumerate(shapes)]
    torchs = copy.deepcopy(ours)
    groups = [{"params": torchs[:2], "weight_decay": 0.1}, {"params": torchs[2:], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98), eps=1e-8)
    first, second, steps = ([torch.zeros_like(p) for p in ours] for _ in range(3))
    steps = [torch.zeros(()) for _ in ours]
    for turn in range(3):
        gradients = [drawn(*shape, scale=gradient_scale, seed=10 * turn + i) for i, shape in enumerate(shapes)]
        for parameter, gradient in zip(torchs, gradients, strict=True):
            parameter.grad = gradient.clone()
        expected = nn.utils.clip_grad_norm_(torchs, 1.0)
        optimizer.step()
        norm = training.clipped_adamw_(
            list(ours),
            gradients,
            first,
            second,
            steps,
            [0.1, 0.1, 0.0],
            learning_rate=0.01,
            betas=(0.9, 0.98),
            eps=1e-8,
            clip_norm=1.0,
        )
        assert norm == pytest.approx(expected.item(), rel=1e-5)
    for mine, theirs in zip(ours, torchs, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=2e-6)
    assert [step.item() for step in steps] == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_self_attention_from_one_projection_is_attention_of_its_parts(causal, masked):
    qkv, mask = drawn(2, 19, 3, 2, 16), None
    if masked:
        mask = torch.arange(19)[None] < torch.tensor([[19], [11]])
    packed, split = qkv.clone().requires_grad_(), qkv.clone().requires_grad_()
    parts = split.permute(2, 0, 3, 1, 4).unbind()
    ours = self_attention(packed, key_padding_mask=mask, causal=causal, backend="native")
    plain = attention(*parts, key_padding_mask=mask, causal=causal, backend="native")
    assert torch.equal(ours, plain)
    grad = drawn(*ours.shape, seed=1)
    ours.backward(grad)
    plain.backward(grad)
    assert torch.equal(packed.grad, split.grad)


def test_self_attention_makes_no_copies_of_gradients():
    qkv = drawn(2, 5, 3, 2, 16).requires_grad_()
    with torch.profiler.profile() as profile:
        ops.attend_packed(qkv, None, True, 0.25).sum().backward()
    assert not {"aten::cat", "aten::stack"} & {event.key for event in profile.key_averages()}


@pytest.mark.parametrize(
    ("backend", "dtype", "served"),
    [("native", torch.float32, True), ("native", torch.bfloat16, False), ("sdpa", torch.float32, False)],
)
def test_only_fp32_of_the_native_backend_is_served(backend, dtype, served):
    assert training.serves(backend, torch.zeros(1, dtype=dtype)) is served


def threefry(counters: np.ndarray, keys: tuple[int, int]) -> np.ndarray:
    """Threefry-2x32 with 20 rounds of counters [count, 2] (Salmon et al. 2011, sec. 4.1), for the test alone."""
    key = np.array([*keys, keys[0] ^ keys[1] ^ 0x1BD11BDA], dtype=np.uint32)
    first, second = (counters.astype(np.uint32) + key[:2]).T
    for group in range(5):
        for by in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            first = first + second
            second = (second << np.uint32(by) | second >> np.uint32(32 - by)) ^ first
        first = first + key[(group + 1) % 3]
        second = second + key[(group + 2) % 3] + np.uint32(group + 1)
    return np.stack([first, second], axis=1)


@pytest.mark.parametrize(
    ("counter", "keys", "words"),
    [  # as published with the authors' library, Random123
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_reference_of_dropouts_masks_gives_the_published_words(counter, keys, words):
    assert tuple(threefry(np.array([counter]), keys)[0]) == words


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("probability", [0.1, 0.5])
@pytest.mark.parametrize("size", [0, 1, 2, 17, 33, 4096, 20_001])  # tasks are 4,096 pairs
def test_dropout_drops_what_the_reference_says_and_scales_the_rest(size, probability):
    seed, x = (7 << 32) + 0xFFFFFFFF, drawn(size)
    counters = np.arange((size + 1) // 2)
    words = threefry(np.stack([counters, counters * 0], axis=1), (0xFFFFFFFF, 7)).T.reshape(-1)[:size]
    kept = torch.from_numpy(words >= int(probability * 2**32))
    found = torch.ops.bimodal.dropout(x, probability, seed)
    torch.testing.assert_close(found, torch.where(kept, x / (1 - probability), 0.0))


def test_dropouts_gradient_is_of_the_elements_that_stayed():
    x = drawn(40, 30).requires_grad_()
    out = training.dropout(x, 0.25)
    out.backward(torch.ones_like(x))
    assert torch.equal(x.grad, torch.where(out == 0, 0.0, torch.tensor(4 / 3)))


def test_dropout_is_seeded_by_torchs_generator():
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append([training.dropout(torch.ones(64), 0.5) for _ in range(2)])
    assert torch.equal(masks[0][0], masks[1][0])
    assert torch.equal(masks[0][1], masks[1][1])
    assert not torch.equal(masks[0][0], masks[0][1])
    assert not torch.equal(masks[0][0], masks[2][0])


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_a_share_that_leaves_nothing_or_more_than_all_is_refused(probability):
    with pytest.raises(RuntimeError, match="probability of at least 0 and less than 1"):
        torch.ops.bimodal.dropout(torch.ones(3), probability, 0)
