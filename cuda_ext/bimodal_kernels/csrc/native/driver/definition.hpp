// Tensors that own exactly their memory, and attention by its definition in double: slow, and sharing no code with the kernels.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "../attention.hpp"

namespace bimodal::native {

// [batch, heads, positions, head_dim], laid out [batch, positions, heads, head_dim]; starts as NaN.
struct Tensor {
  int64_t batch, num_heads, positions, head_dim;
  Storage storage;
  std::vector<float> words;        // one of the two is in use
  std::vector<uint16_t> halves;

  Tensor(int64_t b, int64_t h, int64_t n, int64_t d, Storage kind)
      : batch(b), num_heads(h), positions(n), head_dim(d), storage(kind),
        words(kind == Storage::float32 ? b * h * n * d : 0, std::numeric_limits<float>::quiet_NaN()),
        halves(kind == Storage::bfloat16 ? b * h * n * d : 0, 0x7fc0) {}

  Heads heads() {
    void* data = storage == Storage::float32 ? static_cast<void*>(words.data()) : halves.data();
    return {data, positions * num_heads * head_dim, head_dim, num_heads * head_dim};
  }

  void fill_normal(std::mt19937& random) {
    std::normal_distribution<float> normal;
    for (float& x : words) x = normal(random);
    for (uint16_t& x : halves) x = static_cast<uint16_t>(std::bit_cast<uint32_t>(normal(random)) >> 16);
  }

  double at(int64_t b, int64_t h, int64_t i, int64_t d) const {
    const int64_t place = ((b * positions + i) * num_heads + h) * head_dim + d;
    return storage == Storage::float32 ? words[place] : std::bit_cast<float>(static_cast<uint32_t>(halves[place]) << 16);
  }

  // All elements, in the order [batch, heads, positions, head_dim].
  std::vector<double> values() const {
    std::vector<double> all;
    for (int64_t b = 0; b < batch; b++)
      for (int64_t h = 0; h < num_heads; h++)
        for (int64_t i = 0; i < positions; i++)
          for (int64_t d = 0; d < head_dim; d++) all.push_back(at(b, h, i, d));
    return all;
  }
};

struct Definition {
  std::vector<double> out, log_sum_exp, grad_query, grad_key, grad_value;
};

inline Definition define(const Shape& s, const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& grad_out,
                         const bool* keep, bool causal, double scale) {
  const int64_t rows = s.batch * s.heads * s.queries, keys = s.batch * s.kv_heads * s.keys, dim = s.head_dim;
  Definition result{std::vector<double>(rows * dim), std::vector<double>(rows, -std::numeric_limits<double>::infinity()),
                    std::vector<double>(rows * dim), std::vector<double>(keys * dim), std::vector<double>(keys * dim)};
  for (int64_t row = 0; row < rows; row++) {
    const int64_t b = row / (s.heads * s.queries), h = row / s.queries % s.heads, i = row % s.queries;
    const int64_t g = h / (s.heads / s.kv_heads);
    const auto dot = [&](const Tensor& left, const Tensor& right, int64_t j) {
      double sum = 0;
      for (int64_t d = 0; d < dim; d++) sum += left.at(b, h, i, d) * right.at(b, g, j, d);
      return sum;
    };
    std::vector<int64_t> seen;
    for (int64_t j = 0; j < s.keys; j++) {
      if ((!keep || keep[b * s.keys + j]) && (!causal || j <= i + s.keys - s.queries)) seen.push_back(j);
    }
    if (seen.empty()) continue;
    std::vector<double> weight;
    for (int64_t j : seen) weight.push_back(scale * dot(query, key, j));
    const double top = *std::max_element(weight.begin(), weight.end());
    double sum = 0, delta = 0;
    for (double& w : weight) sum += w = std::exp(w - top);
    result.log_sum_exp[row] = top + std::log(sum);
    std::vector<double> grad_weight;
    for (size_t n = 0; n < seen.size(); n++) {
      weight[n] /= sum;
      grad_weight.push_back(dot(grad_out, value, seen[n]));
      delta += weight[n] * grad_weight[n];
    }
    for (size_t n = 0; n < seen.size(); n++) {
      const double grad_score = scale * weight[n] * (grad_weight[n] - delta);
      const int64_t place = ((b * s.kv_heads + g) * s.keys + seen[n]) * dim;
      for (int64_t d = 0; d < dim; d++) {
        result.out[row * dim + d] += weight[n] * value.at(b, g, seen[n], d);
        result.grad_query[row * dim + d] += grad_score * key.at(b, g, seen[n], d);
        result.grad_key[place + d] += grad_score * query.at(b, h, i, d);
        result.grad_value[place + d] += weight[n] * grad_out.at(b, h, i, d);
      }
    }
  }
  return result;
}

}  // namespace bimodal::native
