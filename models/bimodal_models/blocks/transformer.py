"""The pre-LN Transformer block that decoder and encoders share, and how its weights start."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.parts import part
from bimodal_kernels import sublayers, training
from bimodal_models.blocks.attention import Attention, Filled, KeyValue, Store
from bimodal_models.blocks.cross_attention import GatedCrossAttention
from bimodal_models.blocks.dropout import Dropout
from bimodal_models.blocks.plain import linear_of, norm_of, untouched


@dataclass(frozen=True, slots=True)
class BlockConfig:
    """The numbers of one block."""

    embed_dim: int
    num_heads: int
    mlp_dim: int | None
    """Hidden width of the feed-forward layer; None is 4 * embed_dim."""
    dropout: float
    layer_norm_eps: float
    activation: Literal["none", "tanh"]
    """Approximation of GELU: `none` (exact, ViT and Whisper) or `tanh` (GPT-2)."""
    key_bias: bool = True


class MLP(nn.Module):
    """Two linear layers with a GELU between them; `kernel` as for attention."""

    def __init__(
        self, embed_dim: int, hidden_dim: int, *, activation: Literal["none", "tanh"], kernel: str = "sdpa"
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.up = nn.Linear(embed_dim, hidden_dim)
        self.activation = nn.GELU(approximate=activation)
        self.down = nn.Linear(hidden_dim, embed_dim)

    def forward(self, x: Float[Tensor, "batch position embed_dim"]) -> Float[Tensor, "batch position embed_dim"]:
        """Down(GELU(up(x))), position by position."""
        if self._is_plain() and training.serves(self.kernel, x) and not torch.is_autocast_enabled("cpu"):
            hidden = training.bias_gelu(
                F.linear(x, self.up.weight), self.up.bias, tanh=self.activation.approximate == "tanh"
            )
        else:
            hidden = self.activation(self.up(x))
        return self.down(hidden)  # type: ignore[no-any-return]

    def _is_plain(self) -> bool:
        # Not so once somebody has put something else in place, such as an adapter or int8 weights.
        return type(self.up) is nn.Linear and type(self.activation) is nn.GELU


_PLAIN = (nn.LayerNorm, nn.LayerNorm, *4 * (nn.Linear,), Attention, MLP, nn.GELU, Dropout)


class Block(nn.Module):
    """Self-attention, cross-attention where one was attached, feed-forward: each on a normalised residual.

    Source: Radford et al. 2019, sec. 2.3 (layer norm at the input of each sub-block).
    """

    def __init__(self, config: BlockConfig, *, kernel: str) -> None:
        super().__init__()
        width, eps = config.embed_dim, config.layer_norm_eps
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.attention = Attention(width, config.num_heads, kernel=kernel, key_bias=config.key_bias)
        self.cross: GatedCrossAttention | None = None
        self.mlp_norm = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, config.mlp_dim or 4 * width, activation=config.activation, kernel=kernel)
        self.dropout = Dropout(config.dropout, kernel=kernel)

    def forward(
        self,
        x: Float[Tensor, "batch position embed_dim"],
        *,
        causal: bool = False,
        key_padding_mask: Bool[Tensor, "batch key"] | None = None,
        store: Store | None = None,
        filled: Filled | None = None,
        rotations: Float[Tensor, "#batch position pair 2"] | None = None,
        memory: KeyValue | None = None,
        memory_mask: Bool[Tensor, "batch memory"] | None = None,
    ) -> Float[Tensor, "batch position embed_dim"]:
        """One step of the residual stream; without a memory the cross-attention is skipped."""
        native = self._trains_plainly(x)
        with part("attention"):
            if native and store is None and filled is None and rotations is None:
                x = self._attention_sublayer(x, causal=causal, key_padding_mask=key_padding_mask)
            else:
                attended = self.attention(
                    self.attention_norm(x),
                    causal=causal,
                    key_padding_mask=key_padding_mask,
                    store=store,
                    filled=filled,
                    rotations=rotations,
                )
                x = x + self.dropout(attended)
        if self.cross is not None and memory is not None:
            x = self.cross(x, memory, memory_mask)
        with part("feed-forward"):
            if native:
                return self._feed_forward_sublayer(x)
            return x + self.dropout(self.mlp(self.mlp_norm(x)))  # type: ignore[no-any-return]

    def _trains_plainly(self, x: Tensor) -> bool:
        """Whether `sublayers` serves."""
        attention, mlp = self.attention, self.mlp
        if not sublayers.serves(mlp.kernel, x, head_dim=x.shape[-1] // attention.num_heads):
            return False
        linears = (attention.in_proj, attention.out_proj, mlp.up, mlp.down)
        biased = (self.attention_norm, self.mlp_norm, *linears)
        return (
            untouched((*biased, attention, mlp, mlp.activation, self.dropout), _PLAIN)
            and all(layer.bias is not None for layer in biased)
            and self.dropout.p < 1
        )

    def _attention_sublayer(self, x: Tensor, *, causal: bool, key_padding_mask: Tensor | None) -> Tensor:
        return sublayers.self_attention(
            x,
            norm_of(self.attention_norm),
            linear_of(self.attention.in_proj),
            linear_of(self.attention.out_proj),
            num_heads=self.attention.num_heads,
            key_padding_mask=key_padding_mask,
            causal=causal,
            dropout=self.dropout.p if self.dropout.training else 0.0,
        )

    def _feed_forward_sublayer(self, x: Tensor) -> Tensor:
        return sublayers.feed_forward(
            x,
            norm_of(self.mlp_norm),
            linear_of(self.mlp.up),
            linear_of(self.mlp.down),
            tanh=self.mlp.activation.approximate == "tanh",
            dropout=self.dropout.p if self.dropout.training else 0.0,
        )


def init_gpt2(module: nn.Module, *, std: float = 0.02) -> None:
    """Draw a submodule's weights as GPT-2 does: N(0, std), biases 0. Use with `Module.apply`.

    Source: Radford et al. 2019, sec. 2.3, and the published code.
    """
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=std)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def init_fan_in(module: nn.Module) -> None:
    """Draw a submodule's weights from N(0, 1 / fan-in), biases 0. Use with `Module.apply`.

    For encoders and cross-attention, which start from nothing. The usual fixed 0.02 suits widths near 1,000; in an
    encoder 192 wide each layer would shrink what it passes on by the factor 0.02 * 192 ** 0.5 = 0.28, and a gate that
    starts at 0 has little reason to open for so faint a signal.

    Source: LeCun et al. 1998, Efficient BackProp, sec. 4.6.
    """
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
        nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
