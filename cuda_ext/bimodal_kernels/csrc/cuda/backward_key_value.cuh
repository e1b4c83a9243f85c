// Backward, the pass for dK and dV: one block of 4 warps owns the keys of one tile and walks over the queries of every
// head that shares them (grouped-query attention), so the sum over the group needs no second kernel.
//
// Everything is transposed: a warp computes S^T = K Q^T and dP^T = V dO^T for its keys, one key per row. As results and left
// operands of mma are laid out alike, P^T and dS^T go straight on into dV = P^T dO and dK = dS^T Q, from registers.
#pragma once
#include "backward.cuh"
#include "forward.cuh"
#include "visibility.cuh"

namespace bimodal {

/// How the pass for dK and dV cuts its work, and what shared memory it needs.
template <int HeadDim>
struct KeyValueGradTiling {
  static constexpr int kWarps = 4, kThreads = kWarps * prim::kWarp;
  static constexpr int kRowBlocks = HeadDim == 64 ? 2 : 1;  // of 16 keys, per warp; dK and dV fill most registers
  static constexpr int kKeysPerWarp = kRowBlocks * 16, kKeys = kWarps * kKeysPerWarp;
  static constexpr int kQueries = 32;                         // per tile
  static constexpr int kQueriesAtOnce = HeadDim == 64 ? 16 : 32;  // so that scores and gradients fit into the rest
  static constexpr int kStages = 2;
  using KeyTile = Tile<kKeys, HeadDim>;
  using QueryTile = Tile<kQueries, HeadDim>;
  static constexpr int kStageBytes = 2 * QueryTile::kBytes + 2 * kQueries * static_cast<int>(sizeof(float));
  static constexpr int kSharedBytes = 2 * KeyTile::kBytes + kStages * kStageBytes;

  BIMODAL_PRIMITIVE static KeyTile key_tile() { return {reinterpret_cast<uint16_t*>(prim::shared_memory())}; }
  BIMODAL_PRIMITIVE static KeyTile value_tile() { return {key_tile().data + KeyTile::kElements}; }
  BIMODAL_PRIMITIVE static QueryTile query_tile(int stage) {
    return {reinterpret_cast<uint16_t*>(prim::shared_memory() + 2 * KeyTile::kBytes + stage * kStageBytes)};
  }
  BIMODAL_PRIMITIVE static QueryTile grad_out_tile(int stage) { return {query_tile(stage).data + QueryTile::kElements}; }
  /// [kQueries] shifts (`softmax_shift`), then [kQueries] row dots.
  BIMODAL_PRIMITIVE static float* statistics(int stage) {
    return reinterpret_cast<float*>(grad_out_tile(stage).data + QueryTile::kElements);
  }
};

/// Where in the walk over heads and queries a tile is.
struct QueryTileIndex {
  int head, first_query;
};

/// One number of a tile's statistics, from global memory: threads [0, Queries) get shifts, the next `Queries` row dots,
/// the rest nothing. Queries that do not exist have weights of 0.
template <int Queries>
BIMODAL_PRIMITIVE float fetch_statistic(const BackwardParams& params, int batch, QueryTileIndex tile) {
  const int column = threadIdx.x % Queries, query = tile.first_query + column;
  const bool wants_shift = threadIdx.x < Queries;
  const Problem& problem = params.problem;
  if (threadIdx.x >= 2 * Queries || query >= problem.queries) return wants_shift ? INFINITY : 0.f;
  const int64_t index = (static_cast<int64_t>(batch) * problem.heads + tile.head) * problem.queries + query;
  return wants_shift ? softmax_shift(params.log_sum_exp[index]) : params.row_dot[index];
}

/// Turns transposed scores into weights, and the weights' gradients into the scores'. `kept`: this lane's two keys of the
/// block; `key` and `first_query` belong to row and column 0.
template <bool Causal, int QueryBlocks>
BIMODAL_PRIMITIVE void weights_and_score_grads(Accumulator (&scores)[QueryBlocks][2],
                                               Accumulator (&weight_grads)[QueryBlocks][2], const bool (&kept)[2],
                                               const float* shifts, const float* dots, int key, int first_query,
                                               int causal_offset, float scale_log2, int lane) {
#pragma unroll
  for (int n = 0; n < QueryBlocks * 2; n++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int row = accumulator_row(lane, e), column = n * 8 + accumulator_column(lane, e);
      const bool visible = kept[e / 2] && (!Causal || key + row <= first_query + column + causal_offset);
      float& score = scores[n / 2][n % 2][e];
      float& grad = weight_grads[n / 2][n % 2][e];
      score = visible ? prim::exp2(score * scale_log2 - shifts[column]) : 0.f;
      grad = score * (grad - dots[column]);
    }
}

/// Does the mask keep any of keys [first_key, first_key + Keys)? The same in all lanes.
template <int Keys>
BIMODAL_PRIMITIVE bool any_key_kept(const uint8_t* mask, int first_key, int num_keys, int lane) {
  uint64_t kept = 0;
#pragma unroll
  for (int start = 0; start < Keys; start += 64) kept |= kept_keys<64>(mask, first_key + start, num_keys, lane);
  return kept != 0;
}

template <class Format, int HeadDim, bool Causal>
__global__ void __launch_bounds__(KeyValueGradTiling<HeadDim>::kThreads, 2)
    key_value_grad_kernel(const BackwardParams params) {
  using Tiling = KeyValueGradTiling<HeadDim>;
  constexpr int kRowBlocks = Tiling::kRowBlocks, kQueryBlocks = Tiling::kQueriesAtOnce / 16;
  const Problem& problem = params.problem;
  const int lane = threadIdx.x % prim::kWarp, warp = threadIdx.x / prim::kWarp;
  const int kv_head = blockIdx.y, batch = blockIdx.z, group = problem.heads_per_kv_head();
  const int first_key = blockIdx.x * Tiling::kKeys;
  const int warp_row = warp * Tiling::kKeysPerWarp, warp_key = first_key + warp_row;
  const int causal_offset = problem.causal_offset();
  const uint8_t* mask = problem.key_padding_mask.row(batch);

  // Earlier queries see none of this block's keys.
  const int first_query = Causal ? max(0, first_key - causal_offset) / Tiling::kQueries * Tiling::kQueries : 0;
  const bool any_pair =
      first_query < problem.queries && any_key_kept<Tiling::kKeys>(mask, first_key, problem.keys, lane);
  const int tiles_per_head = any_pair ? (problem.queries - first_query + Tiling::kQueries - 1) / Tiling::kQueries : 0;
  const int num_tiles = tiles_per_head * group;

  const auto tile_index = [&](int tile) {
    return QueryTileIndex{kv_head * group + tile / tiles_per_head,
                          first_query + tile % tiles_per_head * Tiling::kQueries};
  };
  const auto copy_queries_and_grads = [&](int tile) {
    const QueryTileIndex index = tile_index(tile);
    const int stage = tile % Tiling::kStages;
    copy_tile_async<Tiling::kThreads>(Tiling::query_tile(stage), params.query.head(batch, index.head),
                                      params.query.row_stride, index.first_query, problem.queries);
    copy_tile_async<Tiling::kThreads>(Tiling::grad_out_tile(stage), params.grad_out.head(batch, index.head),
                                      params.grad_out.row_stride, index.first_query, problem.queries);
  };
  const auto store_statistic = [&](int tile, float statistic) {
    if (threadIdx.x < 2 * Tiling::kQueries) Tiling::statistics(tile % Tiling::kStages)[threadIdx.x] = statistic;
  };
  if (num_tiles > 0) {
    copy_tile_async<Tiling::kThreads>(Tiling::key_tile(), params.key.head(batch, kv_head), params.key.row_stride,
                                      first_key, problem.keys);
    copy_tile_async<Tiling::kThreads>(Tiling::value_tile(), params.value.head(batch, kv_head), params.value.row_stride,
                                      first_key, problem.keys);
    copy_queries_and_grads(0);
    prim::commit_copies();
    store_statistic(0, fetch_statistic<Tiling::kQueries>(params, batch, tile_index(0)));
  }

  bool kept[kRowBlocks][2];
#pragma unroll
  for (int r = 0; r < kRowBlocks * 2; r++) {
    const int key = warp_key + r / 2 * 16 + accumulator_row(lane, r % 2 * 2);
    kept[r / 2][r % 2] = key < problem.keys && (mask == nullptr || mask[key] != 0);
  }

  Accumulator grad_key[kRowBlocks][HeadDim / 16][2] = {}, grad_value[kRowBlocks][HeadDim / 16][2] = {};
  for (int tile = 0; tile < num_tiles; tile++) {
    prim::wait_copies<0>();
    __syncthreads();  // this tile is there for all, and all are done with the one before it, whose place the next takes
    const bool has_next = tile + 1 < num_tiles;
    if (has_next) copy_queries_and_grads(tile + 1);
    prim::commit_copies();
    const float next_statistic =
        has_next ? fetch_statistic<Tiling::kQueries>(params, batch, tile_index(tile + 1)) : 0.f;

    const int stage = tile % Tiling::kStages, tile_query = tile_index(tile).first_query;
    if (!Causal || warp_key <= tile_query + Tiling::kQueries - 1 + causal_offset) {  // for the whole warp
#pragma unroll 1  // both halves in flight would not fit into the registers
      for (int row = 0; row < Tiling::kQueries; row += kQueryBlocks * 16) {
        Accumulator scores[kRowBlocks][kQueryBlocks][2] = {}, weight_grads[kRowBlocks][kQueryBlocks][2] = {};
        multiply_transposed<Format>(scores, Tiling::key_tile(), warp_row, Tiling::query_tile(stage), row, lane);
        multiply_transposed<Format>(weight_grads, Tiling::value_tile(), warp_row, Tiling::grad_out_tile(stage), row,
                                    lane);
        const float* shifts = Tiling::statistics(stage) + row;
#pragma unroll
        for (int r = 0; r < kRowBlocks; r++)
          weights_and_score_grads<Causal>(scores[r], weight_grads[r], kept[r], shifts, shifts + Tiling::kQueries,
                                          warp_key + r * 16, tile_query + row, causal_offset,
                                          problem.scale * kLog2OfE, lane);
        multiply_rounded<Format>(grad_value, scores, Tiling::grad_out_tile(stage), row, lane);
        multiply_rounded<Format>(grad_key, weight_grads, Tiling::query_tile(stage), row, lane);
      }
    }
    if (has_next) store_statistic(tile + 1, next_statistic);
  }

#pragma unroll
  for (int r = 0; r < kRowBlocks; r++) {
    scale_sums(grad_key[r], problem.scale);
    store_rows<Format, HeadDim>(Tiling::key_tile(), warp_row + r * 16, grad_key[r],
                                params.grad_key.head(batch, kv_head), params.grad_key.row_stride, first_key,
                                problem.keys, lane);
    store_rows<Format, HeadDim>(Tiling::value_tile(), warp_row + r * 16, grad_value[r],
                                params.grad_value.head(batch, kv_head), params.grad_value.row_stride, first_key,
                                problem.keys, lane);
  }
}

}  // namespace bimodal
