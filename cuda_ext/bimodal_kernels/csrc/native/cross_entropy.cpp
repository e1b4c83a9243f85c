// Cross-entropy of rows that fit into the first-level cache: largest logit, exponentials and their sum, gradient.
//
// Source: Hsu et al. 2024, Liger Kernel, sec. 3.2 (the gradient in the forward pass, in place of the logits).
#include <algorithm>
#include <cmath>
#include <limits>

#include "schedule.hpp"
#include "simd.hpp"
#include "training.hpp"

namespace bimodal::native {
namespace {

float largest_of(const float* row, int64_t n) {
  Vec top = broadcast(-std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + W <= n; i += W) top = max(load(row + i), top);
  float found = largest(top);
  for (; i < n; i++) found = std::max(row[i], found);
  return found;
}

float sum_of(const float* row, int64_t n) {
  Vec sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * W <= n; i += 4 * W) {
    for (int k = 0; k < 4; k++) sums[k] += load(row + i + k * W);
  }
  float total = sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; i++) total += row[i];
  return total;
}

// row[i] = exp(row[i] - largest); returns the sum of the results.
float exponentials(float* row, int64_t n, float top) {
  constexpr float kLog2E = 1.44269504f;
  const Vec largest = broadcast(top), scale = broadcast(kLog2E);
  Vec total{};
  int64_t i = 0;
  for (; i + W <= n; i += W) {
    const Vec e = exp2((load(row + i) - largest) * scale);
    store(row + i, e);
    total += e;
  }
  float rest = 0;
  for (; i < n; i++) rest += row[i] = std::exp(row[i] - top);
  return sum(total) + rest;
}

void one_row(const CrossEntropyParams& p, int64_t r) {
  float* row = p.logits + r * p.classes;
  const int64_t target = p.targets[r], n = p.classes;
  const float smoothing = p.label_smoothing, uniform = smoothing / static_cast<float>(n);
  float wanted = (1 - smoothing) * row[target];
  if (smoothing > 0) wanted += uniform * sum_of(row, n);
  const float top = largest_of(row, n), total = exponentials(row, n, top);
  p.losses[r] = (top - wanted) + std::log(total);
  const float factor = 1 / (total * p.divisor), less = uniform / p.divisor;
  for (int64_t i = 0; i < n; i++) row[i] = row[i] * factor - less;
  row[target] -= (1 - smoothing) / p.divisor;
}

}  // namespace

void cross_entropy(const CrossEntropyParams& p, const Pool& pool) {
  deal_out(p.rows, pool_for(20.0 * p.rows * p.classes, pool), [&](int64_t r) { one_row(p, r); });
}

}  // namespace bimodal::native
