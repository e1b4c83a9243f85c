// How a head is cut into blocks, and what the passes over a block share.
//
//              queries ->                     Scores are kept transposed, [key][query], W queries to a vector:
//            +-----+-----+-----+
//     keys   | 8 keys x 3 vec. |  one tile    S^T  = K Q^T      A = K as it lies    B = Q^T, packed
//      |     +-----+-----+-----+              dP^T = V dO^T     A = V as it lies    B = dO^T, packed
//      v     |                 |              O    = P V        A = P^T, broadcast  B = V as it lies
//            |   block: 48     |              dV   = P^T dO     A = P^T             B = dO as it lies
//            |   queries       |              dK   = dS^T Q     A = dS^T            B = Q as it lies
//            |                 |              dQ   = dS K       A = dS^T, broadcast B = K as it lies
//            +-----+-----+-----+
//
// So K, V and P are never rearranged, only a block's Q (and dO) once, and soft-max's maxima and sums run along lanes,
// without sums across a vector. Softmax works in base 2: log2(e) * scale is folded into the packed Q.
//
// Sources: online soft-max over blocks of keys: Milakov and Gimelshein 2018; Dao et al. 2022 (FlashAttention), sec. 3.1;
// queries in the outer loop: Dao 2023 (FlashAttention-2), sec. 3.1.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

#include "rows.hpp"
#include "tile.hpp"

namespace bimodal::native {

constexpr int kQueryBlock = 48;                 // S, P: 48 columns; with 96 keys, 18 KiB of the first-level cache
constexpr int kQueryVectors = kQueryBlock / W;
constexpr int kForwardKeyBlock = 96;
constexpr int kBackwardKeyBlock = 64;           // P and dS at once

constexpr float kLog2E = 1.44269504088896341f;
constexpr float kHidden = -1e30f;    // the score of an invisible key: 2^kHidden is 0, and no arithmetic makes it NaN

struct QueryBlock {
  int64_t first;
  int rows, vectors;
};

// Blocks of at most kQueryBlock queries, as even as whole vectors allow.
inline int64_t count_query_blocks(int64_t queries) { return (queries + kQueryBlock - 1) / kQueryBlock; }

inline QueryBlock query_block(int64_t queries, int64_t index) {
  const int64_t blocks = count_query_blocks(queries), vectors = (queries + W - 1) / W;
  const int64_t begin = vectors * index / blocks, end = vectors * (index + 1) / blocks;
  return {begin * W, static_cast<int>(std::min((end - begin) * W, queries - begin * W)), static_cast<int>(end - begin)};
}

// Keys [first, last) hold all that the padding mask keeps; `holes`: but not only those.
struct KeySpan {
  int64_t first, last;
  bool holes;
};

inline KeySpan key_span(const bool* keep, int64_t keys) {
  if (!keep) return {0, keys, false};
  int64_t first = 0, last = keys;
  while (last > 0 && !keep[last - 1]) last--;
  while (first < last && !keep[first]) first++;
  return {first, last, std::memchr(keep + first, 0, last - first) != nullptr};
}

// What the queries of a block see of one block of keys [first, first + count).
struct View {
  int64_t first;
  int count;
  bool causal, holes;
  int64_t offset;    // causal: key j is visible to query i iff j <= i + offset
  int64_t first_query;
  int seen[kQueryVectors];           // keys that a vector's last query sees; rows from there on are hidden to all of it
  float bound[kForwardKeyBlock];     // key j is visible to query i iff bound[j] <= i + offset; +-inf: never, always
};

inline View view_keys(int64_t first, int count, const QueryBlock& block, bool causal, int64_t offset, const bool* keep) {
  View view;
  view.first = first;
  view.count = count;
  view.causal = causal;
  view.holes = keep != nullptr;
  view.offset = offset;
  view.first_query = block.first;
  for (int v = 0; v < block.vectors; v++) {
    const int64_t limit = block.first + (v + 1) * W + offset - first;
    view.seen[v] = causal ? static_cast<int>(std::clamp<int64_t>(limit, 0, count)) : count;
  }
  if (causal || keep) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (int j = 0; j < count; j++) {
      view.bound[j] = keep && !keep[first + j] ? infinity : causal ? static_cast<float>(first + j - block.first - offset) : -infinity;
    }
  }
  return view;
}

// Does any query of vector v, the first of a tile, miss one of the tile's keys [j, j + count)?
BIMODAL_INLINE bool hides_some(const View& view, int v, int j, int count) {
  return view.holes || (view.causal && view.first + j + count - 1 > view.first_query + v * W + view.offset);
}

// Scores of invisible keys become kHidden.
template <int M, int N>
BIMODAL_INLINE void hide(Tile<M, N>& scores, const View& view, int v, int j) {
  BIMODAL_UNROLL for (int n = 0; n < N; n++) {
    const Vec query = lane_numbers() + broadcast(static_cast<float>((v + n) * W));
    BIMODAL_UNROLL for (int i = 0; i < M; i++) {
      scores[i][n] = broadcast(view.bound[j + i]) <= query ? scores[i][n] : broadcast(kHidden);
    }
  }
}

// Covers a block's scores with tiles, keys in order, leaving out what causality hides from whole vectors:
// body(M, N, v, j) does keys [j, j + M) for vectors [v, v + N).
template <class Body>
BIMODAL_INLINE void for_each_score_tile(const View& view, int vectors, Body body) {
  constexpr int kMaxVectors = std::min(kMaxScoreVectors, kQueryVectors);
  for (int group = 0; group < vectors; group += kMaxVectors) {
    const int end = std::min(vectors, group + kMaxVectors), keys = view.seen[end - 1];
    for (int v = group, j = 0; j < keys;) {
      while (view.seen[v] <= j) v++;
      with_constant<kMaxVectors>(end - v, [&](auto n) {
        const int count = next_piece(keys - j, max_score_keys(n));
        with_constant<max_score_keys(n)>(count, [&](auto m) { body(m, n, v, j); });
        j += count;
      });
    }
  }
}

// Weights [key][query] that no tile wrote: what comes after works on groups of rows that may straddle vectors.
inline void clear_unseen(float* weights, const View& view, int vectors) {
  for (int v = 0; v < vectors; v++) {
    for (int j = view.seen[v]; j < view.count; j++) store(weights + j * kQueryBlock + v * W, Vec{});
  }
}

// Keys of the block that queries [row, row + count) of it may see.
inline Depth keys_seen(const View& view, int row, int count) {
  if (!view.causal) return {0, view.count};
  const int64_t last = view.first_query + row + count - 1 + view.offset;
  return {0, static_cast<int>(std::clamp<int64_t>(last + 1 - view.first, 0, view.count))};
}

// Queries of the block (of `rows`) that may see keys [key, key + count) of it.
inline Depth queries_seeing(const View& view, int key, int rows) {
  if (!view.causal) return {0, rows};
  return {static_cast<int>(std::clamp<int64_t>(view.first + key - view.offset - view.first_query, 0, rows)), rows};
}

// packed[d][query] = scale * rows[query][d], with zeros for the queries that fill up the last vector.
inline void pack_transposed(float* packed, const Rows& rows, const QueryBlock& block, int64_t head_dim, float scale) {
  for (int v = 0; v < block.vectors; v++) {
    for (int64_t d = 0; d < head_dim; d += W) {
      Vec square[W];
      BIMODAL_UNROLL for (int i = 0; i < W; i++) {
        const int row = v * W + i;
        square[i] = row < block.rows ? load(rows.data + row * rows.stride + d) * broadcast(scale) : Vec{};
      }
      transpose(square);
      BIMODAL_UNROLL for (int i = 0; i < W; i++) store(packed + (d + i) * kQueryBlock + v * W, square[i]);
    }
  }
}

}  // namespace bimodal::native
