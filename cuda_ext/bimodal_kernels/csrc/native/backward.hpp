// What the ways to do the backward pass share.
#pragma once

#include <numbers>

#include "attention.hpp"
#include "blocking.hpp"

namespace bimodal::native {

// delta[query] = scale * sum over d of grad_out * out; 0 for the queries that fill up the last vector.
inline void row_dots(float* delta, const Rows& grad_out, const Rows& out, const QueryBlock& block, int64_t dim, float scale) {
  for (int v = 0; v < block.vectors; v++) {
    Vec products[W];
    BIMODAL_UNROLL for (int i = 0; i < W; i++) {
      const int row = v * W + i;
      Vec sum = {};
      if (row < block.rows) {
        for (int64_t d = 0; d < dim; d += W) {
          sum += load(grad_out.data + row * grad_out.stride + d) * load(out.data + row * out.stride + d);
        }
      }
      products[i] = sum;
    }
    store(delta + v * W, sum_each(products) * broadcast(scale));
  }
}

// log_sum_exp in base 2, in two parts: `high` as rounded, `low` what rounding cut off (it would be the largest error of
// the gradients). For queries that saw nothing (or fill up the vector) so large that weights are 0.
inline void base2_log_sums(float* high, float* low, const float* log_sum_exp, const QueryBlock& block) {
  for (int r = 0; r < block.vectors * W; r++) {
    const bool seen = r < block.rows && log_sum_exp[r] > -std::numeric_limits<float>::infinity();
    const double exact = seen ? log_sum_exp[r] * std::numbers::log2e : -double{kHidden};
    high[r] = static_cast<float>(exact);
    low[r] = static_cast<float>(exact - high[r]);
  }
}

// sums[part][key][head_dim], added up in order of the parts, to a gradient's key head.
inline void add_parts(float* sums, int64_t parts, const BackwardParams& p, const Heads& gradient, int64_t b, int64_t key_head) {
  const int64_t dim = padded_head_dim(p.shape), size = p.shape.keys * dim;
  for (int64_t part = 1; part < parts; part++) {
    for (int64_t i = 0; i < size; i += W) store(sums + i, load(sums + i) + load(sums + part * size + i));
  }
  copy_rows_out({sums, dim}, gradient, p.shape, p.storage, b, key_head, 0, p.shape.keys);
}

}  // namespace bimodal::native
