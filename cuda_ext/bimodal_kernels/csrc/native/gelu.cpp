// GELU of x + bias, and its backward pass with the bias's gradient.
//
// Both kinds need one exponential, and the backward pass makes value and slope from the same one:
//   tanh    (1 + tanh u) / 2 = 1 / (1 + 2^(-2 u log2 e))
//   exact   Phi(-|x|) = t poly(t) e^(-x^2 / 2) / 2 with t = 1 / (1 + p |x| / sqrt 2), within 8e-8
//
// Sources: Hendrycks & Gimpel 2016, Gaussian Error Linear Units; Abramowitz & Stegun 1964, 7.1.26.
#include <algorithm>
#include <memory>

#include "row_vectors.hpp"
#include "schedule.hpp"
#include "simd.hpp"
#include "training.hpp"

namespace bimodal::native {
namespace {

constexpr int64_t kRows = 32;    // of a task
constexpr float kLog2E = 1.44269504f;

// gelu(x) = x * share(x); slope is d gelu / dx.
struct Value {
  Vec share, slope;
};

template <Gelu kind>
BIMODAL_INLINE Value gelu(Vec x) {
  const Vec one = broadcast(1.0f), x2 = x * x;
  if constexpr (kind == Gelu::tanh) {
    constexpr float kTwice = 1.59576912f, kCubic = 0.044715f;    // 2 sqrt(2 / pi)
    const Vec u2 = x * (broadcast(kTwice) + broadcast(kTwice * kCubic) * x2);
    const Vec power = u2 * broadcast(-kLog2E), most = broadcast(126.0f);
    const Vec e = exp2(power < most ? power : most), share = one / (one + e), rest = e * share;    // 1 - share
    const Vec u2_slope = broadcast(kTwice) + broadcast(3 * kTwice * kCubic) * x2;
    return {share, share + x * share * rest * u2_slope};
  } else {
    const Vec size = max(x, -x), t = one / (one + broadcast(0.3275911f * 0.707106781f) * size);
    const Vec bell = exp2(x2 * broadcast(-0.5f * kLog2E));
    Vec p = broadcast(0.5f * 1.061405429f);
    p = p * t + broadcast(0.5f * -1.453152027f);
    p = p * t + broadcast(0.5f * 1.421413741f);
    p = p * t + broadcast(0.5f * -0.284496736f);
    p = p * t + broadcast(0.5f * 0.254829592f);
    const Vec tail = p * t * bell, share = x > Vec{} ? one - tail : tail;
    return {share, share + x * bell * broadcast(0.398942280f)};    // 1 / sqrt(2 pi)
  }
}

template <Gelu kind>
void forward(const BiasGeluParams& p, int64_t row, int64_t end) {
  for (; row < end; row++) {
    const float* x = p.x + row * p.width;
    float* out = p.out + row * p.width;
    for_vectors(p.width, [&](int64_t j, auto n) {
      const Vec in = load_part(x + j, n) + load_part(p.bias + j, n);
      store_part(out + j, in * gelu<kind>(in).share, n);
    });
  }
}

// `bias_sum` [width] takes the sum of the rows' gradients.
template <Gelu kind>
void backward(const BiasGeluParams& p, int64_t row, int64_t end, float* bias_sum) {
  std::fill_n(bias_sum, p.width, 0.0f);
  for (; row < end; row++) {
    const float *x = p.x + row * p.width, *grad_out = p.grad_out + row * p.width;
    float* grad_x = p.out + row * p.width;
    for_vectors(p.width, [&](int64_t j, auto n) {
      const Vec in = load_part(x + j, n) + load_part(p.bias + j, n);
      const Vec grad = load_part(grad_out + j, n) * gelu<kind>(in).slope;
      store_part(grad_x + j, grad, n);
      store_part(bias_sum + j, load_part(bias_sum + j, n) + grad, n);
    });
  }
}

int64_t tasks_of(const BiasGeluParams& p) { return (p.rows + kRows - 1) / kRows; }

Pool pool_of(const BiasGeluParams& p, const Pool& pool) { return pool_for(20.0 * p.rows * p.width, pool); }

}  // namespace

void bias_gelu_forward(const BiasGeluParams& p, const Pool& pool) {
  deal_out(tasks_of(p), pool_of(p, pool), [&](int64_t task) {
    const int64_t row = task * kRows, end = std::min(row + kRows, p.rows);
    p.kind == Gelu::tanh ? forward<Gelu::tanh>(p, row, end) : forward<Gelu::exact>(p, row, end);
  });
}

void bias_gelu_backward(const BiasGeluParams& p, const Pool& pool) {
  const int64_t tasks = tasks_of(p);
  const auto sums = std::make_unique_for_overwrite<float[]>(tasks * p.width);
  deal_out(tasks, pool_of(p, pool), [&](int64_t task) {
    const int64_t row = task * kRows, end = std::min(row + kRows, p.rows);
    float* sum = sums.get() + task * p.width;
    p.kind == Gelu::tanh ? backward<Gelu::tanh>(p, row, end, sum) : backward<Gelu::exact>(p, row, end, sum);
  });
  std::fill_n(p.grad_bias, p.width, 0.0f);
  for (int64_t task = 0; task < tasks; task++) {
    for (int64_t j = 0; j < p.width; j++) p.grad_bias[j] += sums[task * p.width + j];
  }
}

}  // namespace bimodal::native
