// The one micro-kernel: a tile of C = A B that lives in registers.
//
// C[i][n] += sum over k of A[i, k] * B[k, n], where i counts rows, n vectors of W columns. Elements of A are broadcast, so
// A may lie in memory in any way (row and depth steps); rows of B are dense. All seven products of attention, two
// forward and five backward, have this form once scores are kept transposed (see blocking.hpp).
//
// Source: Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", sec. 4-6 (register tile, packed operand).
#pragma once

#include <algorithm>
#include <type_traits>

#include "simd.hpp"

namespace bimodal::native {

// Tiles of scores, [keys][vectors of queries], and of results, [positions][vectors of head_dim]. A multiply-add has a
// latency of 4 cycles on 2 ports, so at least 8 sums must be under way; N + 1 registers are left for operands.
// Of the shapes that fit, these load least for each multiply-add.
constexpr int kMaxScoreVectors = kVectorRegisters == 32 ? 4 : 2;
constexpr int max_score_keys(int vectors) {
  if (kVectorRegisters == 32) return vectors == 1 ? 16 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6;
  return vectors == 1 ? 10 : 6;
}
constexpr int kMaxResultRows = 6;
constexpr int kMaxResultVectors = kVectorRegisters == 32 ? 4 : 2;

template <int M, int N>
using Tile = Vec[M][N];

template <int M, int N>
BIMODAL_INLINE void multiply_add(Tile<M, N>& c, const float* a, int64_t a_row, int64_t a_depth, const float* b,
                                 int64_t b_depth, int64_t depth) {
  for (int64_t k = 0; k < depth; k++) {
    Vec row[N];
    BIMODAL_UNROLL for (int n = 0; n < N; n++) row[n] = load(b + n * W);
    BIMODAL_UNROLL for (int i = 0; i < M; i++) {
      Vec x = broadcast(a[i * a_row]);
      if constexpr (N > 1) keep_in_register(x);
      BIMODAL_UNROLL for (int n = 0; n < N; n++) c[i][n] += x * row[n];
    }
    a += a_depth;
    b += b_depth;
  }
}

// Calls f(integral_constant<n>) for a count 1 <= n <= kMax known only at run time: tiles need theirs at compile time.
template <int kMax, class F>
BIMODAL_INLINE void with_constant(int n, F f) {
  if constexpr (kMax == 1) {
    f(std::integral_constant<int, 1>{});
  } else if (n >= kMax) {
    f(std::integral_constant<int, kMax>{});
  } else {
    with_constant<kMax - 1>(n, f);
  }
}

// Calls f(integral_constant<head_dim>) for the widths that have code of their own, else f(integral_constant<0>): known at
// run time only. BIMODAL_ONE_WIDTH leaves out the former, which differ by a constant alone and take two thirds of the
// time to compile: for the sanitizers.
template <class F>
BIMODAL_INLINE void with_head_dim(int64_t head_dim, F f) {
#if !defined(BIMODAL_ONE_WIDTH)
  if (head_dim == 64) return f(std::integral_constant<int, 64>{});
  if (head_dim == 128) return f(std::integral_constant<int, 128>{});
#endif
  f(std::integral_constant<int, 0>{});
}

// The size of the next piece when `left` is cut into as few pieces of at most `largest` as possible, of even size:
// 17 keys by 8 are 6 + 6 + 5, not 8 + 8 + 1, for a tile of one row runs at a fraction of the speed.
BIMODAL_INLINE int next_piece(int left, int largest) {
  const int pieces = (left + largest - 1) / largest;
  return (left + pieces - 1) / pieces;
}

// Where a product over [row][head_dim] starts from and goes to. Rows are scaled, by `start_scale` what is there, by
// `result_scale` what comes out; null is no scale. A null start is zero.
struct Accumulation {
  const float* start;
  int64_t start_stride;
  const float* start_scale;
  float* result;
  int64_t result_stride;
  const float* result_scale;
};

struct Depth {
  int from, to;
};

// result[r] = result_scale[r] * (start_scale[r] * start[r] + sum over k in depth(r) of A[r, k] * B[k]), for r < rows.
// depth_of(first, count) is the range of k that rows [first, first + count) need. kHeadDim 0: known at run time only.
template <int kHeadDim, class DepthOf>
BIMODAL_INLINE void multiply_rows(int rows, int64_t head_dim, const float* a, int64_t a_row, int64_t a_depth, const float* b,
                                  int64_t b_stride, const Accumulation& to, DepthOf depth_of) {
  const int64_t dim = kHeadDim ? kHeadDim : head_dim;
  for (int r = 0; r < rows;) {
    const int count = next_piece(rows - r, kMaxResultRows);
    const Depth depth = depth_of(r, count);
    with_constant<kMaxResultRows>(count, [&](auto m) {
      for (int64_t d = 0; d < dim; d += kMaxResultVectors * W) {
        with_constant<kMaxResultVectors>(static_cast<int>((dim - d) / W), [&](auto n) {
          constexpr int M = m, N = n;
          Tile<M, N> c = {};
          if (to.start) {
            BIMODAL_UNROLL for (int i = 0; i < M; i++) {
              const float* start = to.start + (r + i) * to.start_stride + d;
              BIMODAL_UNROLL for (int v = 0; v < N; v++) c[i][v] = load(start + v * W);
              if (to.start_scale) {
                BIMODAL_UNROLL for (int v = 0; v < N; v++) c[i][v] *= broadcast(to.start_scale[r + i]);
              }
            }
          }
          multiply_add<M, N>(c, a + r * a_row + depth.from * a_depth, a_row, a_depth, b + depth.from * b_stride + d, b_stride,
                             depth.to - depth.from);
          BIMODAL_UNROLL for (int i = 0; i < M; i++) {
            if (to.result_scale) {
              BIMODAL_UNROLL for (int v = 0; v < N; v++) c[i][v] *= broadcast(to.result_scale[r + i]);
            }
            float* result = to.result + (r + i) * to.result_stride + d;
            BIMODAL_UNROLL for (int v = 0; v < N; v++) store(result + v * W, c[i][v]);
          }
        });
      }
    });
    r += count;
  }
}

}  // namespace bimodal::native
