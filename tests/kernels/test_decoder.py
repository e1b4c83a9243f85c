"""The native linear layers against float64, and what the decoder's step refuses.

What the step computes is tested where its layers are: tests/models/blocks/test_decoder_step.py.
"""

import pytest
import torch
from torch.nn import functional as F

from bimodal_kernels import decoder
from bimodal_kernels.check import decoder as check

pytestmark = pytest.mark.usefixtures("native_kernels")


def drawn(rows: int, inputs: int, outputs: int):
    draw = torch.Generator().manual_seed(rows * inputs + outputs)
    x = torch.randn(rows, inputs, generator=draw)
    weight = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8, generator=draw)
    scale = torch.rand(outputs, generator=draw) / 127
    return x, weight, scale, torch.randn(outputs, generator=draw)


def test_int8_layers_agree_with_float64():
    assert list(check.linear_faults()) == []


def test_steps_agree_with_float64():
    assert list(check.step_faults()) == []


def test_an_error_of_a_step_is_seen(monkeypatch):
    monkeypatch.setattr(check, "TOLERANCE", 1e-9)
    assert any("logits have error" in fault for fault in check.step_faults())


def test_a_layer_without_a_bias_adds_none():
    x, weight, scale, _ = drawn(3, 32, 19)
    exact = F.linear(x, weight * scale[:, None])
    torch.testing.assert_close(decoder.int8_linear(x, weight, scale, None), exact, atol=1e-4, rtol=1e-5)


def test_a_row_gives_the_same_bits_on_every_number_of_threads():
    x, weight, scale, bias = drawn(7, 256, 1000)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(decoder.int8_linear(x, weight, scale, bias))
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_weights_are_not_read_past_their_end():
    # The last vector of outputs is not a whole one: what lies behind the scales must not come into it.
    x, weight, scale, bias = drawn(3, 32, 19)
    guarded = torch.full((20,), torch.nan)
    guarded[:19] = scale
    assert decoder.int8_linear(x, weight, guarded[:19], bias).isfinite().all()


def test_opcheck_int8_linear():
    torch.library.opcheck(torch.ops.bimodal.int8_linear.default, drawn(2, 16, 5))


def step_inputs(batch: int = 2, width: int = 16, vocab: int = 11, positions: int = 6, layers: int = 1):
    """Inputs of a decoder without cross-attention."""
    draw = torch.Generator().manual_seed(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw)

    block = [some(width), some(width), some(3 * width, width), some(3 * width), some(width, width), some(width)]
    block += [some(width), some(width), some(32, width), some(32), some(width, 32), some(width)]
    weights = [some(vocab, width), some(positions, width), *(block * layers), some(width), some(width)]
    keys, values = (torch.zeros(layers, batch, 2, 5, width // 2) for _ in range(2))
    lengths = torch.arange(batch)
    return [torch.full((batch,), 3), lengths, keys, values, weights, [], [], None, 1e-5, None]


def test_opcheck_decoder_step():
    torch.library.opcheck(torch.ops.bimodal.decoder_step.default, tuple(step_inputs()))


def test_step_writes_the_new_tokens_keys_and_values_and_no_others():
    inputs = step_inputs()
    decoder.decoder_step(*inputs)
    for storage in (inputs[2], inputs[3]):
        written = storage[0].ne(0).any(dim=-1).any(dim=1)  # [batch, slot]
        assert written.tolist() == [[True, False, False, False, False], [False, True, False, False, False]]


def test_step_gives_the_same_bits_again():
    first, second = decoder.decoder_step(*step_inputs()), decoder.decoder_step(*step_inputs())
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda inputs: inputs[0].fill_(11), "a token that does not exist"),
        (lambda inputs: inputs[0].fill_(-1), "a token that does not exist"),
        (lambda inputs: inputs[1].fill_(5), "a row that is longer than its keys and values"),
        (lambda inputs: inputs[4].pop(), "too few weights"),
        (lambda inputs: inputs[4].append(inputs[4][-1]), "more weights than it has use for"),
        (lambda inputs: inputs[4].__setitem__(4, inputs[4][4].T), "another dtype or shape"),
        (lambda inputs: inputs[4].__setitem__(8, inputs[4][8].double()), "another dtype or shape"),
        (lambda inputs: inputs[6].append(0), "two of a memory for each block"),
    ],
)
def test_step_refuses_what_does_not_fit(change, message):
    inputs = step_inputs()
    change(inputs)
    with pytest.raises(RuntimeError, match=message):
        decoder.decoder_step(*inputs)


def test_widths_that_are_no_multiples_of_16_are_not_served():
    cpu = torch.device("cpu")
    assert decoder.step_limit(cpu, torch.float32, [16, 40]) == "serves widths that are multiples of 16, not 40"
    assert decoder.step_limit(cpu, torch.float32, [16, 48]) is None


def test_other_devices_and_dtypes_are_not_served():
    assert decoder.step_limit(torch.device("meta"), torch.float32, []) == "serves cpu devices, not meta"
    assert decoder.step_limit(torch.device("cpu"), torch.float64, []) == "serves float32, not torch.float64"
    with torch.autocast("cpu", torch.bfloat16):
        reason = decoder.step_limit(torch.device("cpu"), torch.float32, [])
    assert reason == "serves float32, not torch.bfloat16"
