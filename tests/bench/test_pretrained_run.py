"""`--set model.init=...`: both contestants start from a Hugging Face GPT-2 and its tokenizer, end to end."""

from pathlib import Path

import pytest
import torch

from bimodal.publish import load_run
from bimodal.tokenizer import train_tokenizer

from .conftest import Bench

VOCAB_SIZE = 261


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small random GPT-2 in the layout of a hub repository."""
    from transformers import GPT2Config, GPT2LMHeadModel

    words = train_tokenizer(["man", "woman medium skin tone", "flag"], VOCAB_SIZE)
    assert words.vocab_size == VOCAB_SIZE
    torch.manual_seed(0)
    ends = {"bos_token_id": words.begin, "eos_token_id": words.end}
    config = GPT2Config(vocab_size=VOCAB_SIZE, n_positions=80, n_embd=128, n_layer=1, n_head=2, **ends)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    words.save(tmp_path / "gpt2" / "tokenizer.json")
    return tmp_path / "gpt2"


def test_both_contestants_start_from_the_checkpoint(bench: Bench, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = ("--task", "captioning", "--preset", "smoke", "--set", f"model.init={checkpoint}", "--out", folder)
    done = bench("run", *arguments, "--set", "train.max_steps=2", "--set", "train.epochs=1")
    assert done.returncode == 0, done.stderr
    parameters = [result.cost.parameters for result in load_run(folder).results if result.cost]
    by_hand = VOCAB_SIZE * 128 + 80 * 128 + 12 * 128**2 + 13 * 128 + 2 * 128
    assert parameters[0] == by_hand
    assert parameters[1] > by_hand


def test_a_checkpoint_cut_short_fails_the_cells_with_its_name(bench: Bench, checkpoint: Path, tmp_path: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    arguments = ("--task", "captioning", "--model", "gpt", "--preset", "smoke", "--out", tmp_path / "run")
    done = bench("run", *arguments, "--set", f"model.init={checkpoint}")
    assert done.returncode == 1
    assert str(weights) in done.stderr
    assert "Traceback" not in done.stderr
