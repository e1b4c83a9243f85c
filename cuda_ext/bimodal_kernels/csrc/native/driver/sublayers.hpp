// The sub-layers on arrays that own exactly their memory, results starting as NaN: for sanitizers. What they compute is compared with
// its definition in Python (check/sublayers.py); here every result must be a number.
#pragma once

#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "../sublayers.hpp"

namespace bimodal::native {

inline void multiply_plainly(int64_t rows, int64_t columns, int64_t depth, const Matrix& left, const Matrix& right, float* result) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) {
      double sum = 0;
      for (int64_t k = 0; k < depth; k++) {
        sum += left.data[i * left.row_stride + k * left.column_stride] * right.data[k * right.row_stride + j * right.column_stride];
      }
      result[i * columns + j] = static_cast<float>(sum);
    }
  }
}

struct SublayerProblem {
  int64_t batch, positions, keys, heads, head_dim, hidden;
  double dropout;
};

// Arrays that live as long as this does.
class Arrays {
 public:
  float* drawn(int64_t size) {
    std::vector<float>& array = all_.emplace_back(size);
    std::normal_distribution<float> normal;
    for (float& x : array) x = normal(random_);
    return array.data();
  }
  float* result(int64_t size) {
    results_.push_back(all_.size());
    return all_.emplace_back(size, std::numeric_limits<float>::quiet_NaN()).data();
  }
  // Whether everything that was to be written is a number.
  bool complete() const {
    for (size_t i : results_) {
      for (float x : all_[i]) {
        if (!std::isfinite(x)) return false;
      }
    }
    return true;
  }

 private:
  std::mt19937 random_{1};
  std::vector<std::vector<float>> all_;
  std::vector<size_t> results_;
};

inline bool run_sublayers(const SublayerProblem& p, const Pool& pool) {
  const Workers by{pool, multiply_plainly};
  const int64_t rows = p.batch * p.positions, width = p.heads * p.head_dim, size = rows * width, square = width * width;
  const int64_t sums = p.batch * p.heads * p.positions, memory = p.batch * p.keys * width;
  Arrays a;
  const float *x = a.drawn(size), *grad_out = a.drawn(size);
  const auto norm = [&] { return LayerNorm{rows, width, a.drawn(width), a.drawn(width), 1e-5f}; };
  const auto norm_gradients = [&] { return NormGradients{a.result(width), a.result(width)}; };
  const auto linear = [&](int64_t in, int64_t out) { return LinearLayer{rows, in, out, a.drawn(in * out), a.drawn(out)}; };
  const auto linear_gradients = [&](int64_t in, int64_t out) { return LinearWeights{a.result(in * out), a.result(out)}; };
  const auto in_memory = [&](float* data) { return Heads{data, p.keys * width, p.head_dim, width}; };

  const FeedForward feed_forward{norm(), linear(width, p.hidden), linear(p.hidden, width), Gelu::tanh, {p.dropout, 7}};
  const FeedForwardSaved hidden{a.result(2 * rows), a.result(size), a.result(rows * p.hidden), a.result(rows * p.hidden)};
  feed_forward_forward(feed_forward, x, hidden, a.result(size), by);
  feed_forward_backward(feed_forward, grad_out, x, hidden,
                        {a.result(size), norm_gradients(), linear_gradients(width, p.hidden), linear_gradients(p.hidden, width)}, by);

  const SelfAttention self{norm(), linear(width, 3 * width), linear(width, width), p.batch, p.heads, nullptr, true, 0.2f, {p.dropout, 7}};
  const SelfAttentionSaved seen{a.result(2 * rows), a.result(size), a.result(3 * size), a.result(size), a.result(sums)};
  self_attention_forward(self, x, seen, a.result(size), by);
  self_attention_backward(self, grad_out, x, seen,
                          {a.result(size), norm_gradients(), linear_gradients(width, 3 * width), linear_gradients(width, width)}, by);

  const CrossAttention cross{norm(), linear(width, width), {rows, width, width, a.drawn(square), nullptr}, a.drawn(1), p.batch, p.heads,
                             p.keys, in_memory(a.drawn(memory)), in_memory(a.drawn(memory)), nullptr, 0.2f};
  const CrossAttentionSaved asked{a.result(2 * rows), a.result(size), a.result(size), a.result(size), a.result(size), a.result(sums)};
  cross_attention_forward(cross, x, asked, a.result(size), by);
  cross_attention_backward(cross, grad_out, x, asked,
                           {a.result(size), in_memory(a.result(memory)), in_memory(a.result(memory)), norm_gradients(),
                            linear_gradients(width, width), a.result(square), a.result(1)},
                           by);
  return a.complete();
}

// Layers that a matrix unit serves and others, rows that fill its blocks and others; the number of those with a fault.
inline int sublayer_faults(const Pool& pool) {
  int faults = 0;
  for (const SublayerProblem& p : {SublayerProblem{1, 1, 1, 1, 32, 64, 0}, SublayerProblem{3, 11, 5, 2, 32, 96, 0.3},
                                   SublayerProblem{9, 101, 7, 1, 32, 544, 0.1}, SublayerProblem{2, 7, 3, 2, 12, 50, 0.3},
                                   SublayerProblem{5, 16, 4, 3, 7, 33, 0}}) {
    if (run_sublayers(p, pool)) continue;
    std::printf("sub-layers, %ld x %ld positions, %ld x %ld wide: a result is no number\n", long(p.batch), long(p.positions), long(p.heads),
                long(p.head_dim));
    faults++;
  }
  return faults;
}

}  // namespace bimodal::native
