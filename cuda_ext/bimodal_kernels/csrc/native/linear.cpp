// A linear layer reads each weight once for all rows: with few rows it can be no faster than memory, and should be no slower.
//
// A task is W outputs (a vector of results). For each, dot products run along the inputs, several outputs and rows at a
// time; W sums are then reduced together by one butterfly, so that bias, activation and residual work on whole vectors.
// int8 weights are widened on the way to the register, and their scale multiplies the finished sum: a quarter of the bytes.
// Prefetching is worth 2 to 20 % with fp32 weights and a factor of 1.5 to 2 with int8.
//
// Sources: GELU (tanh): Hendrycks and Gimpel 2016, sec. 2; int8 weights with one scale per output: Dettmers et al. 2022
// (LLM.int8()), sec. 2.1, "vector-wise", on the side of the weights alone.
#include "linear.hpp"

#include <algorithm>

#include "schedule.hpp"
#include "tile.hpp"

namespace bimodal::native {
namespace {

static_assert(kInputStep % W == 0);

constexpr int kMaxRows = kVectorRegisters == 32 ? 6 : 3;    // rows of x that share a pass over the weights
// Outputs under way at once: with one row, enough of them to hide the latency of a multiply-add.
constexpr int outputs_together(int rows) { return std::min(W, rows == 1 ? 8 : kVectorRegisters == 32 ? 4 : 2); }

// x / (1 + exp(-2u)) is x/2 (1 + tanh u).
BIMODAL_INLINE Vec gelu_tanh(Vec x) {
  constexpr float kSqrt2OverPi = 0.797884560802865356f, kLog2E = 1.44269504088896341f;
  const Vec u = x * (broadcast(1.0f) + broadcast(0.044715f) * x * x) * broadcast(kSqrt2OverPi);
  const Vec exponent = u * broadcast(-2 * kLog2E), limit = broadcast(126.0f);
  return x / (broadcast(1.0f) + exp2(exponent < limit ? exponent : limit));
}

// The first `count` <= W of p, then zeros.
BIMODAL_INLINE Vec load_some(const float* p, int count) {
  if (count == W) return load(p);
  float some[W] = {};
  std::copy_n(p, count, some);
  return load(some);
}

BIMODAL_INLINE void store_some(float* p, Vec x, int count) {
  if (count == W) return store(p, x);
  float some[W];
  store(some, x);
  std::copy_n(some, count, p);
}

// Outputs [first, first + W), as far as there are so many, of rows [row, row + N).
template <int N, class T>
void outputs_of_rows(const LinearParams& p, int64_t row, int64_t first) {
  constexpr int M = outputs_together(N);
  const int64_t inputs = p.weight.inputs, outputs = p.weight.outputs;
  const float* x = p.x + row * inputs;
  Vec products[N][W];
  for (int i = 0; i < W; i += M) {
    const T* weight[M];
    for (int u = 0; u < M; u++) {
      weight[u] = static_cast<const T*>(p.weight.data) + std::min(first + i + u, outputs - 1) * inputs;
    }
    Vec sums[M][N] = {};
    for (int64_t k = 0; k < inputs; k += W) {
      // The next outputs' weights: rows are too short for the hardware to see them coming.
      BIMODAL_UNROLL for (int u = 0; u < M; u++) __builtin_prefetch(weight[u] + k + M * inputs, 0, 2);
      Vec w[M];
      BIMODAL_UNROLL for (int u = 0; u < M; u++) w[u] = load(weight[u] + k);
      BIMODAL_UNROLL for (int n = 0; n < N; n++) {
        const Vec input = load(x + n * inputs + k);
        BIMODAL_UNROLL for (int u = 0; u < M; u++) sums[u][n] += w[u] * input;
      }
    }
    BIMODAL_UNROLL for (int n = 0; n < N; n++) {
      BIMODAL_UNROLL for (int u = 0; u < M; u++) products[n][i + u] = sums[u][n];
    }
  }
  const int count = static_cast<int>(std::min<int64_t>(W, outputs - first));
  const Vec bias = p.bias ? load_some(p.bias + first, count) : Vec{};
  const Vec scale = p.weight.scale ? load_some(p.weight.scale + first, count) : broadcast(1.0f);
  for (int n = 0; n < N; n++) {
    const int64_t at = (row + n) * outputs + first;
    Vec y = sum_each(products[n]) * scale + bias;
    if (p.activation == Activation::gelu_tanh) y = gelu_tanh(y);
    y *= broadcast(p.factor);
    if (p.residual) y += load_some(p.residual + at, count);
    store_some(p.y + at, y, count);
  }
}

}  // namespace

void linear(const LinearParams& p, const Pool& pool) {
  const double multiply_adds = static_cast<double>(p.rows) * static_cast<double>(p.weight.outputs * p.weight.inputs);
  deal_out((p.weight.outputs + W - 1) / W, pool_for(multiply_adds, pool), [&](int64_t task) {
    for (int64_t row = 0; row < p.rows;) {
      const int count = next_piece(static_cast<int>(p.rows - row), kMaxRows);
      with_constant<kMaxRows>(count, [&](auto n) {
        if (p.weight.scale) {
          outputs_of_rows<n, int8_t>(p, row, task * W);
        } else {
          outputs_of_rows<n, float>(p, row, task * W);
        }
      });
      row += count;
    }
  });
}

}  // namespace bimodal::native
