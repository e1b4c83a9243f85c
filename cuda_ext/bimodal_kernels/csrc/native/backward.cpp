// Backward pass: P comes back from the saved log-sum-exp, and each block of queries adds to dK, dV and its dQ.
//
//   P  = 2^(log2(e) (scale Q K^T - log_sum_exp))          delta = rowsum(dO * O)
//   dS = scale P * (dO V^T - delta)                       (scale is folded into the packed dO and into delta)
//   dV = P^T dO,    dK = dS^T Q,    dQ = dS K
//
// A task is one key head: all its queries, those of its group of heads, add to the same dK and dV in a fixed order, so
// that there are no atomics and results repeat to the bit. With few key heads, the queries are cut into parts, each with
// its own dK and dV, added up at the end, in order too.
//
// Source: Dao et al. 2022 (FlashAttention), sec. 3.1 and appendix B.4.
#include <memory>

#include "attention.hpp"
#include "backward.hpp"
#include "blocking.hpp"
#include "schedule.hpp"
#include "scratch.hpp"
#include "tiles.hpp"

namespace bimodal::native {
namespace {

struct Workspace {
  float *packed_query, *packed_grad, *weights, *grad_scores;
  float *query_copy, *grad_out_copy, *out_copy, *grad_query_sum;
  float *key_copy, *value_copy, *grad_key_sum, *grad_value_sum;
};

Workspace workspace(const Shape& shape, bool in_place) {
  const int64_t dim = padded_head_dim(shape), block = kQueryBlock * dim, weights = kBackwardKeyBlock * kQueryBlock;
  const int64_t keys = shape.keys * dim, copy = in_place ? 0 : keys;
  Scratch scratch(6 * Scratch::padded(block) + 2 * Scratch::padded(weights) + 2 * Scratch::padded(copy) + 2 * Scratch::padded(keys));
  return {scratch.take(block),   scratch.take(block), scratch.take(weights), scratch.take(weights),
          scratch.take(block),   scratch.take(block), scratch.take(block),   scratch.take(block),
          scratch.take(copy),    scratch.take(copy),  scratch.take(keys),    scratch.take(keys)};
}

// The gradient of a key head's keys or values: a sum over blocks of queries, kept in `sum` until the last block, which adds
// its own and writes to `result` (they may be the same). Results may lie in rows a power of two apart, which compete
// for the same sets of the cache; sums are kept together.
struct Gradient {
  Rows sum, result;
};

struct KeyHead {
  Rows key, value;
  Gradient grad_key, grad_value;
  int64_t touched;    // keys before it (and after what padding cuts off) have a sum
  bool last;          // the last block of queries
};

// weights = P^T and grad_scores = dS^T of one block of keys.
template <int kHeadDim>
void weigh(const Workspace& w, const View& view, const QueryBlock& block, const Rows& key, const Rows& value,
           const float* log_sum, const float* log_sum_low, const float* delta, int64_t head_dim) {
  const int64_t dim = kHeadDim ? kHeadDim : head_dim;
  for_each_score_tile(view, block.vectors, [&](auto m, auto n, int v, int j) {
    constexpr int M = m, N = n;
    float *weights = w.weights + j * kQueryBlock + v * W, *grad_scores = w.grad_scores + j * kQueryBlock + v * W;
    Tile<M, N> tile;
    BIMODAL_UNROLL for (int c = 0; c < N; c++) {
      BIMODAL_UNROLL for (int i = 0; i < M; i++) tile[i][c] = -load(log_sum_low + (v + c) * W);
    }
    multiply_add<M, N>(tile, key.data + j * key.stride, key.stride, 1, w.packed_query + v * W, kQueryBlock, dim);
    if (hides_some(view, v, j, M)) hide<M, N>(tile, view, v, j);
    BIMODAL_UNROLL for (int c = 0; c < N; c++) {
      // Subtracted last: sums that start from -log_sum would be rounded at its size at every step.
      const Vec whole = load(log_sum + (v + c) * W);
      BIMODAL_UNROLL for (int i = 0; i < M; i++) store(weights + i * kQueryBlock + c * W, exp2(tile[i][c] - whole));
    }
    BIMODAL_UNROLL for (int c = 0; c < N; c++) {
      BIMODAL_UNROLL for (int i = 0; i < M; i++) tile[i][c] = -load(delta + (v + c) * W);
    }
    multiply_add<M, N>(tile, value.data + j * value.stride, value.stride, 1, w.packed_grad + v * W, kQueryBlock, dim);
    BIMODAL_UNROLL for (int i = 0; i < M; i++) {
      BIMODAL_UNROLL for (int c = 0; c < N; c++) {
        store(grad_scores + i * kQueryBlock + c * W, tile[i][c] * load(weights + i * kQueryBlock + c * W));
      }
    }
  });
  if (view.causal) {
    clear_unseen(w.weights, view, block.vectors);
    clear_unseen(w.grad_scores, view, block.vectors);
  }
}

// gradient[key] += sum over queries of weights[key][query] * rows[query], for the keys of the view.
template <int kHeadDim>
void add_to_keys(const Gradient& gradient, const KeyHead& head, const View& view, const float* weights, const Rows& rows,
                 int num_rows, int64_t dim) {
  const bool fresh = view.first >= head.touched;    // nothing to add to
  if (!fresh) zero_rows(gradient.sum, head.touched, view.first + view.count, dim);
  const float* sum = gradient.sum.data + view.first * gradient.sum.stride;
  const Rows& to = head.last ? gradient.result : gradient.sum;
  multiply_rows<kHeadDim>(view.count, dim, weights, kQueryBlock, 1, rows.data, rows.stride,
                          {fresh ? nullptr : sum, gradient.sum.stride, nullptr, to.data + view.first * to.stride, to.stride, nullptr},
                          [&](int key, int) { return queries_seeing(view, key, num_rows); });
}

// One block of queries of head h.
template <int kHeadDim>
void differentiate_block(const BackwardParams& p, const Workspace& w, int64_t b, int64_t h, const QueryBlock& block, KeySpan span,
                         KeyHead& head) {
  const Shape& shape = p.shape;
  const int64_t dim = padded_head_dim(shape), offset = shape.keys - shape.queries;
  const auto read = [&](const Heads& tensor, float* copy) {
    return rows_to_read(tensor, shape, p.storage, b, h, block.first, block.rows, copy);
  };
  const Rows grad_query = rows_to_write(p.grad_query, shape, p.storage, b, h, block.first, w.grad_query_sum);
  if (p.causal) span.last = std::min(span.last, block.first + block.rows + offset);
  if (span.first >= span.last) {
    zero_rows(grad_query, 0, block.rows, dim);
    rows_written(grad_query, p.grad_query, shape, p.storage, b, h, block.first, block.rows);
    return;
  }
  const Rows query = read(p.query, w.query_copy), grad_out = read(p.grad_out, w.grad_out_copy), out = read(p.out, w.out_copy);
  const bool* keep = span.holes ? p.keep + b * shape.keys : nullptr;
  alignas(64) float log_sum[kQueryBlock], log_sum_low[kQueryBlock], delta[kQueryBlock];
  base2_log_sums(log_sum, log_sum_low, p.log_sum_exp + (b * shape.heads + h) * shape.queries + block.first, block);
  row_dots(delta, grad_out, out, block, dim, p.scale);
  pack_transposed(w.packed_query, query, block, dim, p.scale * kLog2E);
  pack_transposed(w.packed_grad, grad_out, block, dim, p.scale);

  for (int64_t first = span.first; first < span.last; first += kBackwardKeyBlock) {
    const int count = static_cast<int>(std::min<int64_t>(kBackwardKeyBlock, span.last - first));
    const View view = view_keys(first, count, block, p.causal, offset, keep);
    const Rows key{head.key.data + first * head.key.stride, head.key.stride};
    const Rows value{head.value.data + first * head.value.stride, head.value.stride};
    weigh<kHeadDim>(w, view, block, key, value, log_sum, log_sum_low, delta, dim);
    add_to_keys<kHeadDim>(head.grad_value, head, view, w.weights, grad_out, block.rows, dim);
    add_to_keys<kHeadDim>(head.grad_key, head, view, w.grad_scores, query, block.rows, dim);
    const bool begin = first == span.first, end = first + count == span.last;
    multiply_rows<kHeadDim>(block.rows, dim, w.grad_scores, 1, kQueryBlock, key.data, key.stride,
                            {begin ? nullptr : w.grad_query_sum, dim, nullptr, end ? grad_query.data : w.grad_query_sum,
                             end ? grad_query.stride : dim, nullptr},
                            [&](int row, int rows) { return keys_seen(view, row, rows); });
  }
  head.touched = std::max(head.touched, span.last);
  rows_written(grad_query, p.grad_query, shape, p.storage, b, h, block.first, block.rows);
}

// Blocks [begin, end) of the queries of a key head (its group's heads one after the other).
struct Part {
  int64_t b, key_head, begin, end;
};

void differentiate_part(const BackwardParams& p, const Workspace& w, const Part& part, const Gradient& grad_key,
                        const Gradient& grad_value) {
  const Shape& shape = p.shape;
  const int64_t dim = padded_head_dim(shape), blocks = count_query_blocks(shape.queries), group = shape.heads / shape.kv_heads;
  const KeySpan span = key_span(p.keep ? p.keep + part.b * shape.keys : nullptr, shape.keys);
  KeyHead head{rows_to_read(p.key, shape, p.storage, part.b, part.key_head, 0, shape.keys, w.key_copy),
               rows_to_read(p.value, shape, p.storage, part.b, part.key_head, 0, shape.keys, w.value_copy),
               grad_key, grad_value, span.first, false};
  with_head_dim(dim, [&](auto width) {
    for (int64_t i = part.begin; i < part.end; i++) {
      head.last = i + 1 == part.end;
      const QueryBlock block = query_block(shape.queries, i % blocks);
      differentiate_block<width>(p, w, part.b, part.key_head * group + i / blocks, block, span, head);
    }
  });
  for (const Rows& result : {grad_key.result, grad_value.result}) {
    zero_rows(result, 0, span.first, dim);
    zero_rows(result, head.touched, shape.keys, dim);
  }
}

// A key head as one task. Its last block is the last of a head's, which sees all keys that any sees.
void differentiate_whole(const BackwardParams& p, int64_t b, int64_t key_head, int64_t blocks) {
  const Shape& shape = p.shape;
  const Workspace w = workspace(shape, used_in_place(shape, p.storage));
  const auto gradient = [&](const Heads& tensor, float* sum) {
    return Gradient{{sum, padded_head_dim(shape)}, rows_to_write(tensor, shape, p.storage, b, key_head, 0, sum)};
  };
  const Gradient grad_key = gradient(p.grad_key, w.grad_key_sum), grad_value = gradient(p.grad_value, w.grad_value_sum);
  differentiate_part(p, w, {b, key_head, 0, blocks}, grad_key, grad_value);
  rows_written(grad_key.result, p.grad_key, shape, p.storage, b, key_head, 0, shape.keys);
  rows_written(grad_value.result, p.grad_value, shape, p.storage, b, key_head, 0, shape.keys);
}

}  // namespace

void attention_backward(const BackwardParams& p, const Pool& pool) {
  const Shape& shape = p.shape;
#if defined(BIMODAL_MATRIX_UNIT)
  if (tiles_serve(shape, kFewestBackward)) return attention_backward_by_tiles(p, pool);
#endif
  const int64_t key_heads = shape.batch * shape.kv_heads, dim = padded_head_dim(shape);
  const int64_t blocks = count_query_blocks(shape.queries) * (shape.heads / shape.kv_heads);
  const Pool used = pool_for(5.0 * shape.batch * shape.heads * shape.queries * shape.keys * dim, pool);
  const int64_t parts = key_heads >= 4 * used.threads ? 1 : std::min<int64_t>(blocks, (4 * used.threads + key_heads - 1) / key_heads);
  if (parts == 1) {
    deal_out(key_heads, used, [&](int64_t task) { differentiate_whole(p, task / shape.kv_heads, task % shape.kv_heads, blocks); });
    return;
  }
  const int64_t size = shape.keys * dim;    // sums: [key head][dK, dV][part][keys][head_dim]
  const auto sums = std::make_unique_for_overwrite<float[]>(key_heads * 2 * parts * size);
  deal_out(key_heads * parts, used, [&](int64_t task) {
    const int64_t head = task / parts, part = parts - 1 - task % parts;    // later queries first: causality makes them longer
    const Rows grad_key{sums.get() + (head * 2 * parts + part) * size, dim};
    const Rows grad_value{grad_key.data + parts * size, dim};
    differentiate_part(p, workspace(shape, used_in_place(shape, p.storage)),
                       {head / shape.kv_heads, head % shape.kv_heads, blocks * part / parts, blocks * (part + 1) / parts},
                       {grad_key, grad_key}, {grad_value, grad_value});
  });
  deal_out(key_heads * 2, used, [&](int64_t task) {
    const int64_t head = task / 2;
    add_parts(sums.get() + task * parts * size, parts, p, task % 2 ? p.grad_value : p.grad_key, head / shape.kv_heads,
              head % shape.kv_heads);
  });
}

}  // namespace bimodal::native
