"""What the harness relies on, for every contestant found."""

import importlib
import pkgutil
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

import bimodal_models
from bimodal.types import Cache, Context
from bimodal.word_features import FeatureSizes, FeatureTensors
from bimodal_kernels import loader

SPECS = {
    name: module.MODEL
    for _, name, _ in pkgutil.iter_modules(bimodal_models.__path__)
    if hasattr(module := importlib.import_module(f"bimodal_models.{name}"), "MODEL")
}


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


@pytest.fixture
def positions():
    return "learned"


with_either_positions = pytest.mark.parametrize("positions", ["learned", "rotary"])


@pytest.fixture
def build(spec, tiny, make, positions):
    def build(**changes):
        torch.manual_seed(0)
        options = {"vocab_size": make.vocab_size, "kernel": "sdpa", "modalities": spec.modalities} | changes
        config = options.pop("config", tiny).model_copy(update={"positions": positions})
        return spec.build(config, **options)

    return build


def test_both_contestants_are_found():
    assert {"gpt", "multimodal"} <= set(SPECS)


def test_module_and_spec_have_one_name(spec):
    assert SPECS[spec.name] is spec
    assert spec.summary
    assert spec.paper


def test_full_forward_has_the_promised_shapes(spec, build, make):
    model, batch = build(), make.batch(spec.modalities)
    hidden = model.hidden(batch.tokens, context=model.encode(batch))
    assert hidden.shape == (4, 7, model.config.embed_dim)
    assert model.logits(hidden).shape == (4, 7, model.vocab_size)


@with_either_positions
def test_later_tokens_do_not_change_earlier_states(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    context = model.encode(batch)
    changed = batch.tokens.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % model.vocab_size
    before, after = model.hidden(batch.tokens, context=context), model.hidden(changed, context=context)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.isclose(before[:, 4:], after[:, 4:]).all(-1).any()


@with_either_positions
def test_decoding_with_the_cache_equals_the_full_forward(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    context = model.encode(batch)
    continuation = torch.randint(model.vocab_size, (4, 5), generator=torch.Generator().manual_seed(1))
    rows = torch.arange(4)
    logits, cache = model.prefill(batch.tokens, batch.lengths, max_length=12, context=context)
    for step in range(6):
        texts = torch.zeros(4, 12, dtype=torch.long)
        for row, length in enumerate(batch.lengths.tolist()):
            texts[row, :length] = batch.tokens[row, :length]
            texts[row, length : length + step] = continuation[row, :step]
        full = model.logits(model.hidden(texts, context=context))[rows, batch.lengths + step - 1]
        torch.testing.assert_close(logits, full, atol=2e-5, rtol=1e-5)
        if step < 5:
            logits, cache = model.decode(continuation[:, step], cache, context=context)


def test_nothing_is_read_from_the_cache_before_it_is_written(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    context = model.encode(batch)
    torch.use_deterministic_algorithms(True)  # fills fresh memory with NaN
    try:
        _, cache = model.prefill(batch.tokens, batch.lengths, max_length=12, context=context)
        cache = cache.select(torch.tensor([0, 1, 2, 3]))
        for token in (1, 2, 3):
            logits, cache = model.decode(torch.full((4,), token), cache, context=context)
            assert logits.isfinite().all()
    finally:
        torch.use_deterministic_algorithms(False)


@with_either_positions
def test_rows_of_one_length_decode_as_the_full_forward(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    context = model.encode(batch)
    _, cache = model.prefill(batch.tokens[:, :3], torch.full((4,), 3), max_length=7, context=context)
    for position in range(3, 7):
        logits, cache = model.decode(batch.tokens[:, position], cache, context=context)
        full = model.logits(model.hidden(batch.tokens[:, : position + 1], context=context))[:, -1]
        torch.testing.assert_close(logits, full, atol=2e-5, rtol=1e-5)


@with_either_positions
def test_a_batch_computes_what_its_rows_alone_compute(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    context = model.encode(batch)
    together = model.hidden(batch.tokens, context=context)
    for row in range(4):
        only = torch.tensor([row])
        alone = model.hidden(
            batch.tokens[only, : batch.lengths[row]],
            context=None if context is None else context.select(only),
        )
        torch.testing.assert_close(together[only, : batch.lengths[row]], alone, atol=1e-5, rtol=1e-5)


@with_either_positions
def test_selected_rows_go_on_as_they_would_have(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    context = model.encode(batch)
    token = torch.tensor([1, 2, 3, 4])
    _, cache = model.prefill(batch.tokens, batch.lengths, max_length=9, context=context)
    rows = torch.tensor([3, 0, 0])
    picked = cache.select(rows)
    picked_context = None if context is None else context.select(rows)
    assert isinstance(picked, Cache)
    assert picked_context is None or isinstance(picked_context, Context)
    whole, _ = model.decode(token, cache, context=context)
    some, _ = model.decode(token[rows], picked, context=picked_context)
    torch.testing.assert_close(some, whole[rows], atol=1e-5, rtol=1e-5)


def test_a_selection_does_not_share_storage_with_its_source(spec, build, make):
    model, batch = make.shaken(build()), make.batch(())
    _, cache = model.prefill(batch.tokens, batch.lengths, max_length=9)
    every = torch.arange(4)
    expected, _ = model.decode(torch.zeros(4, dtype=torch.long), cache.select(every))
    model.decode(torch.ones(4, dtype=torch.long), cache.select(every))
    actual, _ = model.decode(torch.zeros(4, dtype=torch.long), cache.select(every))
    assert torch.equal(actual, expected)


@with_either_positions
def test_overfits_one_batch(spec, build, make, tiny):
    model, batch = build(config=tiny.model_copy(update={"dropout": 0.0})), make.batch(spec.modalities)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        logits = model.logits(model.hidden(batch.tokens, context=model.encode(batch)))
        loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


@with_either_positions
def test_every_weight_gets_a_gradient(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    model.logits(model.hidden(batch.tokens, context=model.encode(batch))).square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


@with_either_positions
@pytest.mark.parametrize("kernel", ["native", "reference"])
def test_all_kernels_compute_the_same(kernel, spec, build, make):
    needs(kernel)
    batch, states, gradients = make.batch(spec.modalities), [], []
    for name in ("sdpa", kernel):
        model = make.shaken(build(kernel=name))
        states.append(model.hidden(batch.tokens, context=model.encode(batch)))
        states[-1].square().mean().backward()
        gradients.append({label: weight.grad for label, weight in model.named_parameters() if weight.grad is not None})
    torch.testing.assert_close(*states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@with_either_positions
@pytest.mark.parametrize("kernel", ["native", "reference"])
def test_all_kernels_decode_the_same(kernel, spec, build, make):
    needs(kernel)
    batch, steps = make.batch(spec.modalities), []
    for name in ("sdpa", kernel):
        model = make.shaken(build(kernel=name))
        context = model.encode(batch)
        logits, cache = model.prefill(batch.tokens, batch.lengths, max_length=12, context=context)
        steps.append([logits])
        for token in (1, 2, 3):
            logits, cache = model.decode(torch.full((4,), token), cache, context=context)
            steps[-1].append(logits)
    torch.testing.assert_close(*steps, atol=2e-5, rtol=1e-5)


def needs(kernel: str) -> None:
    if kernel == "native" and (reason := loader.obstacle("native")) is not None:
        pytest.skip(reason)


def test_kernel_that_cannot_run_is_refused_at_build(build):
    with pytest.raises(ValueError, match=r"Kernel 'auto' is not a backend.* choose_backend"):
        build(kernel="auto")


@with_either_positions
def test_prefill_and_decode_work_under_autocast(spec, build, make):
    model, batch = make.shaken(build()), make.batch(spec.modalities)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        context = model.encode(batch)
        _, cache = model.prefill(batch.tokens, batch.lengths, max_length=9, context=context)
        logits, _ = model.decode(batch.tokens[:, 0], cache, context=context)
    assert logits.isfinite().all()


def test_text_without_a_context_is_enough(spec, build, make):
    model, batch = build(), make.batch(())
    assert model.encode(batch) is None
    assert model.hidden(batch.tokens).shape == (4, 7, 16)


def test_more_tokens_than_positions_are_refused(build):
    with pytest.raises(ValueError, match="25 tokens are more than the model's 24 positions"):
        build().hidden(torch.zeros(1, 25, dtype=torch.long))


def test_cache_larger_than_the_positions_is_refused(build):
    with pytest.raises(ValueError, match="max_length 25 is more than the model's 24 positions"):
        build().prefill(torch.zeros(1, 2, dtype=torch.long), torch.tensor([2]), max_length=25)


def test_cache_smaller_than_the_prompts_is_refused(build):
    with pytest.raises(ValueError, match="Prompts of 3 tokens do not fit into a cache of max_length 2"):
        build().prefill(torch.zeros(1, 3, dtype=torch.long), torch.tensor([3]), max_length=2)


@pytest.mark.parametrize("length", [0, 4])
def test_prompt_lengths_outside_the_prompts_are_refused(build, length):
    with pytest.raises(ValueError, match=rf"lengths must lie in 1 to 3 .*got {length} to {length}"):
        build().prefill(torch.zeros(1, 3, dtype=torch.long), torch.tensor([length]), max_length=9)


def test_decoding_past_the_cache_is_refused(build):
    model = build()
    _, cache = model.prefill(torch.zeros(1, 2, dtype=torch.long), torch.tensor([2]), max_length=2)
    with pytest.raises(ValueError, match=r"The cache is full \(2 tokens\)"):
        model.decode(torch.tensor([0]), cache)


def test_heads_that_do_not_divide_the_width_are_refused(build, tiny):
    with pytest.raises(ValueError, match="embed_dim 16 cannot be split into 3 heads"):
        build(config=tiny.model_copy(update={"num_heads": 3}))


@with_either_positions
def test_tags_see_the_whole_text_and_no_padding(spec, build, make):
    model, batch = make.shaken(build(num_tags=5)), make.batch(spec.modalities)
    context = model.encode(batch)
    tags = model.tag(batch.tokens, batch.lengths, context=context)
    assert tags.shape == (4, 7, 5)
    tokens = batch.tokens.clone()
    tokens[0, 2] = (tokens[0, 2] + 1) % model.vocab_size  # the last token of the first row
    tokens[0, 3:] = 0  # padding
    changed = model.tag(tokens, batch.lengths, context=context)
    assert not torch.isclose(tags[0, 0], changed[0, 0]).all()
    tokens[0, 2] = batch.tokens[0, 2]
    same = model.tag(tokens, batch.lengths, context=context)
    assert torch.equal(tags[0, :3], same[0, :3])


def test_tagging_overfits_one_batch(spec, build, make, tiny):
    model, batch = build(config=tiny.model_copy(update={"dropout": 0.0}), num_tags=5), make.batch(spec.modalities)
    there = torch.arange(7) < batch.lengths[:, None]
    targets = (batch.targets % 5)[there]
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        logits = model.tag(batch.tokens, batch.lengths, context=model.encode(batch))[there]
        loss = F.cross_entropy(logits, targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


def test_another_picture_changes_the_tags_of_those_who_see_and_of_no_one_else(spec, build, make):
    model, batch = make.shaken(build(num_tags=5)), make.batch(("image",) if "image" in spec.modalities else ())
    other = batch if batch.image is None else replace(batch, image=batch.image.flip(-1))
    before, after = (model.tag(b.tokens, b.lengths, context=model.encode(b)) for b in (batch, other))
    assert torch.isclose(before, after).all().item() is ("image" not in spec.modalities)


def test_the_tagging_head_leaves_the_rest_of_the_weights_as_they_are_without_it(spec, build):
    plain, tagging = build(modalities=()).state_dict(), build(modalities=(), num_tags=5).state_dict()
    assert plain.keys() < tagging.keys()
    assert all(torch.equal(plain[name], tagging[name]) for name in plain)


SIZES = FeatureSizes(window=3, words=9, shapes=5, affixes=4, unknown_word=1)
FEATURES = FeatureTensors(*(torch.ones(4, 7, count, dtype=torch.long) for count in (3, 3, 6)))


def test_a_tagging_head_with_features_reads_them_and_the_whole_text(spec, build, make):
    model, batch = make.shaken(build(num_tags=5, features=SIZES)), make.batch(spec.modalities)
    context = model.encode(batch)
    tags = model.tag(batch.tokens, batch.lengths, features=FEATURES, context=context)
    assert tags.shape == (4, 7, 5)
    words = FEATURES.words.clone()
    words[0, 1] = 2
    told = model.tag(batch.tokens, batch.lengths, features=FEATURES._replace(words=words), context=context)
    assert (told != tags).any(-1).nonzero().tolist() == [[0, 1]]
    tokens = batch.tokens.clone()
    tokens[0, 2] = (tokens[0, 2] + 1) % model.vocab_size
    changed = model.tag(tokens, batch.lengths, features=FEATURES, context=context)
    assert not torch.isclose(tags[0, 0], changed[0, 0]).all()


def test_features_change_the_head_and_no_other_weight(spec, build):
    plain, told = build(num_tags=5).state_dict(), build(num_tags=5, features=SIZES).state_dict()
    rest = [name for name in plain if "tag_head" not in name]
    assert rest == [name for name in told if "tag_head" not in name]
    decoder = [name for name in rest if name in build(modalities=()).state_dict()]
    assert all(torch.equal(plain[name], told[name]) for name in decoder)


@pytest.mark.parametrize(("built", "given"), [(SIZES, None), (None, FEATURES)])
def test_features_are_for_a_head_that_reads_them_and_for_no_other(build, make, built, given):
    model, batch = build(num_tags=5, features=built), make.batch(())
    with pytest.raises(ValueError, match="features"):
        model.tag(batch.tokens, batch.lengths, features=given)


def test_tagging_without_a_head_is_refused(build):
    with pytest.raises(ValueError, match="built without a tagging head"):
        build().tag(torch.zeros(1, 2, dtype=torch.long), torch.tensor([2]))
