// Into how many splits decode cuts the keys. Plain C++.
#pragma once
#include <algorithm>
#include <cstdint>

namespace bimodal {

constexpr int kDecodeHeads = 16;  // query heads of one key/value head that a block takes
constexpr int kDecodeKeys = 64;   // per tile; splits are whole tiles

constexpr int rounded_up_quotient(int items, int size) { return (items + size - 1) / size; }

/// Blocks that one split takes, for one batch entry.
constexpr int decode_blocks_per_split(int heads, int kv_heads) {
  return kv_heads * rounded_up_quotient(heads / kv_heads, kDecodeHeads);
}

/// How many splits keep `sm_count` multiprocessors busy; 1 where batch and heads do already. None of them stays empty.
constexpr int decode_splits(int batch, int heads, int kv_heads, int max_length, int sm_count) {
  constexpr int kBlocksPerMultiprocessor = 2;  // what shared memory allows on every target but the smallest
  const int tiles = std::max(1, rounded_up_quotient(max_length, kDecodeKeys));
  const int64_t blocks = std::max<int64_t>(1, static_cast<int64_t>(batch) * decode_blocks_per_split(heads, kv_heads));
  const int64_t wanted = kBlocksPerMultiprocessor * static_cast<int64_t>(sm_count) / blocks;
  const int splits = static_cast<int>(std::clamp<int64_t>(wanted, 1, tiles));
  return rounded_up_quotient(tiles, rounded_up_quotient(tiles, splits));
}

static_assert(decode_splits(1, 8, 8, 64, 108) == 1, "one tile cannot be cut");
static_assert(decode_splits(64, 12, 12, 4096, 108) == 1, "768 blocks fill 108 multiprocessors");
static_assert(decode_splits(1, 8, 1, 8192, 108) == 128, "one block: as many splits as there are tiles");
static_assert(decode_splits(1, 8, 8, 8192, 108) == 26, "27 splits would fit; 5 tiles each make 26");
static_assert(decode_splits(1, 8, 8, 0, 108) == 1 && decode_splits(0, 8, 8, 64, 108) == 1, "nothing to do");

}  // namespace bimodal
