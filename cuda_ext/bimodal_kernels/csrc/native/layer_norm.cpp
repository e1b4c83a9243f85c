// Layer norm, and its backward pass, which adds the gradient that goes past the norm.
//
//   x^ = (x - mean) r,  r = 1 / sqrt(variance + eps),  y = w x^ + b
//   dx = r (w dy - mean(w dy) - x^ mean(w dy x^)),  dw = sum over rows of dy x^,  db = sum over rows of dy
//
// Mean and variance take two passes over a row, which is in the first-level cache: sums of squares alone would cancel.
//
// Source: Ba et al. 2016, Layer Normalization, sec. 3.
#include <algorithm>
#include <cmath>
#include <memory>

#include "row_vectors.hpp"
#include "schedule.hpp"
#include "simd.hpp"
#include "sublayers.hpp"

namespace bimodal::native {
namespace {

constexpr int64_t kRows = 16;    // of a task

int64_t tasks_of(const LayerNorm& norm) { return (norm.rows + kRows - 1) / kRows; }

Pool pool_of(const LayerNorm& norm, const Pool& pool) { return pool_for(8.0 * norm.rows * norm.width, pool); }

// Sum over a row of f(j, n), whose lanes from n on count as 0.
template <class F>
BIMODAL_INLINE float sum_over(int64_t width, F f) {
  Vec sums{};
  for_vectors(width, [&](int64_t j, auto n) { sums += first_lanes(f(j, n), n); });
  return sum(sums);
}

void normalise(const LayerNorm& norm, const float* x, float* normed, float* statistics) {
  const float width = static_cast<float>(norm.width);
  const float mean = sum_over(norm.width, [&](int64_t j, auto n) { return load_part(x + j, n); }) / width;
  const float variance = sum_over(norm.width, [&](int64_t j, auto n) {
    const Vec centred = load_part(x + j, n) - broadcast(mean);
    return centred * centred;
  }) / width;
  const float scale = 1 / std::sqrt(variance + norm.eps);
  statistics[0] = mean;
  statistics[1] = scale;
  for_vectors(norm.width, [&](int64_t j, auto n) {
    const Vec standard = (load_part(x + j, n) - broadcast(mean)) * broadcast(scale);
    store_part(normed + j, standard * load_part(norm.weight + j, n) + load_part(norm.bias + j, n), n);
  });
}

struct Row {
  const float *grad_normed, *x, *statistics, *residual;
  float* grad_x;
};

// `sums` [2][width] takes what the row adds to the gradients of weight and bias.
void differentiate(const LayerNorm& norm, const Row& row, float* sums) {
  const Vec mean = broadcast(row.statistics[0]), scale = broadcast(row.statistics[1]);
  const auto standard = [&](int64_t j, auto n) { return (load_part(row.x + j, n) - mean) * scale; };
  const auto weighted = [&](int64_t j, auto n) { return load_part(row.grad_normed + j, n) * load_part(norm.weight + j, n); };
  const float width = static_cast<float>(norm.width);
  const Vec along = broadcast(sum_over(norm.width, weighted) / width);
  const Vec across = broadcast(sum_over(norm.width, [&](int64_t j, auto n) { return weighted(j, n) * standard(j, n); }) / width);
  for_vectors(norm.width, [&](int64_t j, auto n) {
    const Vec here = standard(j, n), grad = load_part(row.grad_normed + j, n);
    store_part(row.grad_x + j, load_part(row.residual + j, n) + scale * (weighted(j, n) - along - here * across), n);
    float *weight_sum = sums + j, *bias_sum = sums + norm.width + j;
    store_part(weight_sum, load_part(weight_sum, n) + grad * here, n);
    store_part(bias_sum, load_part(bias_sum, n) + grad, n);
  });
}

}  // namespace

void layer_norm_forward(const LayerNorm& norm, const float* x, float* normed, float* statistics, const Pool& pool) {
  deal_out(tasks_of(norm), pool_of(norm, pool), [&](int64_t task) {
    for (int64_t i = task * kRows; i < std::min(norm.rows, (task + 1) * kRows); i++) {
      normalise(norm, x + i * norm.width, normed + i * norm.width, statistics + 2 * i);
    }
  });
}

void layer_norm_backward(const LayerNorm& norm, const float* grad_normed, const float* x, const float* statistics, const float* residual,
                         float* grad_x, float* grad_weight, float* grad_bias, const Pool& pool) {
  const int64_t tasks = tasks_of(norm), width = norm.width;
  const auto sums = std::make_unique_for_overwrite<float[]>(tasks * 2 * width);
  deal_out(tasks, pool_of(norm, pool), [&](int64_t task) {
    float* const mine = sums.get() + task * 2 * width;
    std::fill_n(mine, 2 * width, 0.0f);
    for (int64_t i = task * kRows; i < std::min(norm.rows, (task + 1) * kRows); i++) {
      const int64_t at = i * width;
      differentiate(norm, {grad_normed + at, x + at, statistics + 2 * i, residual + at, grad_x + at}, mine);
    }
  });
  std::fill_n(grad_weight, width, 0.0f);
  std::fill_n(grad_bias, width, 0.0f);
  for (int64_t task = 0; task < tasks; task++) {
    const float* const theirs = sums.get() + task * 2 * width;
    for (int64_t j = 0; j < width; j++) grad_weight[j] += theirs[j];
    for (int64_t j = 0; j < width; j++) grad_bias[j] += theirs[width + j];
  }
}

}  // namespace bimodal::native
