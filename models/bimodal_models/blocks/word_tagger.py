"""A tagging head that reads features of words and their neighbours beside the decoder's states."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.word_features import FeatureSizes, FeatureTensors

WORD_DIM, SHAPE_DIM, AFFIX_DIM, HIDDEN_DIM = 64, 16, 64, 128
_DROPOUT = 0.5
"""On all that the hidden layer reads and makes. Source: Lample et al. 2016, sec. 5.1 (0.5, at the same place)."""
_UNKNOWN_RATE = 0.2
"""How many words are taken for unknown while training, so that surroundings and affixes are learnt to be read, too.
Source: Lample et al. 2016, sec. 4.1 (half of those seen once)."""
_EMBEDDING_STD = 0.3


class WordTagger(nn.Module):
    """One hidden layer over a window of word embeddings, the word's affixes, and its decoder state.

    The window teaches what stands around a name sooner than attention does; the state says what no window can: what is
    far away, what the picture shows, and what pretrained weights know.

    Args:
        state_dim: width of the decoder.
        num_tags: number of tags.
        sizes: what the features' indices may be.

    Source: Collobert et al. 2011, Natural Language Processing (Almost) from Scratch, sec. 3.3.1 and 4.5.
    """

    def __init__(self, state_dim: int, num_tags: int, sizes: FeatureSizes) -> None:
        super().__init__()
        self.unknown_word = sizes.unknown_word
        self.word = nn.Embedding(sizes.words, WORD_DIM)
        self.shape = nn.Embedding(sizes.shapes, SHAPE_DIM)
        self.affix = nn.Embedding(sizes.affixes, AFFIX_DIM)
        self.hidden = nn.Linear(sizes.window * (WORD_DIM + SHAPE_DIM) + AFFIX_DIM + state_dim, HIDDEN_DIM)
        self.out = nn.Linear(HIDDEN_DIM, num_tags)
        # Of the size of what dropout leaves of them: with GPT-2's 0.02 the states, of size 1, would drown them.
        for table in (self.word, self.affix):
            nn.init.normal_(table.weight, std=_EMBEDDING_STD)

    def forward(
        self, states: Float[Tensor, "batch position state_dim"], features: FeatureTensors
    ) -> Float[Tensor, "batch position num_tags"]:
        """Tag logits; they mean something where a word's first token stands."""
        read = [
            self.word(self._some_unknown(features.words)).flatten(-2),
            self.shape(features.shapes).flatten(-2),
            self.affix(features.affixes).sum(-2),
            states,
        ]
        hidden = F.gelu(self.hidden(self._dropped(torch.cat(read, -1))))
        return self.out(self._dropped(hidden))  # type: ignore[no-any-return]

    def _some_unknown(self, words: Tensor) -> Tensor:
        if not self.training:
            return words
        chosen = torch.rand(words.shape, device=words.device) < _UNKNOWN_RATE
        return words.masked_fill(chosen & (words > 0), self.unknown_word)

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, _DROPOUT, self.training)
