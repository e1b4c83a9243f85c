// Forward pass: a block of queries walks over blocks of keys.
//
//   S = scale K Q^T,   P = 2^(log2(e) S - r),   l = sum over keys of P,   O = P V / l,   log_sum_exp = (r + log2 l) ln 2
//
// r is a reference for each query that keeps 2^x in range. The usual choice, the running maximum, costs a pass over the
// scores before any exponential can be taken. Any r within 2^kMargin of the maximum does as well (the quotient P V / l
// does not depend on it, and fp32 is as precise at 2^40 as at 1), so r starts at 0, exponentials are taken while a tile is
// still in registers, and only a tile whose maximum leaves the margin moves the reference and rescales what was done.
//
// Sources: see blocking.hpp; rescaling only when needed: Zadouri et al. 2026 (FlashAttention-4), conditional rescaling.
#include "attention.hpp"
#include "blocking.hpp"
#include "decode.hpp"
#include "schedule.hpp"
#include "scratch.hpp"
#include "tiles.hpp"

namespace bimodal::native {
namespace {

constexpr float kMargin = 40.0f;

// Soft-max of a block of queries, so far; a lane is a query.
struct Softmax {
  Vec reference[kQueryVectors];
  Vec top[kQueryVectors];      // largest score, counted from the reference; kHidden: nothing seen yet
  Vec sum[kQueryVectors];
  alignas(64) float rescale[kQueryBlock];    // what the reference's moves in this block of keys make of the output so far
  bool rescaled;
};

Softmax start_softmax() {
  Softmax state{};
  for (Vec& top : state.top) top = broadcast(kHidden);
  return state;
}

void start_key_block(Softmax& state) {
  state.rescaled = false;
  for (int v = 0; v < kQueryVectors; v++) store(state.rescale + v * W, broadcast(1.0f));
}

BIMODAL_INLINE IntVec outside_margin(Vec top) {
  return (top > broadcast(kMargin)) | ((top < broadcast(-kMargin)) & (top > broadcast(kHidden / 2)));
}

// Moves the reference of vector v to the maximum in the lanes where that left the margin; returns by how much.
// `weights` are the `done` rows of this block that were weighed by the old reference.
[[gnu::noinline, gnu::cold]] Vec move_reference(Softmax& state, int v, float* weights, int done) {
  const Vec shift = outside_margin(state.top[v]) ? state.top[v] : Vec{};
  // A lane below its margin had seen nothing before: nothing to rescale, and 2^-shift might overflow.
  const Vec factor = exp2(shift > Vec{} ? -shift : Vec{});
  for (int j = 0; j < done; j++) store(weights + j * kQueryBlock + v * W, load(weights + j * kQueryBlock + v * W) * factor);
  store(state.rescale + v * W, load(state.rescale + v * W) * factor);
  state.rescaled = true;
  state.sum[v] *= factor;
  state.reference[v] += shift;
  state.top[v] -= shift;
  return shift;
}

// weights[key][query] = 2^(score - reference), and the sums over keys.
template <int kHeadDim>
void weigh(float* weights, Softmax& state, const View& view, const QueryBlock& block, const float* packed_query,
           const Rows& key, int64_t head_dim) {
  const int64_t dim = kHeadDim ? kHeadDim : head_dim;
  for_each_score_tile(view, block.vectors, [&](auto m, auto n, int v, int j) {
    constexpr int M = m, N = n;
    Tile<M, N> tile;
    BIMODAL_UNROLL for (int c = 0; c < N; c++) {
      BIMODAL_UNROLL for (int i = 0; i < M; i++) tile[i][c] = -state.reference[v + c];
    }
    multiply_add<M, N>(tile, key.data + j * key.stride, key.stride, 1, packed_query + v * W, kQueryBlock, dim);
    if (hides_some(view, v, j, M)) hide<M, N>(tile, view, v, j);

    IntVec outside = {};
    BIMODAL_UNROLL for (int c = 0; c < N; c++) {
      Vec top = tile[0][c];
      BIMODAL_UNROLL for (int i = 1; i < M; i++) top = max(top, tile[i][c]);
      state.top[v + c] = max(state.top[v + c], top);
      outside |= outside_margin(state.top[v + c]);
    }
    if (any(outside)) [[unlikely]] {
      for (int c = 0; c < N; c++) {
        const Vec shift = move_reference(state, v + c, weights, j);
        for (int i = 0; i < M; i++) tile[i][c] -= shift;
      }
    }
    BIMODAL_UNROLL for (int c = 0; c < N; c++) {
      Vec sum = {};
      BIMODAL_UNROLL for (int i = 0; i < M; i++) {
        const Vec weight = exp2(tile[i][c]);
        store(weights + (j + i) * kQueryBlock + (v + c) * W, weight);
        sum += weight;
      }
      state.sum[v + c] += sum;
    }
  });
  if (view.causal) clear_unseen(weights, view, block.vectors);
}

// 1 / l, 0 for a query that saw nothing.
void reciprocal_sums(const Softmax& state, int vectors, float* reciprocal) {
  for (int v = 0; v < vectors; v++) {
    store(reciprocal + v * W, state.sum[v] > Vec{} ? broadcast(1.0f) / state.sum[v] : Vec{});
  }
}

void write_log_sum_exp(const Softmax& state, const QueryBlock& block, float* log_sum_exp) {
  alignas(64) float lanes[kQueryBlock];
  for (int v = 0; v < block.vectors; v++) {
    const Vec nothing = broadcast(-std::numeric_limits<float>::infinity());
    store(lanes + v * W, state.sum[v] > Vec{} ? log_of_scaled(state.sum[v], state.reference[v]) : nothing);
  }
  std::copy_n(lanes, block.rows, log_sum_exp);
}

struct Workspace {
  float *packed_query, *weights, *partial_out, *query_copy, *key_copy, *value_copy, *out_copy;
};

Workspace workspace(const Shape& shape, bool in_place) {
  const int64_t dim = padded_head_dim(shape), block = kQueryBlock * dim, copy = in_place ? 0 : shape.keys * dim;
  const int64_t weights = kForwardKeyBlock * kQueryBlock;
  Scratch scratch(Scratch::padded(weights) + 4 * Scratch::padded(block) + 2 * Scratch::padded(copy));
  return {scratch.take(block), scratch.take(weights), scratch.take(block), scratch.take(block),
          scratch.take(copy),  scratch.take(copy),    scratch.take(block)};
}

template <int kHeadDim>
void attend_block(const ForwardParams& p, const Workspace& w, int64_t b, int64_t h, const QueryBlock& block, KeySpan span,
                  const Rows& key, const Rows& value) {
  const int64_t dim = padded_head_dim(p.shape), offset = p.shape.keys - p.shape.queries;
  const Rows query = rows_to_read(p.query, p.shape, p.storage, b, h, block.first, block.rows, w.query_copy);
  const Rows out = rows_to_write(p.out, p.shape, p.storage, b, h, block.first, w.out_copy);
  if (p.causal) span.last = std::min(span.last, block.first + block.rows + offset);
  const bool* keep = span.holes ? p.keep + b * p.shape.keys : nullptr;
  pack_transposed(w.packed_query, query, block, dim, p.scale * kLog2E);

  Softmax state = start_softmax();
  alignas(64) float reciprocal[kQueryBlock];
  for (int64_t first = span.first; first < span.last; first += kForwardKeyBlock) {
    const int count = static_cast<int>(std::min<int64_t>(kForwardKeyBlock, span.last - first));
    const bool begin = first == span.first, end = first + count == span.last;
    const View view = view_keys(first, count, block, p.causal, offset, keep);
    start_key_block(state);
    weigh<kHeadDim>(w.weights, state, view, block, w.packed_query, {key.data + first * key.stride, key.stride}, dim);
    if (end) reciprocal_sums(state, block.vectors, reciprocal);
    const Accumulation to{begin ? nullptr : w.partial_out, dim, state.rescaled ? state.rescale : nullptr,
                          end ? out.data : w.partial_out, end ? out.stride : dim, end ? reciprocal : nullptr};
    multiply_rows<kHeadDim>(block.rows, dim, w.weights, 1, kQueryBlock, value.data + first * value.stride, value.stride, to,
                            [&](int row, int rows) { return keys_seen(view, row, rows); });
  }
  if (span.first >= span.last) zero_rows(out, 0, block.rows, dim);
  rows_written(out, p.out, p.shape, p.storage, b, h, block.first, block.rows);
  write_log_sum_exp(state, block, p.log_sum_exp + (b * p.shape.heads + h) * p.shape.queries + block.first);
}

// Blocks [begin, end) of a head's queries.
void attend_blocks(const ForwardParams& p, int64_t b, int64_t h, int64_t begin, int64_t end) {
  const Shape& shape = p.shape;
  const Workspace w = workspace(shape, used_in_place(shape, p.storage));
  const int64_t key_head = h / (shape.heads / shape.kv_heads);
  const Rows key = rows_to_read(p.key, shape, p.storage, b, key_head, 0, shape.keys, w.key_copy);
  const Rows value = rows_to_read(p.value, shape, p.storage, b, key_head, 0, shape.keys, w.value_copy);
  const KeySpan span = key_span(p.keep ? p.keep + b * shape.keys : nullptr, shape.keys);
  with_head_dim(padded_head_dim(shape), [&](auto width) {
    for (int64_t i = begin; i < end; i++) attend_block<width>(p, w, b, h, query_block(shape.queries, i), span, key, value);
  });
}

}  // namespace

void attention_forward(const ForwardParams& p, const Pool& pool) {
  const Shape& shape = p.shape;
  if (serves_few_queries(shape)) {
    attend_few_queries({shape, p.storage, p.query, p.key, p.value, p.out, p.log_sum_exp, p.keep, nullptr, p.causal, p.scale}, pool);
    return;
  }
#if defined(BIMODAL_MATRIX_UNIT)
  if (tiles_serve(shape, kFewestForward)) return attention_forward_by_tiles(p, pool);
#endif
  const int64_t heads = shape.batch * shape.heads, blocks = count_query_blocks(shape.queries);
  const Pool used = pool_for(2.0 * heads * shape.queries * shape.keys * shape.head_dim, pool);
  // A head is one task if there are many, else each of its blocks is; later blocks first, for causality makes them longer.
  const int64_t parts = heads >= 8 * used.threads ? 1 : blocks;
  deal_out(heads * parts, used, [&](int64_t task) {
    const int64_t head = task / parts, part = parts - 1 - task % parts;
    attend_blocks(p, head / shape.heads, head % shape.heads, blocks * part / parts, blocks * (part + 1) / parts);
  });
}

}  // namespace bimodal::native
