"""Text to tokens and back, without loss.

Byte-level BPE (Sennrich et al. 2016, sec. 3.2, over bytes as in Radford et al. 2019, sec. 2.2): every text
can be spelled, so a score per byte of the target means the same for every vocabulary.

**The leading space.** Byte-level BPE knows a word at the beginning of a text and the same word after a
space as different tokens. Here every non-empty text is encoded as if one space stood before it, and
decoding takes exactly one away. So a word is the same token wherever it stands, a target continues a prompt
as a new word, and nothing is lost: a text that begins with a space itself is encoded with two. (The
library's own `add_prefix_space` adds one only where none is, and could not tell "cat" from " cat"
afterwards.)

**Special tokens** are ids only. A text that happens to hold `<|end|>` is spelled byte by byte, like any
other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bimodal.errors import DataError, UsageError
from bimodal.files import write_text

if TYPE_CHECKING:
    import tokenizers

BYTES = 256
PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
_FILE = "tokenizer.json"
_PROBE = "  Ünï¢ode\u0301 \u2028 naïve 日本 👩🏿\u200d🌾\tx\n <|end|> <|endoftext|> \x00 "


@dataclass(frozen=True, slots=True, eq=False)
class Tokenizer:
    """Texts as sequences of ids. Make one with `train_tokenizer`, `load_tokenizer` or `Tokenizer.load`."""

    vocab_size: int
    """Number of ids, special tokens included."""
    begin: int
    """Id that stands before every text."""
    end: int
    """Id that ends every text."""
    pad: int
    """Id that fills rows up; may equal `end`, as in GPT-2's tokenizer."""
    _backend: tokenizers.Tokenizer = field(repr=False)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without begin and end; none for the empty text."""
        return list(self._backend.encode(f" {text}", add_special_tokens=False).ids) if text else []

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special ones are skipped, and bytes that are no UTF-8 become U+FFFD."""
        kept = [token for token in ids if token not in {self.begin, self.end, self.pad}]
        text: str = self._backend.decode(kept, skip_special_tokens=False)
        return text.removeprefix(" ")

    @property
    def fingerprint(self) -> str:
        """sha256 over vocabulary, merges, rules and special tokens."""
        return hashlib.sha256(self._serialised().encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write a `tokenizer.json` in the format of the `tokenizers` library; raises StorageError."""
        write_text(path, self._serialised())

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read a `tokenizer.json`, of `save` or of another program.

        Raises:
            DataError: the file is missing, damaged, or has no token that could end a text.
            UsageError: its tokenizer changes texts.
        """
        import tokenizers

        try:
            backend = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(f"{path} does not exist.") from error
        except Exception as error:  # the library raises nothing more specific
            raise DataError(f"{path} is not a tokenizer.json: {error}") from error
        return _wrap(backend, _special_tokens(path), str(path))

    def _serialised(self) -> str:
        # Written again with sorted keys: the library promises no order.
        content = json.loads(self._backend.to_str())
        return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn a byte-level BPE; the same texts in the same order give the same tokenizer.

    Args:
        texts: prompts and targets of the training split, and of no other.
        vocab_size: at most so many ids; fewer if the texts hold no more pairs that occur twice.

    Raises:
        UsageError: `vocab_size` has no room for the 256 bytes and the special tokens.
    """
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, trainers

    special = [PAD, BEGIN, END]
    if vocab_size < BYTES + len(special):
        raise UsageError(
            f"tokenizer.vocab_size is {vocab_size}; a byte-level tokenizer needs at least "
            f"{BYTES + len(special)} ({BYTES} bytes and {len(special)} special tokens)."
        )
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,  # a pair seen once is a name learnt by heart
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator((f" {text}" for text in texts if text), trainer)
    return _wrap(backend, _Special(begin=BEGIN, end=END, pad=PAD), "the trained tokenizer")


def load_tokenizer(source: str) -> Tokenizer:
    """The tokenizer of a pretrained model.

    Args:
        source: a `tokenizer.json`, a folder that holds one, or a Hugging Face hub id.

    Raises:
        UsageError: nothing there, or a tokenizer that changes texts (round trips are needed to score bytes).
        DataError: the file is damaged.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        if not (path / _FILE).exists():
            raise UsageError(
                f"{path} holds no {_FILE}. Save one there with AutoTokenizer.from_pretrained(...).save_pretrained(...)."
            )
        return Tokenizer.load(path / _FILE)
    if path.is_file():
        return Tokenizer.load(path)
    return _from_hub(source)


def _from_hub(source: str) -> Tokenizer:
    from transformers import AutoTokenizer

    try:
        loaded: Any = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"No tokenizer at {source!r}: no local folder or file, and the Hugging Face hub gave none "
            f"({reason}). Check the name, or the connection."
        ) from error
    backend = getattr(loaded, "backend_tokenizer", None)
    if backend is None:
        raise UsageError(f"The tokenizer {source!r} has no tokenizer.json form. Choose another one.")
    names = {"begin": loaded.bos_token, "end": loaded.eos_token, "pad": loaded.pad_token}
    return _wrap(backend, _Special(**names), source)


@dataclass(frozen=True, slots=True)
class _Special:
    """Names of the special tokens, as far as a tokenizer has them."""

    begin: str | None = None
    end: str | None = None
    pad: str | None = None


def _special_tokens(path: Path) -> _Special:
    """The special tokens that the tokenizer_config.json beside a tokenizer.json names."""
    config = path.with_name("tokenizer_config.json")
    if config.exists():
        try:
            content = json.loads(config.read_bytes())
        except ValueError as error:
            raise DataError(f"{config} is not JSON: {error}") from error
        named = [content.get(f"{name}_token") for name in ("bos", "eos", "pad")]
        return _Special(*(token.get("content") if isinstance(token, dict) else token for token in named))
    return _Special()


def _wrap(backend: tokenizers.Tokenizer, special: _Special, source: str) -> Tokenizer:
    """Check a tokenizer of the library, switch off what would change texts, and fill in special tokens.

    A missing begin or pad token is replaced by the end token, as GPT-2 does it.
    """
    backend.no_padding()
    backend.no_truncation()
    backend.encode_special_tokens = True  # "<|end|>" in a text is text
    end = _first_id(backend, special.end, END, "<|endoftext|>", "</s>")
    if end is None:
        raise UsageError(f"The tokenizer {source!r} has no end-of-text token. Use that of a decoder model.")
    begin = _first_id(backend, special.begin, BEGIN)
    pad = _first_id(backend, special.pad, PAD)
    tokenizer = Tokenizer(
        vocab_size=backend.get_vocab_size(with_added_tokens=True),
        begin=end if begin is None else begin,
        end=end,
        pad=end if pad is None else pad,
        _backend=backend,
    )
    if (found := tokenizer.decode(tokenizer.encode(_PROBE))) != _PROBE:
        raise UsageError(
            f"The tokenizer {source!r} changes texts: {_PROBE!r} comes back as {found!r}. Use a byte-level "
            "one without normalisation (GPT-2's, for example), or --set tokenizer.source=train."
        )
    return tokenizer


def _first_id(backend: tokenizers.Tokenizer, *names: str | None) -> int | None:
    ids = (backend.token_to_id(name) for name in names if name is not None)
    return next((index for index in ids if index is not None), None)
