from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from bimodal.generate import generate, sample
from bimodal.schema import DecodeConfig, ImageEncoderConfig, ModelConfig
from bimodal.types import Batch
from bimodal_models import gpt, multimodal

END = 0
VOCAB_SIZE = 13

# Tensors this small only wait for each other on several threads.
torch.set_num_threads(1)


@dataclass(frozen=True)
class LastTokens:
    """A cache that remembers what a bigram model needs, and how often rows were fed."""

    token: Tensor
    lengths: Tensor
    room: int

    def select(self, rows: Tensor) -> "LastTokens":
        return LastTokens(self.token[rows], self.lengths[rows], self.room)


class Bigram:
    """A contestant made by hand: `table[token]` are the probabilities of the next one."""

    def __init__(self, table: list[list[float]], max_positions: int = 32) -> None:
        self.config = ModelConfig(name="bigram", max_positions=max_positions)
        self.log_table = torch.tensor(table).log()
        self.vocab_size = len(table)
        self.rows_fed: list[int] = []

    def prefill(self, tokens, lengths, *, max_length, context=None):
        assert tokens.shape[1] <= max_length <= self.config.max_positions
        last = tokens[torch.arange(len(lengths)), lengths - 1]
        return self.log_table[last], LastTokens(last, lengths, max_length)

    def decode(self, token, cache, *, context=None):
        assert int(cache.lengths.max()) < cache.room, "fed past the cache"
        self.rows_fed.append(len(token))
        return self.log_table[token], replace(cache, token=token, lengths=cache.lengths + 1)


# The likelier first step (1) leads into a flat spread; the other (2) ends surely: 0.4 beats 0.6 * 0.35.
TRAP = [
    [1.0, 0.0, 0.0, 0.0],
    [0.30, 0.0, 0.35, 0.35],
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 0.6, 0.4, 0.0],
]
# Counts 1, 2, 3, ...: a row that starts at n takes 5 - n more tokens to end.
COUNT = torch.eye(5).roll(1, dims=1).tolist()


def run(model, starts: list[int], **config) -> list[list[int]]:
    prompts = torch.tensor(starts)[:, None]
    lengths = torch.ones(len(starts), dtype=torch.long)
    return generate(model, prompts, lengths, context=None, config=DecodeConfig(**config), end_token=END)


@pytest.fixture(params=["gpt", "multimodal"])
def random_model(request):
    """Random weights, ragged prompts, pictures for the multimodal model; texts of all lengths."""
    torch.manual_seed(22)
    config = ModelConfig(
        name="tiny",
        num_layers=2,
        num_heads=2,
        embed_dim=16,
        max_positions=20,
        image=ImageEncoderConfig(image_size=8, patch_size=4, embed_dim=8, num_layers=1, num_heads=2),
    )
    build = {"gpt": gpt.build, "multimodal": multimodal.build}[request.param]
    model = build(config, vocab_size=VOCAB_SIZE, kernel="sdpa", modalities=("image",)).eval()
    lengths = torch.tensor([1, 4, 2, 6, 3, 1, 6, 5])
    batch = Batch(
        tokens=torch.randint(VOCAB_SIZE, (8, 6)),
        targets=torch.zeros(8, 6, dtype=torch.long),
        lengths=lengths,
        image=torch.randn(8, 3, 8, 8),
        image_mask=torch.arange(8) != 2,
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.4 * torch.randn(weight.shape)
        return model, batch, model.encode(batch)


def write(random_model, rows=None, seed: int = 0, **config) -> list[list[int]]:
    model, batch, context = random_model
    rows = torch.arange(8) if rows is None else torch.tensor(rows)
    return generate(
        model,
        batch.tokens[rows],
        batch.lengths[rows],
        context=None if context is None else context.select(rows),
        config=DecodeConfig(**{"max_new_tokens": 10} | config),
        end_token=END,
        generator=torch.Generator().manual_seed(seed),
    )


@torch.no_grad()
def test_greedy_takes_the_likeliest_token_of_the_full_forward(random_model):
    model, batch, context = random_model
    texts = write(random_model)
    assert len({len(text) for text in texts}) > 3
    for row, text in enumerate(texts):
        tokens = batch.tokens[row, : batch.lengths[row]].tolist()
        only = None if context is None else context.select(torch.tensor([row]))
        expected = []
        while len(expected) < 10 and END not in expected:
            logits = model.logits(model.hidden(torch.tensor([tokens + expected]), context=only))
            expected.append(int(logits[0, -1].argmax()))
        assert text == expected


@pytest.mark.parametrize(
    "config",
    [
        {"strategy": "beam", "beam_size": 1},
        {"strategy": "sample", "top_k": 1},
        {"strategy": "sample", "top_p": 1e-6},
        {"strategy": "sample", "temperature": 1e-4},
    ],
    ids=str,
)
def test_is_greedy_at_its_limit(random_model, config):
    assert write(random_model, **config) == write(random_model)


@pytest.mark.parametrize(
    "config", [{}, {"strategy": "beam"}, {"strategy": "beam", "beam_size": 3, "length_penalty": 0.0}], ids=str
)
def test_a_batch_writes_what_its_rows_alone_write(random_model, config):
    assert write(random_model, **config) == [write(random_model, [row], **config)[0] for row in range(8)]


def test_sampling_repeats_with_its_seed_and_changes_with_another(random_model):
    first = write(random_model, strategy="sample", seed=1)
    assert write(random_model, strategy="sample", seed=1) == first
    assert write(random_model, strategy="sample", seed=2) != first


def test_beam_search_finds_a_likelier_text_than_greedy():
    assert run(Bigram(TRAP), [3]) == [[1, 2, END]]  # 0.6 * 0.35 * 1
    assert run(Bigram(TRAP), [3], strategy="beam", beam_size=2, length_penalty=0.0) == [[2, END]]  # 0.4


@torch.no_grad()
def test_wide_beam_finds_the_likeliest_of_all_texts(random_model):
    """Every text of up to three tokens, by brute force."""
    model, batch, context = random_model
    every = torch.cartesian_prod(*[torch.arange(VOCAB_SIZE)] * 3)
    expected = []
    for row, length in enumerate(batch.lengths.tolist()):
        tokens = torch.cat([batch.tokens[row, :length].expand(len(every), length), every], dim=1)
        only = None if context is None else context.select(torch.full((len(every),), row))
        states = model.hidden(tokens, context=only)[:, length - 1 : -1]
        steps = model.logits(states).log_softmax(-1).gather(2, every[:, :, None]).squeeze(2)
        texts = {}
        for text, step in zip(every.tolist(), steps.tolist(), strict=True):
            used = text.index(END) + 1 if END in text else 3
            texts[tuple(text[:used])] = sum(step[:used]) / used**0.7
        expected.append(list(max(texts, key=texts.get)))
    beam = {"strategy": "beam", "beam_size": VOCAB_SIZE**2, "length_penalty": 0.7, "max_new_tokens": 3}
    assert write(random_model, **beam) == expected


def test_a_text_that_ends_does_not_use_up_a_beam():
    # From 1 the end is likeliest, and both 2 and 3 must stay in a beam of 2: the best text goes through 3.
    table = [[1.0, 0, 0, 0], [0.36, 0, 0.34, 0.3], [0.5, 0, 0.5, 0], [1.0, 0, 0, 0]]
    beam = {"strategy": "beam", "beam_size": 2, "length_penalty": 1.0}
    assert run(Bigram(table), [1], **beam) == [[3, END]]


def test_length_penalty_favours_longer_texts():
    # Ends at once with 0.5, or after three steps with 0.5 * 0.9 * 0.9.
    table = [[1.0, 0, 0, 0], [0.5, 0, 0.5, 0], [0.1, 0, 0, 0.9], [0.9, 0.1, 0, 0]]
    beam = {"strategy": "beam", "beam_size": 2}
    assert run(Bigram(table), [1], **beam, length_penalty=0.0) == [[END]]
    assert run(Bigram(table), [1], **beam, length_penalty=1.0) == [[2, 3, END]]


def test_beam_search_stops_when_no_live_text_can_win():
    # The end is sure enough that nothing unfinished can catch up, though the others never end.
    model = Bigram([[1.0, 0, 0], [0.9, 0.05, 0.05], [0.0, 0.5, 0.5]])
    assert run(model, [1], strategy="beam", beam_size=2, length_penalty=0.0, max_new_tokens=30) == [[END]]
    assert model.rows_fed == []


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sample"])
def test_texts_end_with_the_end_token_or_at_the_limit(strategy):
    texts = run(Bigram(COUNT), [4, 1], strategy=strategy, max_new_tokens=3)
    assert texts == [[END], [2, 3, 4]]


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sample"])
def test_stops_when_all_rows_are_done(strategy):
    model = Bigram(COUNT)
    assert run(model, [4, 3], strategy=strategy, max_new_tokens=30) == [[END], [4, END]]
    assert len(model.rows_fed) == 1


def test_finished_rows_leave_the_work():
    model = Bigram(COUNT)
    run(model, [4, 4, 4, 1])
    assert model.rows_fed == [1, 1, 1]


@pytest.mark.parametrize("strategy", ["greedy", "sample"])
@pytest.mark.parametrize("steps", [2, 3, 50])
def test_looking_less_often_changes_no_text(random_model, monkeypatch, strategy, steps):
    expected = write(random_model, strategy=strategy)
    assert len({len(text) for text in expected}) > 3
    monkeypatch.setattr("bimodal.generate._look_every", lambda device: steps)
    assert write(random_model, strategy=strategy) == expected


def test_looking_less_often_reads_no_more_tokens_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("bimodal.generate._look_every", lambda device: 8)
    model = Bigram(COUNT)
    assert run(model, [1, 2, 4], max_new_tokens=3) == [[2, 3, 4], [3, 4, END], [END]]
    assert model.rows_fed == [3, 3]


def test_a_few_finished_rows_stay_because_leaving_costs_a_copy():
    model = Bigram(COUNT)
    run(model, [4, 1, 1, 1, 1], max_new_tokens=8)
    assert model.rows_fed == [5, 5, 5]


@pytest.mark.parametrize("strategy", ["greedy", "beam", "sample"])
@pytest.mark.parametrize("max_new_tokens", [2, 3, 30])
def test_never_exceeds_the_positions(strategy, max_new_tokens):
    model = Bigram([[0.0, 1.0], [0.0, 1.0]], max_positions=6)
    prompts, lengths = torch.ones(5, 6, dtype=torch.long), torch.tensor([6, 5, 3, 4, 4])
    config = DecodeConfig(strategy=strategy, max_new_tokens=max_new_tokens)
    texts = generate(model, prompts, lengths, context=None, config=config, end_token=END)
    assert [len(text) for text in texts] == [min(room, max_new_tokens) for room in (0, 1, 3, 2, 2)]


def test_a_finished_row_that_stays_does_not_outgrow_the_positions():
    model = Bigram([[0.0, 1.0], [0.0, 1.0]], max_positions=6)
    prompts, lengths = torch.ones(6, 5, dtype=torch.long), torch.tensor([5, 3, 3, 3, 3, 3])
    texts = generate(model, prompts, lengths, context=None, config=DecodeConfig(), end_token=END)
    assert [len(text) for text in texts] == [1, 3, 3, 3, 3, 3]


def test_real_models_write_up_to_their_last_position(random_model):
    longest = write(random_model, strategy="sample", temperature=50.0, max_new_tokens=100)
    assert max(length + len(text) for length, text in zip([1, 4, 2, 6, 3, 1, 6, 5], longest, strict=True)) == 20


@pytest.mark.parametrize("length", [0, 33])
def test_prompt_that_does_not_fit_is_refused(length):
    with pytest.raises(ValueError, match=rf"must have 1 to 32 tokens .*, got {length} to {length}\. Cut"):
        generate(
            Bigram(COUNT),
            torch.zeros(1, 40, dtype=torch.long),
            torch.tensor([length]),
            context=None,
            config=DecodeConfig(),
            end_token=END,
        )


def test_no_prompts_give_no_texts():
    assert run(Bigram(COUNT), []) == []


def shares(**options) -> list[float]:
    """How often each token is drawn from probabilities 0.5, 0.3, 0.15, 0.05 (in shuffled order)."""
    draws = 2000
    uniform = (torch.arange(draws) + 0.5) / draws
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log().expand(draws, 4)
    settings = {"temperature": 1.0, "top_k": None, "top_p": None} | options
    return (sample(logits, uniform, **settings).bincount(minlength=4) / draws).tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.15, 0.5, 0.05, 0.3]),
        ({"top_k": 2}, [0.0, 0.625, 0.0, 0.375]),
        ({"top_p": 0.5}, [0.0, 1.0, 0.0, 0.0]),
        ({"top_p": 0.51}, [0.0, 0.625, 0.0, 0.375]),
        ({"top_p": 1.0}, [0.15, 0.5, 0.05, 0.3]),
        ({"top_k": 2, "top_p": 0.6}, [0.0, 1.0, 0.0, 0.0]),  # of the two, the first holds 0.625
        ({"temperature": 0.5}, [0.0225 / 0.365, 0.25 / 0.365, 0.0025 / 0.365, 0.09 / 0.365]),
        ({"top_k": 99}, [0.15, 0.5, 0.05, 0.3]),
    ],
    ids=str,
)
def test_sampling_draws_the_promised_shares(options, expected):
    assert shares(**options) == pytest.approx(expected, abs=2e-3)


def test_a_point_at_the_end_of_the_sum_draws_a_kept_token():
    logits = torch.tensor([[0.1, 0.2, 0.3]]).log()
    last = torch.tensor([1.0])  # beyond what torch.rand gives, but what rounding can make of it
    assert sample(logits, last, temperature=1.0, top_k=2, top_p=None).tolist() == [1]
