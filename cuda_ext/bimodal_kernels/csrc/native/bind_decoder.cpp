// The decoder's step and linear layers as implementations of the ops that bimodal_kernels/decoder.py declares (see bind.hpp).
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "bind.hpp"
#include "decoder_step.hpp"

namespace {

using namespace bimodal::native;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

template <class T>
const T* dense(const Tensor& tensor, ScalarType type, int64_t count) {
  STD_TORCH_CHECK(tensor.scalar_type() == type && tensor.is_contiguous() && tensor.numel() == count,
                  "The decoder's step got a tensor of another dtype or shape than it wants, or one that is not contiguous.");
  return static_cast<const T*>(tensor.const_data_ptr());
}

Weight weight_of(const Tensor& weight, const std::optional<Tensor>& scale) {
  STD_TORCH_CHECK(weight.dim() == 2 && weight.size(1) % kInputStep == 0,
                  "Linear layers here want weights [output, input] with a multiple of 16 inputs.");
  const int64_t outputs = weight.size(0), inputs = weight.size(1);
  if (!scale) return {dense<float>(weight, ScalarType::Float, outputs * inputs), nullptr, outputs, inputs};
  return {dense<int8_t>(weight, ScalarType::Char, outputs * inputs), dense<float>(*scale, ScalarType::Float, outputs), outputs, inputs};
}

// Takes a decoder's tensors one after the other, in the order in which the step uses them.
class Weights {
 public:
  explicit Weights(const std::vector<Tensor>& tensors) : tensors_(tensors) {}

  const float* vector(int64_t count) { return dense<float>(next(), ScalarType::Float, count); }

  Norm norm(int64_t width) {
    const float* weight = vector(width);
    return {weight, vector(width)};
  }

  // [outputs, inputs]; int8 ones are followed by their scales. 0 outputs: any number.
  Weight weight(int64_t outputs, int64_t inputs) {
    const Tensor& weight = next();
    const Weight found = weight_of(weight, weight.scalar_type() == ScalarType::Char ? std::optional(next()) : std::nullopt);
    STD_TORCH_CHECK((outputs == 0 || found.outputs == outputs) && found.inputs == inputs, "The decoder's weights do not fit together.");
    return found;
  }

  Layer layer(int64_t outputs, int64_t inputs) {
    const Weight found = weight(outputs, inputs);
    return {found, vector(found.outputs)};
  }

  void end() const { STD_TORCH_CHECK(taken_ == tensors_.size(), "The decoder's step got more weights than it has use for."); }

 private:
  const Tensor& next() {
    STD_TORCH_CHECK(taken_ < tensors_.size(), "The decoder's step got too few weights.");
    return tensors_[taken_++];
  }

  const std::vector<Tensor>& tensors_;
  std::size_t taken_ = 0;
};

Heads memory_of(const Tensor& tensor, const DecoderStepParams& p) {
  STD_TORCH_CHECK(tensor.dim() == 4 && tensor.size(0) == p.batch && tensor.size(1) == p.heads &&
                      tensor.size(3) == p.embed_dim / p.heads && tensor.stride(3) == 1 && tensor.scalar_type() == ScalarType::Float,
                  "The decoder's step wants a memory's keys and values as fp32 [batch, head, token, head_dim].");
  return {const_cast<void*>(tensor.const_data_ptr()), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

CrossAttention cross_of(Weights& weights, const Tensor& key, const Tensor& value, const DecoderStepParams& p) {
  CrossAttention cross{};
  cross.norm = weights.norm(p.embed_dim);
  cross.query = weights.layer(p.embed_dim, p.embed_dim);
  cross.out = {weights.weight(p.embed_dim, p.embed_dim), nullptr};
  cross.gate = *weights.vector(1);
  cross.key = memory_of(key, p);
  cross.value = memory_of(value, p);
  cross.memory_tokens = key.size(2);
  STD_TORCH_CHECK(value.size(2) == key.size(2), "A memory has as many values as keys.");
  return cross;
}

void check_rows(const DecoderStepParams& p, int64_t positions) {
  const auto [shortest, longest] = std::minmax_element(p.lengths, p.lengths + p.batch);
  STD_TORCH_CHECK(p.batch == 0 || (*shortest >= 0 && *longest < std::min(p.slots, positions)),
                  "The decoder's step got a row that is longer than its keys and values, or than the model's positions.");
  const auto [least, largest] = std::minmax_element(p.token, p.token + p.batch);
  STD_TORCH_CHECK(p.batch == 0 || (*least >= 0 && *largest < p.token_embedding.outputs), "The decoder's step got a token that does not exist.");
}

Tensor step(const Tensor& token, const Tensor& lengths, const Tensor& keys, const Tensor& values, const std::vector<Tensor>& tensors,
            const std::vector<Tensor>& memory, const std::vector<int64_t>& cross_layers, const std::optional<Tensor>& memory_mask,
            double layer_norm_eps, const std::optional<Tensor>& rotations) {
  STD_TORCH_CHECK(keys.dim() == 5 && keys.size(1) == token.size(0) && memory.size() == 2 * cross_layers.size(),
                  "The decoder's step wants keys and values [layer, batch, head, slot, head_dim], and two of a memory for each block "
                  "with cross-attention.");
  DecoderStepParams p{};
  p.batch = token.size(0);
  p.heads = keys.size(2);
  p.slots = keys.size(3);
  p.embed_dim = p.heads * keys.size(4);
  p.layer_norm_eps = static_cast<float>(layer_norm_eps);
  p.token = dense<int64_t>(token, ScalarType::Long, p.batch);
  p.lengths = dense<int64_t>(lengths, ScalarType::Long, p.batch);
  p.keys = const_cast<float*>(dense<float>(keys, ScalarType::Float, keys.numel()));
  p.values = const_cast<float*>(dense<float>(values, ScalarType::Float, keys.numel()));

  Weights weights(tensors);
  p.token_embedding = weights.weight(0, p.embed_dim);
  const int64_t positions = rotations ? rotations->size(0) : tensors[p.token_embedding.scale ? 2 : 1].size(0);
  if (rotations) {
    STD_TORCH_CHECK(keys.size(4) % 2 == 0, "Rotations turn pairs of numbers: heads must have an even number of them.");
    p.rotations = dense<float>(*rotations, ScalarType::Float, positions * keys.size(4));
  } else {
    p.position_embedding = weights.vector(positions * p.embed_dim);
  }
  check_rows(p, positions);
  std::size_t crossed = 0;
  for (int64_t layer = 0; layer < keys.size(0); layer++) {
    DecoderBlock block{};
    block.attention_norm = weights.norm(p.embed_dim);
    block.in = weights.layer(3 * p.embed_dim, p.embed_dim);
    block.out = weights.layer(p.embed_dim, p.embed_dim);
    block.has_cross = crossed < cross_layers.size() && cross_layers[crossed] == layer;
    if (block.has_cross) {
      block.cross = cross_of(weights, memory[2 * crossed], memory[2 * crossed + 1], p);
      if (memory_mask) p.memory_keep = dense<bool>(*memory_mask, ScalarType::Bool, p.batch * block.cross.memory_tokens);
      crossed++;
    }
    block.mlp_norm = weights.norm(p.embed_dim);
    block.up = weights.layer(0, p.embed_dim);
    block.down = weights.layer(p.embed_dim, block.up.weight.outputs);
    p.blocks.push_back(block);
  }
  p.final_norm = weights.norm(p.embed_dim);
  weights.end();

  Tensor logits = torch::stable::empty({p.batch, p.token_embedding.outputs}, ScalarType::Float);
  p.logits = static_cast<float*>(logits.data_ptr());
  decoder_step(p, torch_pool());
  return logits;
}

Tensor int8_linear(const Tensor& x, const Tensor& weight, const Tensor& scale, const std::optional<Tensor>& bias) {
  const Weight w = weight_of(weight, scale);
  STD_TORCH_CHECK(x.dim() == 2 && x.size(1) == w.inputs, "An int8 linear layer wants fp32 [row, input].");
  Tensor y = torch::stable::empty({x.size(0), w.outputs}, ScalarType::Float);
  linear({x.size(0), dense<float>(x, ScalarType::Float, x.numel()), w, bias ? dense<float>(*bias, ScalarType::Float, w.outputs) : nullptr,
          Activation::none, 1.0f, nullptr, static_cast<float*>(y.data_ptr())},
         torch_pool());
  return y;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(bimodal, CPU, m) {
  m.impl("decoder_step", TORCH_BOX(&step));
  m.impl("int8_linear", TORCH_BOX(&int8_linear));
}
