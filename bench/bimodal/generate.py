"""Text generation: greedy, sampling and beam search, batched, on an explicit cache.

Legend: batch (prompts), row (of the work in hand: some prompts, or their beams), beam, vocab. A row is done
at its end token, after `max_new_tokens`, or where the positions end; rows that are done leave the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bimodal.schema import DecodeConfig
from bimodal.types import Cache, Contestant, Context

_COMPACT_BELOW = 0.75
"""Share of open rows below which the done ones leave the work: leaving copies the cache, which costs, too."""


@torch.no_grad()
def generate(
    model: Contestant,
    prompts: Tensor,
    lengths: Tensor,
    *,
    context: Context | None,
    config: DecodeConfig,
    end_token: int,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Continue prompts as `config` says; the model should be in evaluation mode.

    Args:
        model: who writes.
        prompts: [batch, position] int64, right-padded.
        lengths: [batch] int64, tokens per prompt, at least 1.
        context: what `model.encode` saw, for these rows; None for text alone.
        config: strategy and its numbers; a beam of one is greedy.
        end_token: the token after which a row is done.
        generator: randomness of sampling, on the CPU; None is torch's global one.

    Returns:
        New tokens per prompt, with the end token where one was written; none if the prompt fills the model.

    Raises:
        ValueError: a prompt is empty or longer than the model's positions.
    """
    if len(lengths) == 0:
        return []
    positions = model.config.max_positions
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1 or longest > positions:
        raise ValueError(
            f"Prompts must have 1 to {positions} tokens (model.max_positions), got {shortest} to {longest}. "
            "Cut the longer ones, or give the model more positions."
        )
    limits = (positions - lengths).clamp(max=config.max_new_tokens)
    room = min(longest + config.max_new_tokens, positions)
    logits, cache = model.prefill(prompts[:, :longest], lengths, max_length=room, context=context)
    work = _Work(model, cache, context)
    if config.strategy == "beam" and config.beam_size > 1:
        return _beam_search(work, logits, limits, end_token, config)
    pick = _sampler(config, len(lengths), generator) if config.strategy == "sample" else _greedy
    # A done row that stays is still fed; where that could outgrow the positions, it has to leave at once.
    may_stay = longest + config.max_new_tokens <= positions
    return _one_by_one(
        work,
        logits,
        limits.tolist(),
        end_token,
        pick,
        compact_below=_COMPACT_BELOW if may_stay else 1.0,
        look_every=_look_every(logits.device) if may_stay else 1,
    )


def _look_every(device: torch.device) -> int:
    """Steps between two looks at what was written; tokens after a text's end are thrown away."""
    return 1 if device.type == "cpu" else 8


@dataclass(slots=True)
class _Work:
    """The rows in hand: their cache and context, which change as rows leave."""

    model: Contestant
    cache: Cache
    context: Context | None

    def decode(self, token: Tensor) -> Tensor:
        """Logits [row, vocab] after one more token per row."""
        logits, self.cache = self.model.decode(token, self.cache, context=self.context)
        return logits

    def select(self, rows: Tensor, *, same_context: bool = False) -> None:
        """Go on with these rows, in this order; `same_context` where each takes one of its own prompt's."""
        self.cache = self.cache.select(rows)
        if self.context is not None and not same_context:
            self.context = self.context.select(rows)


_Pick = Callable[[Tensor, Sequence[int]], Tensor]
"""`pick(logits [row, vocab], prompts)`: the next token [row] of rows that belong to these prompts."""


def _one_by_one(
    work: _Work,
    logits: Tensor,
    limits: Sequence[int],
    end_token: int,
    pick: _Pick,
    *,
    compact_below: float,
    look_every: int,
) -> list[list[int]]:
    """One token per row and step, until all rows are done.

    Every `look_every` steps the tokens come to the host and done rows leave: that waits for the device.
    """
    written: list[list[int]] = [[] for _ in limits]
    prompts = [*range(len(limits))]  # of each row

    def left(prompt: int) -> int:
        # How many more tokens the prompt may get.
        return 0 if written[prompt][-1:] == [end_token] else limits[prompt] - len(written[prompt])

    while (steps := min(look_every, max(map(left, prompts)))) > 0:
        unseen = [pick(logits, prompts)]
        while len(unseen) < steps:
            unseen.append(pick(work.decode(unseen[-1]), prompts))
        for tokens in torch.stack(unseen).tolist():
            for prompt, token in zip(prompts, tokens, strict=True):
                if left(prompt):
                    written[prompt].append(token)
        rows = [row for row, prompt in enumerate(prompts) if left(prompt)]
        if not rows:
            break
        last = unseen[-1]
        if len(rows) < compact_below * len(prompts):
            kept = torch.tensor(rows, device=last.device)
            work.select(kept)
            last, prompts = last[kept], [prompts[row] for row in rows]
        logits = work.decode(last)
    return written


def _greedy(logits: Tensor, prompts: Sequence[int]) -> Tensor:
    return logits.argmax(dim=-1)


def _sampler(config: DecodeConfig, num_prompts: int, generator: torch.Generator | None) -> _Pick:
    def pick(logits: Tensor, prompts: Sequence[int]) -> Tensor:
        # One number for every prompt, done or not: a text does not depend on when other rows leave the work.
        uniform = torch.rand(num_prompts, generator=generator)[list(prompts)]
        token = sample(logits, uniform, temperature=config.temperature, top_k=config.top_k, top_p=config.top_p)
        return token.to(logits.device)

    return pick


def sample(logits: Tensor, uniform: Tensor, *, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Draw a token [row] per row of logits [row, vocab] from uniform numbers [row] in [0, 1), on the CPU.

    Temperature first, then the top_k likeliest tokens, then of these the fewest that hold top_p of the
    probability; at least one stays. Drawn by inverting the distribution function, likeliest token first.

    Source: top-k: Fan et al. 2018, sec. 5.4; top-p (nucleus): Holtzman et al. 2020, sec. 3.1.
    """
    ordered, tokens = (logits.float().cpu() / temperature).sort(dim=-1, descending=True, stable=True)
    weights = ordered[:, :top_k].softmax(dim=-1)
    if top_p is not None:
        before = weights.cumsum(dim=-1) - weights
        weights = weights.masked_fill(before >= top_p, 0.0)
    cumulative = weights.cumsum(dim=-1)
    rank = (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(dim=-1)
    # Rounding can put the drawn point at the very end of the sum.
    rank = rank.minimum((weights > 0).sum(dim=-1) - 1)
    return tokens.gather(1, rank[:, None]).squeeze(1)


def _beam_search(work: _Work, logits: Tensor, limits: Tensor, end_token: int, config: DecodeConfig) -> list[list[int]]:
    """Keep the `beam_size` likeliest unfinished texts per prompt; return the best finished or longest one.

    A text's score is its log-probability / length ** length_penalty, the end token counted. A prompt is done
    when no unfinished text can still beat its best: log-probabilities only fall, so log-probability /
    longest possible length ** length_penalty bounds what one can reach.

    Source: Sutskever et al. 2014, sec. 3.2; Wu et al. 2016, sec. 7 (length normalisation).
    """
    width, vocab = config.beam_size, logits.shape[1]
    best_text: list[list[int]] = [[] for _ in range(len(limits))]
    best_score = torch.full((len(limits),), -torch.inf, device=limits.device)  # [batch]
    prompt = (limits > 0).nonzero().flatten()  # [open prompt]: those still in the work
    beams = torch.zeros(len(prompt), width, dtype=torch.long, device=limits.device) + prompt[:, None]
    logits = logits[beams.flatten()]
    work.select(beams.flatten())
    # All beams start as the same prompt: only the first may be continued.
    score = torch.full((len(prompt), width), -torch.inf, device=limits.device)
    score[:, 0] = 0.0
    texts = beams.new_zeros(len(prompt), width, 0)  # [open prompt, beam, step]
    step = 0

    def record(candidates: Tensor, at: Tensor, ending: list[int]) -> None:
        # Keep texts[i, at[i]] + ending where candidates[i] is the best so far.
        for i in (candidates > best_score[prompt]).nonzero().flatten().tolist():
            best_score[prompt[i]] = candidates[i]
            best_text[int(prompt[i])] = [*texts[i, at[i]].tolist(), *ending]

    while len(prompt):
        step += 1
        norm = step**config.length_penalty
        grown = score[:, :, None] + logits.float().log_softmax(dim=-1).view(-1, width, vocab)
        ended = grown[:, :, end_token].max(dim=1)  # ending does not use up a beam: the best end of all counts
        record(ended.values / norm, ended.indices, [end_token])
        grown[:, :, end_token] = -torch.inf
        score, index = grown.flatten(1).topk(width)
        parent, token = index // vocab, index % vocab
        texts = torch.cat([texts.gather(1, parent[:, :, None].expand_as(texts)), token[:, :, None]], dim=2)
        at_limit = limits[prompt] == step
        first = torch.zeros_like(prompt)
        record((score[:, 0] / norm).masked_fill(~at_limit, -torch.inf), first, [])
        bound = score[:, 0] / limits[prompt] ** config.length_penalty
        going = (~at_limit & (best_score[prompt] < bound)).nonzero().flatten()
        rows = (going[:, None] * width + parent[going]).flatten()
        all_go = len(going) == len(prompt)
        score, texts, token, prompt = score[going], texts[going], token[going], prompt[going]
        if len(prompt):
            work.select(rows, same_context=all_go)
            logits = work.decode(token.flatten())
    return best_text
