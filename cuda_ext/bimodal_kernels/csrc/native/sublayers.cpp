// The sub-layers, put together from their passes.
#include "sublayers.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "row_vectors.hpp"
#include "schedule.hpp"
#include "simd.hpp"

namespace bimodal::native {
namespace {

std::unique_ptr<float[]> array(int64_t size) { return std::make_unique_for_overwrite<float[]>(size); }

// out = x + dropout(y).
void add_dropped(const Drop& drop, int64_t size, const float* x, const float* y, float* out, const Pool& pool) {
  dropout({size, y, out, drop.probability, drop.seed, x}, pool);
}

// The gradient of a sub-layer's output before dropout: grad_out itself where nothing is dropped, else in `room`.
const float* before_dropout(const Drop& drop, int64_t size, const float* grad_out, float* room, const Pool& pool) {
  if (drop.probability == 0) return grad_out;
  dropout({size, grad_out, room, drop.probability, drop.seed, nullptr}, pool);
  return room;
}

// Column `first` on of rows [position][columns], as heads.
Heads heads_in(float* rows, int64_t columns, int64_t first, int64_t positions, int64_t head_dim) {
  return {rows + first, positions * columns, head_dim, columns};
}

struct Attended {
  Shape shape;
  Heads query, key, value, out;
};

// What self-attention reads in the rows that `in` wrote, and where it writes to.
Attended attended(const SelfAttention& layer, float* qkv, float* out) {
  const int64_t width = layer.norm.width, positions = layer.norm.rows / layer.batch, dim = width / layer.heads;
  const auto part = [&](int64_t which) { return heads_in(qkv, 3 * width, which * width, positions, dim); };
  return {{layer.batch, layer.heads, layer.heads, positions, positions, dim}, part(0), part(1), part(2), heads_in(out, width, 0, positions, dim)};
}

Attended attended(const CrossAttention& layer, float* query, float* out) {
  const int64_t width = layer.norm.width, positions = layer.norm.rows / layer.batch, dim = width / layer.heads;
  return {{layer.batch, layer.heads, layer.heads, positions, layer.keys, dim}, heads_in(query, width, 0, positions, dim), layer.key, layer.value,
          heads_in(out, width, 0, positions, dim)};
}

constexpr int64_t kGated = 4096;    // elements of a task

// out = x + factor y.
void add_scaled(float factor, int64_t size, const float* x, const float* y, float* out, const Pool& pool) {
  deal_out((size + kGated - 1) / kGated, pool_for(1.0 * size, pool), [&](int64_t task) {
    const int64_t first = task * kGated;
    for_vectors(std::min(kGated, size - first), [&](int64_t j, auto n) {
      store_part(out + first + j, load_part(x + first + j, n) + broadcast(factor) * load_part(y + first + j, n), n);
    });
  });
}

// scaled = factor grad; returns the sum of grad y.
float scaled_and_summed(float factor, int64_t size, const float* grad, const float* y, float* scaled, const Pool& pool) {
  const int64_t tasks = (size + kGated - 1) / kGated;
  const auto sums = array(tasks);
  deal_out(tasks, pool_for(2.0 * size, pool), [&](int64_t task) {
    const int64_t first = task * kGated;
    Vec products{};
    for_vectors(std::min(kGated, size - first), [&](int64_t j, auto n) {
      const Vec here = load_part(grad + first + j, n);
      products += here * load_part(y + first + j, n);
      store_part(scaled + first + j, here * broadcast(factor), n);
    });
    sums[task] = sum(products);
  });
  double total = 0;
  for (int64_t task = 0; task < tasks; task++) total += sums[task];
  return static_cast<float>(total);
}

}  // namespace

void feed_forward_forward(const FeedForward& layer, const float* x, const FeedForwardSaved& saved, float* out, const Workers& by) {
  const auto [rows, inputs, hidden, weight, bias] = layer.up;
  layer_norm_forward(layer.norm, x, saved.normed, saved.statistics, by.pool);
  linear_forward({rows, inputs, hidden, weight, nullptr}, saved.normed, saved.before, by);
  bias_gelu_forward({rows, hidden, layer.activation, saved.before, bias, nullptr, saved.hidden, nullptr}, by.pool);
  linear_forward(layer.down, saved.hidden, out, by);
  add_dropped(layer.drop, rows * inputs, x, out, out, by.pool);
}

void feed_forward_backward(const FeedForward& layer, const float* grad_out, const float* x, const FeedForwardSaved& saved,
                           const FeedForwardGradients& to, const Workers& by) {
  const auto [rows, width, hidden, weight, bias] = layer.up;
  const auto grad_normed = array(rows * width), grad_hidden = array(rows * hidden);
  const float* grad_down = before_dropout(layer.drop, rows * width, grad_out, grad_normed.get(), by.pool);
  linear_grad_weights(layer.down, grad_down, saved.hidden, to.down.weight, to.down.bias, by);
  linear_grad_input(layer.down, grad_down, grad_hidden.get(), by);
  bias_gelu_backward({rows, hidden, layer.activation, saved.before, bias, grad_hidden.get(), grad_hidden.get(), to.up.bias}, by.pool);
  linear_grad_weights(layer.up, grad_hidden.get(), saved.normed, to.up.weight, nullptr, by);
  linear_grad_input(layer.up, grad_hidden.get(), grad_normed.get(), by);
  layer_norm_backward(layer.norm, grad_normed.get(), x, saved.statistics, grad_out, to.x, to.norm.weight, to.norm.bias, by.pool);
}

void self_attention_forward(const SelfAttention& layer, const float* x, const SelfAttentionSaved& saved, float* out, const Workers& by) {
  layer_norm_forward(layer.norm, x, saved.normed, saved.statistics, by.pool);
  linear_forward(layer.in, saved.normed, saved.qkv, by);
  const auto [shape, query, key, value, seen] = attended(layer, saved.qkv, saved.seen);
  attention_forward({shape, Storage::float32, query, key, value, seen, saved.log_sum_exp, layer.keep, layer.causal, layer.scale}, by.pool);
  linear_forward(layer.out, saved.seen, out, by);
  add_dropped(layer.drop, layer.norm.rows * layer.norm.width, x, out, out, by.pool);
}

void self_attention_backward(const SelfAttention& layer, const float* grad_out, const float* x, const SelfAttentionSaved& saved,
                             const SelfAttentionGradients& to, const Workers& by) {
  const int64_t size = layer.norm.rows * layer.norm.width;
  const auto grad_normed = array(size), grad_seen = array(size), grad_qkv = array(3 * size);
  const float* grad_projected = before_dropout(layer.drop, size, grad_out, grad_normed.get(), by.pool);
  linear_grad_weights(layer.out, grad_projected, saved.seen, to.out.weight, to.out.bias, by);
  linear_grad_input(layer.out, grad_projected, grad_seen.get(), by);
  const auto [shape, query, key, value, seen] = attended(layer, saved.qkv, saved.seen);
  const Attended grad = attended(layer, grad_qkv.get(), grad_seen.get());
  attention_backward({shape, Storage::float32, grad.out, query, key, value, seen, grad.query, grad.key, grad.value, saved.log_sum_exp,
                      layer.keep, layer.causal, layer.scale},
                     by.pool);
  linear_grad_weights(layer.in, grad_qkv.get(), saved.normed, to.in.weight, to.in.bias, by);
  linear_grad_input(layer.in, grad_qkv.get(), grad_normed.get(), by);
  layer_norm_backward(layer.norm, grad_normed.get(), x, saved.statistics, grad_out, to.x, to.norm.weight, to.norm.bias, by.pool);
}

void cross_attention_forward(const CrossAttention& layer, const float* x, const CrossAttentionSaved& saved, float* out, const Workers& by) {
  layer_norm_forward(layer.norm, x, saved.normed, saved.statistics, by.pool);
  linear_forward(layer.query, saved.normed, saved.query, by);
  const auto [shape, query, key, value, seen] = attended(layer, saved.query, saved.seen);
  attention_forward({shape, Storage::float32, query, key, value, seen, saved.log_sum_exp, layer.keep, false, layer.scale}, by.pool);
  linear_forward(layer.out, saved.seen, saved.projected, by);
  add_scaled(std::tanh(*layer.gate), layer.norm.rows * layer.norm.width, x, saved.projected, out, by.pool);
}

void cross_attention_backward(const CrossAttention& layer, const float* grad_out, const float* x, const CrossAttentionSaved& saved,
                              const CrossAttentionGradients& to, const Workers& by) {
  const int64_t size = layer.norm.rows * layer.norm.width;
  const auto grad_normed = array(size), grad_seen = array(size), grad_query = array(size);
  const float open = std::tanh(*layer.gate);
  float* const grad_projected = grad_normed.get();
  *to.gate = (1 - open * open) * scaled_and_summed(open, size, grad_out, saved.projected, grad_projected, by.pool);
  linear_grad_weights(layer.out, grad_projected, saved.seen, to.out_weight, nullptr, by);
  linear_grad_input(layer.out, grad_projected, grad_seen.get(), by);
  const auto [shape, query, key, value, seen] = attended(layer, saved.query, saved.seen);
  const Attended grad = attended(layer, grad_query.get(), grad_seen.get());
  attention_backward({shape, Storage::float32, grad.out, query, key, value, seen, grad.query, to.key, to.value, saved.log_sum_exp,
                      layer.keep, false, layer.scale},
                     by.pool);
  linear_grad_weights(layer.query, grad_query.get(), saved.normed, to.query.weight, to.query.bias, by);
  linear_grad_input(layer.query, grad_query.get(), grad_normed.get(), by);
  layer_norm_backward(layer.norm, grad_normed.get(), x, saved.statistics, grad_out, to.x, to.norm.weight, to.norm.bias, by.pool);
}

}  // namespace bimodal::native
