// Backward, the pass for dQ: one block of 4 warps owns the queries of one tile and walks over the keys, as forward does.
#pragma once
#include "backward.cuh"
#include "forward.cuh"
#include "visibility.cuh"

namespace bimodal {

/// How the pass for dQ cuts its work, and what shared memory it needs.
template <int HeadDim>
struct QueryGradTiling {
  static constexpr int kWarps = 4, kThreads = kWarps * prim::kWarp;
  static constexpr int kRowBlocks = HeadDim == 64 ? 2 : 1;  // of 16 queries, per warp
  static constexpr int kQueriesPerWarp = kRowBlocks * 16, kQueries = kWarps * kQueriesPerWarp;
  static constexpr int kKeys = 32;  // per tile
  static constexpr int kStages = 2;
  using QueryTile = Tile<kQueries, HeadDim>;
  using KeyTile = Tile<kKeys, HeadDim>;
  static constexpr int kSharedBytes = 2 * QueryTile::kBytes + kStages * 2 * KeyTile::kBytes;

  BIMODAL_PRIMITIVE static QueryTile query_tile() { return {reinterpret_cast<uint16_t*>(prim::shared_memory())}; }
  BIMODAL_PRIMITIVE static QueryTile grad_out_tile() { return {query_tile().data + QueryTile::kElements}; }
  BIMODAL_PRIMITIVE static KeyTile key_tile(int stage) {
    return {query_tile().data + 2 * QueryTile::kElements + stage * 2 * KeyTile::kElements};
  }
  BIMODAL_PRIMITIVE static KeyTile value_tile(int stage) { return {key_tile(stage).data + KeyTile::kElements}; }
};

/// What a lane must know of its two rows of each 16x16 block: `lane / 4` and that plus 8.
struct RowStatistics {
  float shift, dot;
};

/// Turns scores into their gradients, given the gradients of the weights.
template <int KeyBlocks>
BIMODAL_PRIMITIVE void score_grads_from_scores(Accumulator (&scores)[KeyBlocks][2],
                                               const Accumulator (&weight_grads)[KeyBlocks][2],
                                               const RowStatistics (&rows)[2], float scale_log2) {
#pragma unroll
  for (int n = 0; n < KeyBlocks * 2; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      float& score = scores[n / 2][n % 2][e];
      const RowStatistics& row = rows[e / 2];
      const float weight = prim::exp2(score * scale_log2 - row.shift);
      score = weight * (weight_grads[n / 2][n % 2][e] - row.dot);
    }
}

template <class Format, int HeadDim, bool Causal>
__global__ void __launch_bounds__(QueryGradTiling<HeadDim>::kThreads, 2) query_grad_kernel(const BackwardParams params) {
  using Tiling = QueryGradTiling<HeadDim>;
  constexpr int kRowBlocks = Tiling::kRowBlocks, kKeyBlocks = Tiling::kKeys / 16;
  const Problem& problem = params.problem;
  const int lane = threadIdx.x % prim::kWarp, warp = threadIdx.x / prim::kWarp;
  const int head = blockIdx.y, batch = blockIdx.z, kv_head = head / problem.heads_per_kv_head();
  // With a causal mask the last queries see most keys: start with them, so that no long block starts last.
  const int query_block = Causal ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
  const int first_query = query_block * Tiling::kQueries;
  const int warp_row = warp * Tiling::kQueriesPerWarp, warp_query = first_query + warp_row;
  const int causal_offset = problem.causal_offset();

  int num_keys = problem.keys;  // that any query of this block may see
  if (Causal) num_keys = min(num_keys, first_query + Tiling::kQueries + causal_offset);
  const int num_tiles = num_keys > 0 ? (num_keys + Tiling::kKeys - 1) / Tiling::kKeys : 0;

  const uint8_t* mask = problem.key_padding_mask.row(batch);
  const auto copy_keys_and_values = [&](int tile) {
    const int first_key = tile * Tiling::kKeys, stage = tile % Tiling::kStages;
    copy_tile_async<Tiling::kThreads>(Tiling::key_tile(stage), params.key.head(batch, kv_head), params.key.row_stride,
                                      first_key, problem.keys);
    copy_tile_async<Tiling::kThreads>(Tiling::value_tile(stage), params.value.head(batch, kv_head),
                                      params.value.row_stride, first_key, problem.keys);
  };
  if (num_tiles > 0) {
    copy_tile_async<Tiling::kThreads>(Tiling::query_tile(), params.query.head(batch, head), params.query.row_stride,
                                      first_query, problem.queries);
    copy_tile_async<Tiling::kThreads>(Tiling::grad_out_tile(), params.grad_out.head(batch, head),
                                      params.grad_out.row_stride, first_query, problem.queries);
    copy_keys_and_values(0);
    prim::commit_copies();
  }

  RowStatistics rows[kRowBlocks][2];
#pragma unroll
  for (int r = 0; r < kRowBlocks * 2; r++) {
    const int query = warp_query + r / 2 * 16 + accumulator_row(lane, r % 2 * 2);
    const int64_t index = (static_cast<int64_t>(batch) * problem.heads + head) * problem.queries + query;
    const bool exists = query < problem.queries;
    rows[r / 2][r % 2] = {exists ? softmax_shift(params.log_sum_exp[index]) : INFINITY,
                          exists ? params.row_dot[index] : 0.f};
  }

  Accumulator grad_query[kRowBlocks][HeadDim / 16][2] = {};
  for (int tile = 0; tile < num_tiles; tile++) {
    prim::wait_copies<0>();
    __syncthreads();  // this tile is there for all, and all are done with the one before it, whose place the next takes
    if (tile + 1 < num_tiles) copy_keys_and_values(tile + 1);
    prim::commit_copies();

    const int first_key = tile * Tiling::kKeys, stage = tile % Tiling::kStages;
    const uint64_t kept = kept_keys<Tiling::kKeys>(mask, first_key, problem.keys, lane);
    const int last_visible = warp_query + Tiling::kQueriesPerWarp - 1 + causal_offset;
    if (kept == 0 || (Causal && first_key > last_visible)) continue;  // for the whole warp

    Accumulator scores[kRowBlocks][kKeyBlocks][2] = {}, weight_grads[kRowBlocks][kKeyBlocks][2] = {};
    multiply_transposed<Format>(scores, Tiling::query_tile(), warp_row, Tiling::key_tile(stage), 0, lane);
    multiply_transposed<Format>(weight_grads, Tiling::grad_out_tile(), warp_row, Tiling::value_tile(stage), 0, lane);
    const bool all_visible =
        kept == kAllKeys<Tiling::kKeys> && (!Causal || first_key + Tiling::kKeys - 1 <= warp_query + causal_offset);
#pragma unroll
    for (int r = 0; r < kRowBlocks; r++) {
      if (!all_visible) hide_scores<Causal>(scores[r], kept, warp_query + r * 16, first_key, causal_offset, lane);
      score_grads_from_scores(scores[r], weight_grads[r], rows[r], problem.scale * kLog2OfE);
    }
    multiply_rounded<Format>(grad_query, scores, Tiling::key_tile(stage), 0, lane);
  }

#pragma unroll
  for (int r = 0; r < kRowBlocks; r++) {
    scale_sums(grad_query[r], problem.scale);
    store_rows<Format, HeadDim>(Tiling::query_tile(), warp_row + r * 16, grad_query[r],
                                params.grad_query.head(batch, head), params.grad_query.row_stride, first_query,
                                problem.queries, lane);
  }
}

}  // namespace bimodal
