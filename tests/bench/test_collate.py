"""collate: what a batch holds, and what it leaves out."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from bimodal.collate import NO_LOSS, Collator
from bimodal.errors import DataError
from bimodal.schema import ModelConfig
from bimodal.tokenizer import Tokenizer, train_tokenizer
from bimodal.types import Example


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return train_tokenizer(["red square", "blue square", "say red"], 300)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    Image.new("RGB", (16, 16), "red").save(tmp_path / "red.png")
    return [Example("a", "", "red square", image=tmp_path / "red.png"), Example("b", "", "blue")]


def collator(words: Tokenizer, *, sees: bool = True, prompt: str = "") -> Collator:
    config = ModelConfig.model_validate({"name": "m", "max_positions": 32, "image": {"image_size": 16}})
    return Collator.create(words, lambda example: prompt, config, ("image",) if sees else ())


def test_the_target_and_the_end_are_predicted_and_the_prompt_is_not(words: Tokenizer, examples: list[Example]) -> None:
    made = collator(words, prompt="say ")
    row = made.encode(examples[0])
    batch = made.training_batch([row])
    prompt = [words.begin, *words.encode("say ")]
    target = [*words.encode("red square"), words.end]
    assert batch.tokens[0].tolist() == [*prompt, *target[:-1]]
    assert batch.targets[0].tolist() == [*[NO_LOSS] * (len(prompt) - 1), *target]


def test_with_a_loss_on_the_prompt_all_but_the_first_token_is_predicted(
    words: Tokenizer, examples: list[Example]
) -> None:
    made = collator(words, prompt="say ")
    rows = [made.encode(example) for example in examples]
    batch = made.training_batch(rows, prompt_loss=True)
    for index, row in enumerate(rows):
        assert batch.targets[index, : row.whole_length].tolist() == list(row.tokens[1:])
    assert int((batch.targets != NO_LOSS).sum()) == sum(row.whole_length for row in rows)


def test_shorter_rows_are_padded_without_a_loss(words: Tokenizer, examples: list[Example]) -> None:
    made = collator(words)
    rows = [made.encode(example) for example in examples]
    batch = made.training_batch(rows)
    assert batch.lengths.tolist() == [len(row.tokens) - 1 for row in rows]
    for index, length in enumerate(batch.lengths.tolist()):
        assert torch.all(batch.tokens[index, length:] == words.pad)
        assert torch.all(batch.targets[index, length:] == NO_LOSS)


def test_a_text_only_contestant_gets_the_same_text_and_no_picture(words: Tokenizer, examples: list[Example]) -> None:
    seeing, blind = collator(words), collator(words, sees=False)
    with_picture = seeing.training_batch([seeing.encode(e) for e in examples])
    without = blind.training_batch([blind.encode(e) for e in examples])
    assert torch.equal(with_picture.tokens, without.tokens)
    assert torch.equal(with_picture.targets, without.targets)
    assert without.image is None


def test_a_row_without_a_picture_is_marked(words: Tokenizer, examples: list[Example]) -> None:
    made = collator(words)
    batch = made.training_batch([made.encode(e) for e in examples])
    assert batch.image is not None
    assert batch.image_mask is not None
    assert batch.image_mask.tolist() == [True, False]
    whole = made.training_batch([made.encode(examples[0])])
    assert whole.image_mask is None


def test_a_prompt_batch_ends_before_the_target(words: Tokenizer, examples: list[Example]) -> None:
    made = collator(words, prompt="say ")
    batch = made.prompt_batch([made.encode(examples[0])])
    assert batch.tokens[0].tolist() == [words.begin, *words.encode("say ")]


def test_a_text_that_does_not_fit_is_an_error_not_a_cut(words: Tokenizer) -> None:
    long = Example("long", "", "q" * 40)
    needed = len(words.encode(long.target)) + 1  # beginning of text, target
    message = f"'long' needs {needed} positions; the model has 32.*--set model.max_positions={needed}"
    with pytest.raises(DataError, match=message):
        collator(words).encode(long)
