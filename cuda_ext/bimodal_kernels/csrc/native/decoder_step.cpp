// One more token per row, x [batch, embed_dim] from block to block:
//
//   x = token_embedding[token] + position_embedding[length], or queries and keys are rotated
//   x = x + attention(norm(x))              to the row's own keys and values, the new ones appended
//   x = x + tanh(gate) * cross(norm(x))     in blocks that have it
//   x = x + down(gelu(up(norm(x))))
//   logits = norm(x) token_embedding^T
//
// Everything between two linear layers is small: it is done by the calling thread, in memory that is kept between calls.
//
// Sources: Radford et al. 2019, sec. 2.3; gated cross-attention: Alayrac et al. 2022 (Flamingo), sec. 3.1.2;
// rotary positions: Su et al. 2021 (RoFormer), sec. 3.2.2.
#include "decoder_step.hpp"

#include <algorithm>
#include <cmath>

#include "decode.hpp"
#include "simd.hpp"

namespace bimodal::native {
namespace {

// Working memory of a call, each part on cache lines of its own. Not Scratch: attention takes that.
class Workspace {
 public:
  explicit Workspace(int64_t floats) {
    thread_local std::vector<Line> memory;
    memory.resize(std::max<std::size_t>(memory.size(), floats / kLine + kParts));
    next_ = memory.data();
  }

  float* take(int64_t floats) {
    Line* taken = next_;
    next_ += (floats + kLine - 1) / kLine;
    return taken->values;
  }

 private:
  static constexpr int64_t kLine = 16, kParts = 8;
  struct alignas(64) Line {
    float values[kLine];
  };
  Line* next_;
};

void embed(const DecoderStepParams& p, float* x) {
  const Weight& table = p.token_embedding;
  for (int64_t b = 0; b < p.batch; b++) {
    const int64_t token = p.token[b] * p.embed_dim;
    const float* position = p.position_embedding ? p.position_embedding + p.lengths[b] * p.embed_dim : nullptr;
    for (int64_t d = 0; d < p.embed_dim; d++) {
      const float embedding = table.scale ? table.scale[p.token[b]] * static_cast<float>(static_cast<const int8_t*>(table.data)[token + d])
                                          : static_cast<const float*>(table.data)[token + d];
      x[b * p.embed_dim + d] = position ? embedding + position[d] : embedding;
    }
  }
}

// y = (x - mean) / sqrt(variance + eps) * weight + bias, row by row.
void normalise(const DecoderStepParams& p, const Norm& norm, const float* x, float* y) {
  const int64_t width = p.embed_dim;
  for (int64_t b = 0; b < p.batch; b++, x += width, y += width) {
    Vec total = {}, squares = {};
    for (int64_t d = 0; d < width; d += W) total += load(x + d);
    const Vec mean = broadcast(sum(total) / static_cast<float>(width));
    for (int64_t d = 0; d < width; d += W) {
      const Vec centred = load(x + d) - mean;
      squares += centred * centred;
    }
    const Vec factor = broadcast(1.0f / std::sqrt(sum(squares) / static_cast<float>(width) + p.layer_norm_eps));
    for (int64_t d = 0; d < width; d += W) {
      store(y + d, (load(x + d) - mean) * factor * load(norm.weight + d) + load(norm.bias + d));
    }
  }
}

// y = factor * layer(x) + residual
void apply(const DecoderStepParams& p, const Layer& layer, const float* x, float* y, const Pool& pool, const float* residual = nullptr,
           Activation activation = Activation::none, float factor = 1.0f) {
  linear({p.batch, x, layer.weight, layer.bias, activation, factor, residual, y}, pool);
}

// Part `part` of rows [batch][parts][heads * head_dim] as a tensor [batch, heads, 1, head_dim].
Heads part_of(const DecoderStepParams& p, float* rows, int64_t parts, int64_t part) {
  return {rows + part * p.embed_dim, parts * p.embed_dim, p.embed_dim / p.heads, p.embed_dim};
}

// Turns queries and keys in rows [batch][query, key, value][heads * head_dim] by the angles of the new tokens' positions.
void rotate(const DecoderStepParams& p, float* rows) {
  const int64_t head_dim = p.embed_dim / p.heads;
  for (int64_t b = 0; b < p.batch; b++) {
    const float* turn = p.rotations + p.lengths[b] * head_dim;
    float* pair = rows + b * 3 * p.embed_dim;
    for (int64_t h = 0; h < 2 * p.heads; h++) {
      for (int64_t d = 0; d < head_dim; d += 2, pair += 2) {
        const float real = pair[0], imaginary = pair[1];
        pair[0] = real * turn[d] - imaginary * turn[d + 1];
        pair[1] = real * turn[d + 1] + imaginary * turn[d];
      }
    }
  }
}

// A layer's storage [batch, heads, slots, head_dim].
Heads storage_of(const DecoderStepParams& p, float* storage, int64_t layer) {
  const int64_t head = p.slots * (p.embed_dim / p.heads), row = p.heads * head;
  return {storage + layer * p.batch * row, row, head, p.embed_dim / p.heads};
}

// The new token's keys (or values) into the slot after each row's last.
void append(const DecoderStepParams& p, const Heads& from, const Heads& storage) {
  const int64_t head_dim = p.embed_dim / p.heads;
  for (int64_t b = 0; b < p.batch; b++) {
    for (int64_t h = 0; h < p.heads; h++) {
      const float* source = static_cast<const float*>(from.data) + b * from.batch_stride + h * from.head_stride;
      float* slot = static_cast<float*>(storage.data) + b * storage.batch_stride + h * storage.head_stride + p.lengths[b] * head_dim;
      std::copy_n(source, head_dim, slot);
    }
  }
}

FewQueriesParams attention(const DecoderStepParams& p, const Heads& query, const Heads& key, const Heads& value, int64_t keys, float* out) {
  const int64_t head_dim = p.embed_dim / p.heads;
  const Shape shape{p.batch, p.heads, p.heads, 1, keys, head_dim};
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  return {shape, Storage::float32, query, key, value, part_of(p, out, 1, 0), nullptr, nullptr, nullptr, false, scale};
}

}  // namespace

void decoder_step(const DecoderStepParams& p, const Pool& pool) {
  const int64_t rows = p.batch * p.embed_dim;
  int64_t mlp_dim = 0;
  for (const DecoderBlock& block : p.blocks) mlp_dim = std::max(mlp_dim, block.up.weight.outputs);
  Workspace workspace(6 * rows + p.batch * mlp_dim);
  float *x = workspace.take(rows), *normed = workspace.take(rows), *attended = workspace.take(rows);
  float *projected = workspace.take(3 * rows), *hidden = workspace.take(p.batch * mlp_dim);
  std::vector<int64_t> longer(p.lengths, p.lengths + p.batch);
  for (int64_t& length : longer) length++;

  embed(p, x);
  for (std::size_t layer = 0; layer < p.blocks.size(); layer++) {
    const DecoderBlock& block = p.blocks[layer];
    normalise(p, block.attention_norm, x, normed);
    apply(p, block.in, normed, projected, pool);
    if (p.rotations) rotate(p, projected);
    const Heads key = storage_of(p, p.keys, layer), value = storage_of(p, p.values, layer);
    append(p, part_of(p, projected, 3, 1), key);
    append(p, part_of(p, projected, 3, 2), value);
    FewQueriesParams self = attention(p, part_of(p, projected, 3, 0), key, value, p.slots, attended);
    self.lengths = longer.data();
    attend_few_queries(self, pool);
    apply(p, block.out, attended, x, pool, x);
    if (block.has_cross) {
      const CrossAttention& cross = block.cross;
      normalise(p, cross.norm, x, normed);
      apply(p, cross.query, normed, projected, pool);
      FewQueriesParams seen = attention(p, part_of(p, projected, 1, 0), cross.key, cross.value, cross.memory_tokens, attended);
      seen.keep = p.memory_keep;
      attend_few_queries(seen, pool);
      apply(p, cross.out, attended, x, pool, x, Activation::none, std::tanh(cross.gate));
    }
    normalise(p, block.mlp_norm, x, normed);
    apply(p, block.up, normed, hidden, pool, nullptr, Activation::gelu_tanh);
    apply(p, block.down, hidden, x, pool, x);
  }
  normalise(p, p.final_norm, x, normed);
  apply(p, {p.token_embedding, nullptr}, normed, p.logits, pool);
}

}  // namespace bimodal::native
