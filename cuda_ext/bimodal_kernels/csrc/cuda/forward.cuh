// Attention, forward: out = softmax(scale query key^T) value, without ever holding the scores in memory.
//
// One block of 4 warps computes 128 queries of one head, each warp 32 of them. Keys and values come by in tiles; while one
// tile is worked on, the next is on its way into the other half of a double buffer, so that one barrier per tile is enough.
//
// Source: Dao 2023, FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning, algorithm 1.
#pragma once
#include "layout.cuh"
#include "params.hpp"
#include "softmax.cuh"
#include "visibility.cuh"

namespace bimodal {

/// How the forward kernel cuts its work, and what shared memory it needs.
template <int HeadDim>
struct ForwardTiling {
  static constexpr int kWarps = 4, kThreads = kWarps * prim::kWarp;
  static constexpr int kRowBlocks = 2;  // of 16 queries, per warp: each fragment of keys and values is loaded once for both
  static constexpr int kQueriesPerWarp = kRowBlocks * 16, kQueries = kWarps * kQueriesPerWarp;
  static constexpr int kKeys = HeadDim == 64 ? 64 : 32;  // per tile; registers and two blocks per multiprocessor
  static constexpr int kStages = 2;
  static constexpr int kRegisters = 240;  // per thread: two blocks fit; left to itself, ptxas takes all 255 and spills a few
  using QueryTile = Tile<kQueries, HeadDim>;
  using KeyTile = Tile<kKeys, HeadDim>;
  static constexpr int kSharedBytes = QueryTile::kBytes + kStages * 2 * KeyTile::kBytes;

  BIMODAL_PRIMITIVE static QueryTile query_tile() { return {reinterpret_cast<uint16_t*>(prim::shared_memory())}; }
  BIMODAL_PRIMITIVE static KeyTile key_tile(int stage) {
    return {query_tile().data + QueryTile::kElements + stage * 2 * KeyTile::kElements};
  }
  BIMODAL_PRIMITIVE static KeyTile value_tile(int stage) { return {key_tile(stage).data + KeyTile::kElements}; }
};

/// Writes 16 rows of results to global memory in whole 16-byte chunks. `tile` is the block's query tile, of which this warp
/// alone uses rows [row, row + 16).
template <class Format, int HeadDim, int Rows>
BIMODAL_PRIMITIVE void store_rows(Tile<Rows, HeadDim> tile, int row, const Accumulator (&out)[HeadDim / 16][2],
                                  uint16_t* matrix, int64_t row_stride, int first_row, int num_rows, int lane) {
  __syncwarp();  // every lane has read its queries
#pragma unroll
  for (int n = 0; n < HeadDim / 8; n++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const Accumulator& block = out[n / 2][n % 2];
      uint16_t* target = tile.element(row + accumulator_row(lane, half * 2), n * 8 + accumulator_column(lane, 0));
      *reinterpret_cast<uint32_t*>(target) = prim::pack<Format>(block[half * 2], block[half * 2 + 1]);
    }
  __syncwarp();
  constexpr int kLanesPerRow = HeadDim / kChunk, kRowsAtOnce = prim::kWarp / kLanesPerRow;
  const int column = lane % kLanesPerRow * kChunk;
#pragma unroll
  for (int start = 0; start < 16; start += kRowsAtOnce) {
    const int r = row + start + lane / kLanesPerRow;
    if (first_row + r < num_rows)
      *reinterpret_cast<Chunk*>(matrix + static_cast<int64_t>(first_row + r) * row_stride + column) =
          *reinterpret_cast<const Chunk*>(tile.chunk(r, column));
  }
}

template <class Format, int HeadDim, bool Causal>
__global__ void __maxnreg__(ForwardTiling<HeadDim>::kRegisters) forward_kernel(const ForwardParams params) {
  using Tiling = ForwardTiling<HeadDim>;
  constexpr int kKeyBlocks = Tiling::kKeys / 16, kDimBlocks = HeadDim / 16, kRowBlocks = Tiling::kRowBlocks;
  const Problem& problem = params.problem;
  const int lane = threadIdx.x % prim::kWarp, warp = threadIdx.x / prim::kWarp;
  const int head = blockIdx.y, batch = blockIdx.z, kv_head = head / problem.heads_per_kv_head();
  // With a causal mask the last queries see most keys: start with them, so that no long block starts last.
  const int query_block = Causal ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
  const int first_query = query_block * Tiling::kQueries;
  const int warp_query = first_query + warp * Tiling::kQueriesPerWarp;
  const int causal_offset = problem.causal_offset();
  const float scale_log2 = problem.scale * kLog2OfE;

  int num_keys = problem.keys;  // that any query of this block may see
  if (Causal) num_keys = min(num_keys, first_query + Tiling::kQueries + causal_offset);
  const int num_tiles = num_keys > 0 ? (num_keys + Tiling::kKeys - 1) / Tiling::kKeys : 0;

  const uint8_t* mask = problem.key_padding_mask.row(batch);
  const uint16_t* key = params.key.head(batch, kv_head);
  const uint16_t* value = params.value.head(batch, kv_head);
  const auto query_tile = Tiling::query_tile();
  const auto copy_keys_and_values = [&](int tile) {
    const int first_key = tile * Tiling::kKeys, stage = tile % Tiling::kStages;
    copy_tile_async<Tiling::kThreads>(Tiling::key_tile(stage), key, params.key.row_stride, first_key, problem.keys);
    copy_tile_async<Tiling::kThreads>(Tiling::value_tile(stage), value, params.value.row_stride, first_key, problem.keys);
  };
  if (num_tiles > 0) {
    copy_tile_async<Tiling::kThreads>(query_tile, params.query.head(batch, head), params.query.row_stride, first_query,
                                      problem.queries);
    copy_keys_and_values(0);
    prim::commit_copies();
  }

  Accumulator out[kRowBlocks][kDimBlocks][2] = {};
  SoftmaxRow rows[kRowBlocks][2];
  for (int tile = 0; tile < num_tiles; tile++) {
    prim::wait_copies<0>();
    __syncthreads();  // this tile is there for all, and all are done with the one before it, whose place the next takes
    if (tile + 1 < num_tiles) copy_keys_and_values(tile + 1);
    prim::commit_copies();

    const int first_key = tile * Tiling::kKeys, stage = tile % Tiling::kStages;
    const uint64_t kept = kept_keys<Tiling::kKeys>(mask, first_key, problem.keys, lane);
    const int last_visible = warp_query + Tiling::kQueriesPerWarp - 1 + causal_offset;
    // Nothing to see, or nobody to see it: the whole warp goes on to the next tile.
    if (kept == 0 || (Causal && first_key > last_visible) || warp_query >= problem.queries) continue;

    Accumulator scores[kRowBlocks][kKeyBlocks][2] = {};
#pragma unroll
    for (int k = 0; k < kDimBlocks; k++) {
      Fragment queries[kRowBlocks];
#pragma unroll
      for (int r = 0; r < kRowBlocks; r++)
        queries[r] = load_left(query_tile, warp * Tiling::kQueriesPerWarp + r * 16, k * 16, lane);
#pragma unroll
      for (int n = 0; n < kKeyBlocks; n++) {
        const Fragment keys = load_right_transposed(Tiling::key_tile(stage), n * 16, k * 16, lane);
#pragma unroll
        for (int r = 0; r < kRowBlocks; r++) multiply<Format>(scores[r][n], queries[r], keys);
      }
    }

    const bool all_visible =
        kept == kAllKeys<Tiling::kKeys> && (!Causal || first_key + Tiling::kKeys - 1 <= warp_query + causal_offset);
#pragma unroll
    for (int r = 0; r < kRowBlocks; r++) {
      if (!all_visible) hide_scores<Causal>(scores[r], kept, warp_query + r * 16, first_key, causal_offset, lane);
      online_softmax(scores[r], out[r], rows[r], scale_log2);
    }

#pragma unroll
    for (int k = 0; k < kKeyBlocks; k++) {
      Fragment weights[kRowBlocks];
#pragma unroll
      for (int r = 0; r < kRowBlocks; r++) weights[r] = as_left<Format>(scores[r][k]);
#pragma unroll
      for (int n = 0; n < kDimBlocks; n++) {
        const Fragment values = load_right(Tiling::value_tile(stage), k * 16, n * 16, lane);
#pragma unroll
        for (int r = 0; r < kRowBlocks; r++) multiply<Format>(out[r][n], weights[r], values);
      }
    }
  }

  float* log_sum_exp = params.log_sum_exp + (static_cast<int64_t>(batch) * problem.heads + head) * problem.queries;
#pragma unroll
  for (int r = 0; r < kRowBlocks; r++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      SoftmaxRow& row = rows[r][half];
      row.sum = row_sum(row.sum);
      const float scale = normaliser(row);
#pragma unroll
      for (int n = 0; n < kDimBlocks * 2; n++) {
        out[r][n / 2][n % 2][half * 2] *= scale;
        out[r][n / 2][n % 2][half * 2 + 1] *= scale;
      }
      const int query = warp_query + r * 16 + accumulator_row(lane, half * 2);
      if (lane % 4 == 0 && query < problem.queries) log_sum_exp[query] = log2_sum_exp2(row, scale_log2) * kLnOf2;
    }
    store_rows<Format, HeadDim>(query_tile, warp * Tiling::kQueriesPerWarp + r * 16, out[r], params.out.head(batch, head),
                                params.out.row_stride, first_query, problem.queries, lane);
  }
}

}  // namespace bimodal
