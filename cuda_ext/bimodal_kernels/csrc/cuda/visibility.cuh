// Which key is visible to which query.
#pragma once
#include "layout.cuh"

namespace bimodal {

/// Bit k: key first_key + k exists and is kept by the mask (`mask`: the batch entry's row, or null). The same in all
/// lanes; the warp reads the mask together, one byte per lane.
template <int Keys>
BIMODAL_PRIMITIVE uint64_t kept_keys(const uint8_t* mask, int first_key, int num_keys, int lane) {
  static_assert(Keys % prim::kWarp == 0 && Keys <= 64, "one bit per key, one ballot per 32 of them");
  uint64_t kept = 0;
#pragma unroll
  for (int start = 0; start < Keys; start += prim::kWarp) {
    const int key = first_key + start + lane;
    const bool keep = key < num_keys && (mask == nullptr || mask[key] != 0);
    kept |= static_cast<uint64_t>(prim::ballot(keep)) << start;
  }
  return kept;
}

/// kept_keys of a tile that hides nothing.
template <int Keys>
constexpr uint64_t kAllKeys = ~uint64_t{0} >> (64 - Keys);

/// Sets the scores of hidden keys to -inf. `row`: first of the 16 queries.
template <bool Causal, int KeyBlocks>
BIMODAL_PRIMITIVE void hide_scores(Accumulator (&scores)[KeyBlocks][2], uint64_t kept, int row, int first_key,
                                   int causal_offset, int lane) {
  const uint64_t own = kept >> accumulator_column(lane, 0);  // from here on, bits at places known to the compiler
#pragma unroll
  for (int n = 0; n < KeyBlocks * 2; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int key = first_key + n * 8 + accumulator_column(lane, e), query = row + accumulator_row(lane, e);
      const bool visible = (own >> (n * 8 + e % 2) & 1) && (!Causal || key <= query + causal_offset);
      if (!visible) scores[n / 2][n % 2][e] = -INFINITY;
    }
}

}  // namespace bimodal
