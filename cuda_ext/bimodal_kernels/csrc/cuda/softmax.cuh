// Softmax one tile of scores at a time.
#pragma once
#include "layout.cuh"

namespace bimodal {

constexpr float kLog2OfE = 1.4426950408889634f, kLnOf2 = 0.6931471805599453f;

/// What a row of scores has added up to so far. A lane keeps two rows of each 16x16 block: `lane / 4` and that plus 8.
struct SoftmaxRow {
  float maximum = -INFINITY;  // of the unscaled scores
  float sum = 0.f;            // of this lane's 2^(scale_log2 (score - maximum)); the row's, once summed over its 4 lanes
};

/// The largest (or the sum) of what the 4 lanes that share a row hold.
BIMODAL_PRIMITIVE float row_maximum(float value) {
  value = fmaxf(value, prim::shuffle_xor(value, 1));
  return fmaxf(value, prim::shuffle_xor(value, 2));
}
BIMODAL_PRIMITIVE float row_sum(float value) {
  value += prim::shuffle_xor(value, 1);
  return value + prim::shuffle_xor(value, 2);
}

/// Turns 16 rows of scores into weights 2^(scale_log2 (score - maximum)) and brings what was summed under an older, smaller
/// maximum to the new one. Hidden scores are -inf; a row of nothing else keeps weights of 0.
///
/// Source: Dao 2023, FlashAttention-2, algorithm 1, lines 9 and 10; Milakov and Gimelshein 2018, algorithm 3.
template <int KeyBlocks, int DimBlocks>
BIMODAL_PRIMITIVE void online_softmax(Accumulator (&scores)[KeyBlocks][2], Accumulator (&out)[DimBlocks][2],
                                      SoftmaxRow (&rows)[2], float scale_log2) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float maximum = rows[half].maximum;
#pragma unroll
    for (int n = 0; n < KeyBlocks * 2; n++) {
      const Accumulator& block = scores[n / 2][n % 2];
      maximum = fmaxf(maximum, fmaxf(block[half * 2], block[half * 2 + 1]));
    }
    maximum = row_maximum(maximum);
    // -inf minus -inf would be NaN: a row that has seen nothing yet is shifted by 0.
    const float shift = maximum == -INFINITY ? 0.f : maximum * scale_log2;
    const float shrink = prim::exp2(rows[half].maximum * scale_log2 - shift);
    float sum = 0.f;
#pragma unroll
    for (int n = 0; n < KeyBlocks * 2; n++)
#pragma unroll
      for (int e = half * 2; e < half * 2 + 2; e++) {
        const float weight = prim::exp2(scores[n / 2][n % 2][e] * scale_log2 - shift);
        scores[n / 2][n % 2][e] = weight;
        sum += weight;
      }
#pragma unroll
    for (int n = 0; n < DimBlocks * 2; n++) {
      out[n / 2][n % 2][half * 2] *= shrink;
      out[n / 2][n % 2][half * 2 + 1] *= shrink;
    }
    rows[half] = {maximum, rows[half].sum * shrink + sum};
  }
}

/// Binary logarithm of sum over keys of 2^(scale_log2 * score); `row.sum` is the whole row's. -inf: saw nothing.
BIMODAL_PRIMITIVE float log2_sum_exp2(const SoftmaxRow& row, float scale_log2) {
  return row.sum > 0.f ? row.maximum * scale_log2 + prim::log2(row.sum) : -INFINITY;
}

/// What the sum of weighted values is multiplied by: 1 / sum, 0 for a row that saw nothing.
BIMODAL_PRIMITIVE float normaliser(const SoftmaxRow& row) { return row.sum > 0.f ? 1.f / row.sum : 0.f; }

}  // namespace bimodal
