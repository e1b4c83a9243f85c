// How rows of fp32 become operands (matrix_unit.hpp); what fills up the last tile or step is 0.
#pragma once

#include "blocking.hpp"
#include "matrix_unit.hpp"
#include "rows.hpp"

namespace bimodal::native {

#if defined(BIMODAL_MATRIX_UNIT)

// What a block's queries see of a square of kTileDepth keys (blocking.hpp has the same for blocks of keys on vectors).
struct SquareView {
  bool hides = false;                     // some of them are hidden to some query; else `bound` says nothing
  alignas(64) float bound[kTileDepth];    // key j is visible to query i iff bound[j] <= i; +-inf: never, always

  // Square number `square` of the span; causal: key j is visible to query i iff j <= i + cut.
  void look_at(int64_t square, const KeySpan& span, const bool* keep, bool causal, int64_t cut) {
    const int64_t first = span.first + square * kTileDepth, count = std::min<int64_t>(kTileDepth, span.last - first);
    hides = keep || count < kTileDepth || (causal && first + kTileDepth - 1 > cut);
    if (!hides) return;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (int j = 0; j < kTileDepth; j++) {
      const bool there = j < count && (!keep || keep[first + j]);
      bound[j] = !there ? infinity : causal ? static_cast<float>(first + j - cut) : -infinity;
    }
  }
};

// Rows [0, count), from which `row` and the operands count.
struct SplitSource {
  const Rows& rows;
  int64_t count;
  float scale = 1;

  BIMODAL_INLINE Vec at(int64_t row, int64_t d) const {
    return row < count ? load(rows.data + row * rows.stride + d) * broadcast(scale) : Vec{};
  }
};

inline int64_t whole_steps(int64_t count) { return (count + kTileDepth - 1) / kTileDepth; }

// left[rows][head_dim]: of tiles [0, tiles).
inline void split_as_left(const Operand& left, const SplitSource& source, int64_t tiles, int64_t dim) {
  for (int64_t i = 0; i < tiles * kTileRows; i++) {
    for (int64_t d = 0; d < dim; d += kTileDepth) {
      store_pairs(left.at(i / kTileRows, d / kTileDepth), i % kTileRows, source.at(i, d), source.at(i, d + W));
    }
  }
}

// right[rows][head_dim]: rows are the depth, of steps [0, steps).
inline void split_as_right(const Operand& right, const SplitSource& source, int64_t steps, int64_t dim) {
  for (int64_t step = 0; step < steps; step++) {
    for (int64_t d = 0; d < dim; d += W) {
      SplitTile* tile = right.at(d / kTileRows, step);
      for (int i = 0; i < W; i++) {
        const int64_t row = step * kTileDepth + i;
        store_pairs(tile, i, source.at(row, d), source.at(row + W, d));
      }
    }
  }
}

template <class Read>
BIMODAL_INLINE void store_transposed(SplitTile* tile, Read read) {
  Vec low[W], high[W];
  BIMODAL_UNROLL for (int i = 0; i < W; i++) low[i] = read(i, 0);
  transpose(low);
  BIMODAL_UNROLL for (int i = 0; i < W; i++) high[i] = read(i, 1);
  transpose(high);
  BIMODAL_UNROLL for (int i = 0; i < W; i++) store_pairs(tile, i, low[i], high[i]);
}

// right[head_dim][rows]: head_dim is the depth; of tiles [0, tiles) of rows.
inline void split_transposed_as_right(const Operand& right, const SplitSource& source, int64_t tiles, int64_t dim) {
  for (int64_t tile = 0; tile < tiles; tile++) {
    for (int64_t d = 0; d < dim; d += kTileDepth) {
      store_transposed(right.at(tile, d / kTileDepth), [&](int i, int half) { return source.at(tile * kTileRows + i, d + half * W); });
    }
  }
}

// left[head_dim][rows]: rows are the depth, of steps [0, steps).
inline void split_transposed_as_left(const Operand& left, const SplitSource& source, int64_t steps, int64_t dim) {
  for (int64_t step = 0; step < steps; step++) {
    for (int64_t d = 0; d < dim; d += W) {
      store_transposed(left.at(d / kTileRows, step), [&](int i, int half) { return source.at(step * kTileDepth + half * W + i, d); });
    }
  }
}

#endif

}  // namespace bimodal::native
