import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bimodal.errors import DataError, UsageError
from bimodal.tokenizer import Tokenizer, load_tokenizer, train_tokenizer

NAMES = [
    "man farmer dark skin tone",
    "woman farmer medium-dark skin tone",
    "woman playing water polo",
    "farmer",
    "red apple",
    "cat face",
] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(NAMES, 400)


@pytest.fixture
def gpt2_folder(tmp_path: Path) -> Path:
    """A folder as GPT-2's on the hub: byte-level BPE whose one special token is <|endoftext|>."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, trainers

    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(NAMES, trainer)
    backend.enable_truncation(4)
    backend.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": "<|endoftext|>", "eos_token": {"content": "<|endoftext|>"}, "pad_token": None})
    )
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "farmer",
        " farmer",
        "  farmer  ",
        "São Tomé & Príncipe",
        "👩🏿\u200d🌾 日本\u0301\x00\r\n\t",
        "<|end|> <|begin|><|pad|>",
    ],
)
def test_texts_come_back_whole(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@cache
def _small() -> Tokenizer:
    """For hypothesis, which does not mix with fixtures."""
    return train_tokenizer(NAMES, 400)


@given(st.text())
def test_any_text_comes_back_whole(text: str) -> None:
    assert _small().decode(_small().encode(text)) == text


def test_a_word_is_the_same_tokens_first_and_later(tokenizer: Tokenizer) -> None:
    farmer = tokenizer.encode("farmer")
    assert tokenizer.encode("man farmer")[-len(farmer) :] == farmer


def test_a_target_continues_a_prompt_as_a_new_word(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("man") + tokenizer.encode("farmer") == tokenizer.encode("man farmer")


def test_frequent_words_become_one_token(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("farmer dark skin tone")) == 4


def test_special_tokens_in_a_text_are_text(tokenizer: Tokenizer) -> None:
    special = {tokenizer.begin, tokenizer.end, tokenizer.pad}
    assert len(special) == 3
    assert not special & set(tokenizer.encode("<|end|><|begin|><|pad|>"))


def test_decoding_skips_special_tokens(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.begin, *tokenizer.encode("red apple"), tokenizer.end, tokenizer.pad]
    assert tokenizer.decode(ids) == "red apple"


def test_decoding_half_a_character_does_not_fail(tokenizer: Tokenizer) -> None:
    assert "\ufffd" in tokenizer.decode(tokenizer.encode("日")[:-1])


def test_ids_are_below_the_vocabulary_size(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("".join(map(chr, range(0x300))))
    assert max(ids) < tokenizer.vocab_size <= 400


def test_the_vocabulary_is_smaller_where_nothing_is_left_to_merge() -> None:
    assert train_tokenizer(["ab", "ab"], 10_000).vocab_size < 270


def test_a_vocabulary_without_room_for_the_bytes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.vocab_size is 258; .* at least 259 \(256 bytes and 3"):
        train_tokenizer(NAMES, 258)


def test_training_is_repeatable_in_another_process(tokenizer: Tokenizer) -> None:
    code = (
        "import sys, json; from bimodal.tokenizer import train_tokenizer\n"
        "print(train_tokenizer(json.loads(sys.argv[1]), 400).fingerprint)"
    )
    command = [sys.executable, "-c", code, json.dumps(NAMES)]
    fingerprints = {subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() for _ in "ab"}
    assert fingerprints == {tokenizer.fingerprint}


def test_other_texts_give_another_fingerprint(tokenizer: Tokenizer) -> None:
    assert train_tokenizer([*NAMES, "zebra", "zebra"], 400).fingerprint != tokenizer.fingerprint


def test_saving_and_loading_keep_everything(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "checkpoint" / "tokenizer.json")
    for loaded in (
        Tokenizer.load(tmp_path / "checkpoint" / "tokenizer.json"),
        load_tokenizer(str(tmp_path / "checkpoint")),
        load_tokenizer(str(tmp_path / "checkpoint" / "tokenizer.json")),
    ):
        assert loaded.fingerprint == tokenizer.fingerprint
        assert (loaded.begin, loaded.end, loaded.pad) == (tokenizer.begin, tokenizer.end, tokenizer.pad)
        assert loaded.vocab_size == tokenizer.vocab_size
        assert loaded.encode("man <|end|> farmer") == tokenizer.encode("man <|end|> farmer")


def test_the_file_opens_in_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer.save(tmp_path / "tokenizer.json")
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    assert theirs.encode(" woman farmer", add_special_tokens=False) == tokenizer.encode("woman farmer")


def test_gpt2_uses_its_one_special_token_for_everything(gpt2_folder: Path) -> None:
    loaded = load_tokenizer(str(gpt2_folder))
    assert loaded.begin == loaded.end == loaded.pad == 0
    assert loaded.decode(loaded.encode("<|endoftext|> " * 9)) == "<|endoftext|> " * 9  # text, and never truncated


def test_well_known_names_serve_where_no_config_names_them(gpt2_folder: Path) -> None:
    (gpt2_folder / "tokenizer_config.json").unlink()
    assert load_tokenizer(str(gpt2_folder)).end == 0


def test_a_folder_without_tokenizer_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no tokenizer\.json\. Save one there with AutoTokenizer"):
        load_tokenizer(str(tmp_path))


def test_an_unknown_hub_id_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def fail(source: str) -> None:
        raise OSError(f"{source} is not a local folder and is not a valid model identifier\nand more")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(UsageError, match=r"No tokenizer at 'nobody/nothing'.*identifier\)\. Check the name"):
        load_tokenizer("nobody/nothing")


def test_a_hub_tokenizer_keeps_its_special_tokens(gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(gpt2_folder / "tokenizer.json"), bos_token="!", eos_token="<|endoftext|>"
    )
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda source: theirs)
    loaded = load_tokenizer("somebody/something")
    assert (loaded.begin, loaded.end, loaded.pad) == (theirs.bos_token_id, 0, 0)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(DataError, match=r"tokenizer\.json is not a tokenizer\.json: "):
        load_tokenizer(str(tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tokenizer\.json does not exist"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_a_tokenizer_that_changes_texts_is_refused(gpt2_folder: Path) -> None:
    path = gpt2_folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"normalizer": {"type": "Lowercase"}}))
    with pytest.raises(UsageError, match=r"changes texts: .*tokenizer\.source=train"):
        load_tokenizer(str(gpt2_folder))


def test_a_tokenizer_without_an_end_is_refused(gpt2_folder: Path) -> None:
    path = gpt2_folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<|endoftext|>", "<|nothing|>"))
    (gpt2_folder / "tokenizer_config.json").unlink()
    with pytest.raises(UsageError, match="has no end-of-text token"):
        load_tokenizer(str(gpt2_folder))
