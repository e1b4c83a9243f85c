"""Tagging from end to end on a toy: words and their tokens, the batch, learning, predicting, timing."""

from pathlib import Path

import pytest
import torch

from bimodal import store
from bimodal.alignment import align
from bimodal.collate import NO_LOSS, Collator
from bimodal.errors import DataError
from bimodal.likelihood import target_bits
from bimodal.measure.requests import answer, answer_batch
from bimodal.predict import predict
from bimodal.schema import DecodeConfig, ModelConfig, TrainConfig
from bimodal.tags import tag_names, tagged_example
from bimodal.tokenizer import Tokenizer, train_tokenizer
from bimodal.train import finetune
from bimodal.types import Example
from bimodal_models.gpt import MODEL

CPU = torch.device("cpu")
SENTENCES = [
    tagged_example("a", ["Ann", "Lee", "lives", "in", "Rome", "."], ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]),
    tagged_example("b", ["Rome", "likes", "unpronounceability", "."], ["B-LOC", "O", "O", "O"]),
    tagged_example("c", ["Nobody", "came", "."], ["O", "O", "O"]),
]


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return train_tokenizer(["Ann Lee lives in Rome .", "Rome likes Ann Lee ."] * 2, 320)


def collator(words: Tokenizer, max_positions: int = 48) -> Collator:
    config = ModelConfig(name="gpt", max_positions=max_positions)
    return Collator.create(words, lambda example: example.text, config, (), tag_names(SENTENCES))


@pytest.mark.parametrize("text", ["Ann Lee lives in Rome .", "Ünï 日本 👩🏿\u200d🌾 don't 10\u00a0000", "a"])
def test_words_encoded_alone_give_the_tokens_of_the_sentence(words: Tokenizer, text: str) -> None:
    ids, starts = align(words, text.split(" "))
    assert list(ids) == words.encode(text)
    ends = [*starts[1:], len(ids)]
    assert [words.decode(ids[a:b]) for a, b in zip(starts, ends, strict=True)] == text.split(" ")


def test_the_tag_stands_at_the_first_token_of_its_word_and_nowhere_else(words: Tokenizer) -> None:
    made = collator(words)
    row = made.encode(SENTENCES[1])
    batch = made.training_batch([row, made.encode(SENTENCES[0])])
    long_word = words.encode("unpronounceability")
    assert len(long_word) > 1
    expected = [NO_LOSS] * batch.targets.shape[1]
    names = made.tag_names
    position = 1  # after the beginning-of-text token
    for word, tag in zip(SENTENCES[1].text.split(), SENTENCES[1].tags or (), strict=True):
        expected[position] = names.index(tag)
        position += len(words.encode(word))
    assert batch.targets[0].tolist() == expected
    assert batch.kind == "tag"
    assert row.target_length == 4


def test_a_sentence_that_does_not_fit_is_refused_and_never_cut(words: Tokenizer) -> None:
    needed = 1 + len(words.encode(SENTENCES[0].text))
    assert collator(words, needed).encode(SENTENCES[0]).tags
    with pytest.raises(DataError, match=rf"Example 'a' needs {needed} positions; the model has {needed - 1}"):
        collator(words, needed - 1).encode(SENTENCES[0])


def test_an_empty_sentence_is_refused(words: Tokenizer) -> None:
    with pytest.raises(DataError, match=r"Example 'e' .*at least one word"):
        collator(words).encode(Example("e", "", "", tags=()))


@pytest.fixture(scope="module")
def learnt(words: Tokenizer, tmp_path_factory: pytest.TempPathFactory):
    made = collator(words)
    config = ModelConfig(name="gpt", embed_dim=32, num_heads=2, num_layers=1, max_positions=48, dropout=0.0)
    torch.manual_seed(0)
    model = MODEL.build(config, vocab_size=words.vocab_size, kernel="sdpa", modalities=(), num_tags=len(made.tag_names))
    rows = [made.encode(example) for example in SENTENCES]
    summary, cost = finetune(
        model,
        made,
        rows,
        rows,
        TrainConfig(epochs=60, batch_size=3, learning_rate=1e-2, evaluations=2),
        seed=0,
        device=CPU,
        files=store.CellDirectory(Path(tmp_path_factory.mktemp("cell"))),
        progress=lambda *_: None,
    )
    return model, made, rows, summary, cost


def test_it_learns_the_tags_by_heart(learnt) -> None:
    model, made, rows, summary, cost = learnt
    found = predict(model, made, rows, DecodeConfig(), seed=0, device=CPU, progress=lambda *_: None)
    assert [prediction.tags for prediction in found] == [example.tags for example in SENTENCES]
    assert found[0].text == "[PER Ann Lee] lives in [LOC Rome] ."
    assert summary.validation_unit == "bits/tag"
    assert cost.target_tokens == 60 * (6 + 4 + 3)


def test_bits_of_the_tags_do_not_depend_on_the_batch(learnt) -> None:
    model, made, rows, summary, _ = learnt
    together = target_bits(model, made, rows, CPU)
    alone = [target_bits(model, made, [row], CPU)[0] for row in rows]
    assert together == pytest.approx(alone, rel=1e-4)
    assert sum(together) / 13 == pytest.approx(summary.best_validation_bits, rel=1e-4)


def test_timing_has_a_prefill_and_no_decoding(learnt) -> None:
    model, made, rows, _, _ = learnt
    found = answer(model, made, rows[0], 8, device=CPU)
    assert found.prefill_ms > 0
    assert found.decode_ms == 0
    assert (found.tokens, found.text) == (6, "[PER Ann Lee] lives in [LOC Rome] .")
    batch = answer_batch(model, made, rows, DecodeConfig(), device=CPU)
    assert (batch.tokens, batch.texts[0]) == (13, found.text)
