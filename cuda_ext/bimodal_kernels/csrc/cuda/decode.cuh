// Attention of one query per batch entry against a cache: bound by how fast keys and values can be read.
//
// The keys are cut into splits, so that a single long sequence occupies the whole GPU. One block of 4 warps reduces one
// split for all query heads that share a key/value head: these heads are the rows of the tensor core's tile, and the cache
// is read once for all of them. Each warp takes 16 of the 64 keys of a tile. Warps, and after them splits, are merged in a
// fixed order: the result does not depend on timing.
//
// Source: Dao, Haziza, Massa, Sizov 2023, Flash-Decoding for long-context inference.
#pragma once
#include "decode_splits.hpp"
#include "layout.cuh"
#include "params.hpp"
#include "softmax.cuh"
#include "visibility.cuh"

namespace bimodal {

/// How the decode kernel cuts its work, and what shared memory it needs.
template <int HeadDim>
struct DecodeTiling {
  static constexpr int kWarps = 4, kThreads = kWarps * prim::kWarp;
  static constexpr int kHeads = kDecodeHeads;
  static constexpr int kKeysPerWarp = 16, kKeys = kWarps * kKeysPerWarp;
  static_assert(kKeys == kDecodeKeys && kHeads == 16, "what the splits are planned with, and a tensor core's rows");
  static constexpr int kStages = 2;
  using QueryTile = Tile<kHeads, HeadDim>;
  using KeyTile = Tile<kKeys, HeadDim>;

  /// What each warp has found, once the tiles are no longer needed.
  struct WarpResults {
    float out[kWarps][kHeads][HeadDim + 8];  // 8 more: rows of a quarter warp lie in different banks
    float log2_sum[kWarps][kHeads];
  };

  static constexpr int kSharedBytes = QueryTile::kBytes + kStages * 2 * KeyTile::kBytes;
  static_assert(sizeof(WarpResults) <= kSharedBytes);

  BIMODAL_PRIMITIVE static QueryTile query_tile() { return {reinterpret_cast<uint16_t*>(prim::shared_memory())}; }
  BIMODAL_PRIMITIVE static KeyTile key_tile(int stage) {
    return {query_tile().data + QueryTile::kElements + stage * 2 * KeyTile::kElements};
  }
  BIMODAL_PRIMITIVE static KeyTile value_tile(int stage) { return {key_tile(stage).data + KeyTile::kElements}; }
  BIMODAL_PRIMITIVE static WarpResults& warp_results() {
    return *reinterpret_cast<WarpResults*>(prim::shared_memory());
  }
};

/// How parts of a softmax that were each normalised on their own come together: part i counts
/// 2^(log2_sum(i) - total), where total = log2 sum_i 2^log2_sum(i).
struct Merge {
  float total;  // -inf: no part saw anything

  BIMODAL_PRIMITIVE float weight(float log2_sum) const { return total == -INFINITY ? 0.f : prim::exp2(log2_sum - total); }
};

/// `log2_sum(i)`: binary logarithm of the sum of part i.
template <class Log2Sum>
BIMODAL_PRIMITIVE Merge merge_parts(int parts, const Log2Sum& log2_sum) {
  float maximum = -INFINITY;
  for (int i = 0; i < parts; i++) maximum = fmaxf(maximum, log2_sum(i));
  if (maximum == -INFINITY) return {maximum};
  float sum = 0.f;
  for (int i = 0; i < parts; i++) sum += prim::exp2(log2_sum(i) - maximum);
  return {maximum + prim::log2(sum)};
}

BIMODAL_PRIMITIVE int filled_slots(const DecodeParams& params, int batch) {
  if (params.lengths == nullptr) return params.max_length;
  const int64_t length = params.lengths[batch];
  if (length < 0) return 0;
  return length < params.max_length ? static_cast<int>(length) : params.max_length;
}

/// One block: one split of the keys, up to 16 query heads of one key/value head, one batch entry.
/// Writes the final result if there is one split, else the split's part of it.
template <class Format, int HeadDim>
__global__ void __launch_bounds__(DecodeTiling<HeadDim>::kThreads, 2) decode_kernel(const DecodeParams params) {
  using Tiling = DecodeTiling<HeadDim>;
  constexpr int kDimBlocks = HeadDim / 16;
  const int lane = threadIdx.x % prim::kWarp, warp = threadIdx.x / prim::kWarp;
  const int split = blockIdx.x, batch = blockIdx.z;
  const int group = params.heads_per_kv_head(), blocks_per_group = (group + Tiling::kHeads - 1) / Tiling::kHeads;
  const int kv_head = blockIdx.y / blocks_per_group, first_of_group = blockIdx.y % blocks_per_group * Tiling::kHeads;
  const int first_head = kv_head * group + first_of_group;
  const float scale_log2 = params.scale * kLog2OfE;

  const int length = filled_slots(params, batch);
  const int tiles_per_split = ((params.max_length + Tiling::kKeys - 1) / Tiling::kKeys + params.splits - 1) / params.splits;
  const int first_tile = split * tiles_per_split;
  const int end_tile = min(first_tile + tiles_per_split, (length + Tiling::kKeys - 1) / Tiling::kKeys);

  const uint8_t* mask = params.key_padding_mask.row(batch);
  const uint16_t* key = params.key.head(batch, kv_head);
  const uint16_t* value = params.value.head(batch, kv_head);
  const auto query_tile = Tiling::query_tile();
  const auto copy_keys_and_values = [&](int tile) {
    const int first_key = tile * Tiling::kKeys, stage = tile % Tiling::kStages;
    copy_tile_async<Tiling::kThreads>(Tiling::key_tile(stage), key, params.key.row_stride, first_key, length);
    copy_tile_async<Tiling::kThreads>(Tiling::value_tile(stage), value, params.value.row_stride, first_key, length);
  };
  if (first_tile < end_tile) {
    copy_tile_async<Tiling::kThreads>(query_tile, params.query.head(batch, kv_head * group), params.query.head_stride,
                                      first_of_group, group);
    copy_keys_and_values(first_tile);
    prim::commit_copies();
  }

  Accumulator out[kDimBlocks][2] = {};
  SoftmaxRow rows[2];
  for (int tile = first_tile; tile < end_tile; tile++) {
    prim::wait_copies<0>();
    __syncthreads();  // this tile is there for all, and all are done with the one before it, whose place the next takes
    if (tile + 1 < end_tile) copy_keys_and_values(tile + 1);
    prim::commit_copies();

    const int first_key = tile * Tiling::kKeys, stage = tile % Tiling::kStages, warp_key = warp * Tiling::kKeysPerWarp;
    const uint64_t kept = kept_keys<Tiling::kKeys>(mask, first_key, length, lane) >> warp_key & 0xffff;
    if (kept == 0) continue;  // for the whole warp

    Accumulator scores[1][2] = {};
#pragma unroll
    for (int k = 0; k < kDimBlocks; k++)
      multiply<Format>(scores[0], load_left(query_tile, 0, k * 16, lane),
                       load_right_transposed(Tiling::key_tile(stage), warp_key, k * 16, lane));
    hide_scores<false>(scores, kept, 0, 0, 0, lane);
    online_softmax(scores, out, rows, scale_log2);
    const Fragment weights = as_left<Format>(scores[0]);
#pragma unroll
    for (int n = 0; n < kDimBlocks; n++)
      multiply<Format>(out[n], weights, load_right(Tiling::value_tile(stage), warp_key, n * 16, lane));
  }

  __syncthreads();  // the tiles give their place to the results
  auto& results = Tiling::warp_results();
#pragma unroll
  for (int half = 0; half < 2; half++) {
    rows[half].sum = row_sum(rows[half].sum);
    const float scale = normaliser(rows[half]);
    const int row = accumulator_row(lane, half * 2);
#pragma unroll
    for (int n = 0; n < kDimBlocks * 2; n++) {
      float* target = &results.out[warp][row][n * 8 + accumulator_column(lane, 0)];
      target[0] = out[n / 2][n % 2][half * 2] * scale;
      target[1] = out[n / 2][n % 2][half * 2 + 1] * scale;
    }
    if (lane % 4 == 0) results.log2_sum[warp][row] = log2_sum_exp2(rows[half], scale_log2);
  }
  __syncthreads();

  constexpr int kThreadsPerHead = Tiling::kThreads / Tiling::kHeads;
  const int row = threadIdx.x / kThreadsPerHead, part = threadIdx.x % kThreadsPerHead;
  if (first_of_group + row >= group) return;
  const Merge merge = merge_parts(Tiling::kWarps, [&](int i) { return results.log2_sum[i][row]; });
  const int head = first_head + row;
  const int64_t partial = (static_cast<int64_t>(split) * params.batch + batch) * params.heads + head;
#pragma unroll
  for (int column = part * 2; column < HeadDim; column += kThreadsPerHead * 2) {
    float sums[2] = {0.f, 0.f};
#pragma unroll
    for (int i = 0; i < Tiling::kWarps; i++) {
      const float weight = merge.weight(results.log2_sum[i][row]);
      sums[0] += weight * results.out[i][row][column];
      sums[1] += weight * results.out[i][row][column + 1];
    }
    if (params.splits == 1) {
      *reinterpret_cast<uint32_t*>(params.out.head(batch, head) + column) = prim::pack<Format>(sums[0], sums[1]);
    } else {
      params.partial_out[partial * HeadDim + column] = sums[0];
      params.partial_out[partial * HeadDim + column + 1] = sums[1];
    }
  }
  if (part != 0) return;
  if (params.splits > 1)
    params.partial_log_sum_exp[partial] = merge.total;
  else if (params.log_sum_exp)
    params.log_sum_exp[static_cast<int64_t>(batch) * params.heads + head] = merge.total * kLnOf2;
}

/// Merges the splits: one warp per query head and batch entry, HeadDim / 32 dimensions per lane.
template <class Format, int HeadDim>
__global__ void __launch_bounds__(DecodeTiling<HeadDim>::kThreads) combine_kernel(const DecodeParams params) {
  constexpr int kPairs = HeadDim / (2 * prim::kWarp);
  const int lane = threadIdx.x % prim::kWarp, warp = threadIdx.x / prim::kWarp;
  const int64_t num_rows = static_cast<int64_t>(params.batch) * params.heads;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * DecodeTiling<HeadDim>::kWarps + warp;
  if (row >= num_rows) return;
  const Merge merge = merge_parts(params.splits, [&](int i) { return params.partial_log_sum_exp[i * num_rows + row]; });
  float sums[kPairs][2] = {};
  for (int i = 0; i < params.splits; i++) {
    const float weight = merge.weight(params.partial_log_sum_exp[i * num_rows + row]);
    const float* part = params.partial_out + (i * num_rows + row) * HeadDim + lane * 2;
#pragma unroll
    for (int pair = 0; pair < kPairs; pair++) {
      sums[pair][0] += weight * part[pair * 2 * prim::kWarp];
      sums[pair][1] += weight * part[pair * 2 * prim::kWarp + 1];
    }
  }
  const int batch = static_cast<int>(row / params.heads), head = static_cast<int>(row % params.heads);
  uint16_t* out = params.out.head(batch, head) + lane * 2;
#pragma unroll
  for (int pair = 0; pair < kPairs; pair++)
    *reinterpret_cast<uint32_t*>(out + pair * 2 * prim::kWarp) = prim::pack<Format>(sums[pair][0], sums[pair][1]);
  if (lane == 0 && params.log_sum_exp) params.log_sum_exp[row] = merge.total * kLnOf2;
}

}  // namespace bimodal
