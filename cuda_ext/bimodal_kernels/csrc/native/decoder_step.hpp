// One more token per row through a whole GPT decoder, on preallocated keys and values.
#pragma once

#include <vector>

#include "attention.hpp"
#include "linear.hpp"

namespace bimodal::native {

struct Norm {
  const float *weight, *bias;    // [embed_dim]
};

struct Layer {                   // a weight with its bias
  Weight weight;
  const float* bias;
};

// Gated cross-attention to a memory whose keys and values were computed before.
struct CrossAttention {
  Norm norm;
  Layer query, out;
  float gate;               // as it is: tanh comes here
  Heads key, value;         // [batch, heads, memory_tokens, head_dim]
  int64_t memory_tokens;
};

struct DecoderBlock {
  Norm attention_norm;
  Layer in, out;            // in: query, key and value
  bool has_cross;
  CrossAttention cross;
  Norm mlp_norm;
  Layer up, down;
};

struct DecoderStepParams {
  int64_t batch, heads, embed_dim;
  float layer_norm_eps;
  const int64_t* token;              // [batch]
  const int64_t* lengths;            // [batch]: tokens so far, and so the new one's position and slot
  Weight token_embedding;            // the head, too
  const float* position_embedding;   // [positions, embed_dim]; null: rotations
  const float* rotations;            // [positions, head_dim / 2, cosine and sine]; null: position_embedding
  std::vector<DecoderBlock> blocks;
  Norm final_norm;
  float *keys, *values;              // [layer, batch, heads, slots, head_dim], dense; the new token's are written
  int64_t slots;
  const bool* memory_keep;           // [batch, memory_tokens]; null keeps all
  float* logits;                     // [batch, vocabulary], dense
};

// Results depend on inputs and pool.threads alone, to the bit.
void decoder_step(const DecoderStepParams& params, const Pool& pool);

}  // namespace bimodal::native
