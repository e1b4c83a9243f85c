"""GPT-2 checkpoints (GPT2LMHeadModel or GPT2Model) for the decoder."""

from torch import nn

from bimodal.errors import UsageError
from bimodal.schema import ModelConfig
from bimodal_models.pretrained.checkpoint import Checkpoint

MODEL_TYPE = "gpt2"

_BLOCK = {
    "attention_norm": "ln_1",
    "attention.in_proj": "attn.c_attn",
    "attention.out_proj": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
_OUTSIDE = {
    "token_embedding.weight": "wte.weight",
    "position_embedding.weight": "wpe.weight",
    "final_norm.weight": "ln_f.weight",
    "final_norm.bias": "ln_f.bias",
}


def architecture(checkpoint: Checkpoint, config: ModelConfig, *, vocab_size: int) -> ModelConfig:
    """`config` with the checkpoint's architecture; dropout stays ours.

    Raises:
        CheckpointError: an option of GPT-2 that `GPT` does not have.
        UsageError: the tokenizer has another number of tokens than the checkpoint.
    """
    checkpoint.require("activation_function", "gelu_new", "gelu_pytorch_tanh")
    checkpoint.require("scale_attn_weights", True)
    checkpoint.require("scale_attn_by_inverse_layer_idx", False)
    checkpoint.require("add_cross_attention", False)
    checkpoint.require("tie_word_embeddings", True)
    tokens = checkpoint.number("vocab_size")
    if tokens != vocab_size:
        raise UsageError(
            f"The tokenizer has {vocab_size} tokens, the checkpoint in {checkpoint.folder} was trained with "
            f"{tokens}. Use the checkpoint's own tokenizer (--set tokenizer.source=...)."
        )
    return config.model_copy(
        update={
            "num_layers": checkpoint.number("n_layer"),
            "num_heads": checkpoint.number("n_head"),
            "embed_dim": checkpoint.number("n_embd"),
            "mlp_dim": checkpoint.number("n_inner") if checkpoint.config.get("n_inner") is not None else None,
            "max_positions": checkpoint.number("n_positions"),
            "layer_norm_eps": float(checkpoint.config.get("layer_norm_epsilon", 1e-5)),
        }
    )


def load(module: nn.Module, checkpoint: Checkpoint, *, num_layers: int) -> None:
    """Put the checkpoint's weights into a `GPT` of its architecture; a tagging head stays as drawn.

    Raises:
        CheckpointError: tensors are missing, of other shapes, or unreadable.
    """
    prefix = checkpoint.prefix("wte.weight", ("transformer.", ""))
    sources = {ours: prefix + theirs for ours, theirs in _OUTSIDE.items()}
    for layer in range(num_layers):
        for ours, theirs in _BLOCK.items():
            for kind in ("weight", "bias"):
                sources[f"blocks.{layer}.{ours}.{kind}"] = f"{prefix}h.{layer}.{theirs}.{kind}"
    tensors = checkpoint.read(sources.values())
    # GPT-2 keeps its linear layers as [in, out] ("Conv1D"), torch as [out, in].
    weights = {
        ours: tensors[theirs].T if ".c_" in theirs and theirs.endswith("weight") else tensors[theirs]
        for ours, theirs in sources.items()
    }
    checkpoint.load_into(module, weights, fresh=("tag_head.",))
