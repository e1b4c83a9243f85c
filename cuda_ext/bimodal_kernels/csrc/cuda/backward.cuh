// Attention, backward. With S = scale Q K^T, P = softmax(S) = exp(S - L) and dO the gradient of O = P V:
//
//     dV = P^T dO        dP = dO V^T        dS = P o (dP - D),  D_i = sum_d O_id dO_id        dQ = scale dS K
//                                                                                             dK = scale dS^T Q
//
// P is computed again from the log-sum-exp L that forward saved. Two passes, each of which owns what it writes and sums
// in a fixed order: no atomics, so the same inputs give the same bits. The price is that S and dP are computed twice
// (7 products instead of 5). backward_key_value.cuh has the pass for dK and dV, backward_query.cuh the one for dQ; this
// file has what comes before them (D) and what they share.
//
// Source: Dao 2023, FlashAttention-2, algorithm 2 (which adds to dQ atomically) and sec. 3.1.
#pragma once
#include "layout.cuh"
#include "params.hpp"
#include "softmax.cuh"

namespace bimodal {

/// How the first kernel, which computes D, cuts its work: the lanes of a row read it in one go.
template <int HeadDim>
struct RowDotTiling {
  static constexpr int kThreads = 128, kLanesPerRow = HeadDim / kChunk, kQueries = kThreads / kLanesPerRow;
};

/// Sum over the 8 elements of two chunks of their products, in fp32.
template <class Format>
BIMODAL_PRIMITIVE float dot(const Chunk& a, const Chunk& b) {
  float sum = 0.f;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const prim::Pair x = prim::unpack<Format>(a.words[i]), y = prim::unpack<Format>(b.words[i]);
    sum += x.low * y.low + x.high * y.high;
  }
  return sum;
}

/// D: row_dot[batch, head, query] = sum over head_dim of out * grad_out.
template <class Format, int HeadDim>
__global__ void __launch_bounds__(RowDotTiling<HeadDim>::kThreads) row_dot_kernel(const BackwardParams params) {
  using Tiling = RowDotTiling<HeadDim>;
  const Problem& problem = params.problem;
  const int head = blockIdx.y, batch = blockIdx.z;
  const int query = blockIdx.x * Tiling::kQueries + threadIdx.x / Tiling::kLanesPerRow;
  const int column = threadIdx.x % Tiling::kLanesPerRow * kChunk;
  float sum = 0.f;
  if (query < problem.queries) {
    const uint16_t* out = params.out.head(batch, head) + query * params.out.row_stride + column;
    const uint16_t* grad = params.grad_out.head(batch, head) + query * params.grad_out.row_stride + column;
    sum = dot<Format>(*reinterpret_cast<const Chunk*>(out), *reinterpret_cast<const Chunk*>(grad));
  }
#pragma unroll
  for (int distance = Tiling::kLanesPerRow / 2; distance > 0; distance /= 2) sum += prim::shuffle_xor(sum, distance);
  if (query < problem.queries && column == 0)
    params.row_dot[(static_cast<int64_t>(batch) * problem.heads + head) * problem.queries + query] = sum;
}

/// What a row of scores is shifted by, so that weight = 2^(scale_log2 score - shift). A row that saw nothing
/// (log-sum-exp -inf) is shifted by +inf: its weights are 0.
BIMODAL_PRIMITIVE float softmax_shift(float log_sum_exp) {
  return log_sum_exp == -INFINITY ? INFINITY : log_sum_exp * kLog2OfE;
}

/// sums += A B^T: A is RowBlocks * 16 rows of `left`, from `row` on; B is ColumnBlocks * 16 rows of `right`, from
/// `right_row` on.
template <class Format, int RowBlocks, int ColumnBlocks, int LeftRows, int RightRows, int HeadDim>
BIMODAL_PRIMITIVE void multiply_transposed(Accumulator (&sums)[RowBlocks][ColumnBlocks][2],
                                           Tile<LeftRows, HeadDim> left, int row, Tile<RightRows, HeadDim> right,
                                           int right_row, int lane) {
#pragma unroll
  for (int k = 0; k < HeadDim / 16; k++) {
    Fragment rows[RowBlocks];
#pragma unroll
    for (int r = 0; r < RowBlocks; r++) rows[r] = load_left(left, row + r * 16, k * 16, lane);
#pragma unroll
    for (int n = 0; n < ColumnBlocks; n++) {
      const Fragment columns = load_right_transposed(right, right_row + n * 16, k * 16, lane);
#pragma unroll
      for (int r = 0; r < RowBlocks; r++) multiply<Format>(sums[r][n], rows[r], columns);
    }
  }
}

/// sums += A B: A is the result of an earlier product, rounded to 16 bits; B is InnerBlocks * 16 rows of `right`, from
/// `right_row` on.
template <class Format, int RowBlocks, int InnerBlocks, int RightRows, int HeadDim>
BIMODAL_PRIMITIVE void multiply_rounded(Accumulator (&sums)[RowBlocks][HeadDim / 16][2],
                                        const Accumulator (&left)[RowBlocks][InnerBlocks][2],
                                        Tile<RightRows, HeadDim> right, int right_row, int lane) {
#pragma unroll
  for (int k = 0; k < InnerBlocks; k++) {
    Fragment rows[RowBlocks];
#pragma unroll
    for (int r = 0; r < RowBlocks; r++) rows[r] = as_left<Format>(left[r][k]);
#pragma unroll
    for (int n = 0; n < HeadDim / 16; n++) {
      const Fragment columns = load_right(right, right_row + k * 16, n * 16, lane);
#pragma unroll
      for (int r = 0; r < RowBlocks; r++) multiply<Format>(sums[r][n], rows[r], columns);
    }
  }
}

/// sums *= factor.
template <int Blocks>
BIMODAL_PRIMITIVE void scale_sums(Accumulator (&sums)[Blocks][2], float factor) {
#pragma unroll
  for (int n = 0; n < Blocks * 2; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) sums[n / 2][n % 2][e] *= factor;
}

}  // namespace bimodal
