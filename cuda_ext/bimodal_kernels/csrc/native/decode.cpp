// Few queries against many keys, as in generation: dot products along head_dim, a pass over keys, then one over values.
//
// A task is one key head with all queries that it serves (those of its group of heads), so that keys and values come from
// memory once. With fewer key heads than threads could use, keys are cut into parts, each with a soft-max of its
// own, and the parts are combined.
//
// Sources: grouped queries: Ainslie et al. 2023, sec. 2.2; parts of keys: Dao et al. 2023, "Flash-Decoding".
#include "decode.hpp"

#include <cmath>
#include <numbers>
#include <vector>

#include "blocking.hpp"
#include "schedule.hpp"
#include "scratch.hpp"

namespace bimodal::native {
namespace {

constexpr int kChunk = 256;    // keys between two rescalings

// Where soft-max of one query stands after some keys: sum and out are weighed by 2^(score - top).
struct Partial {
  float top = kHidden, sum = 0;
};

// A chunk of keys or values: rows of T, head_dim a multiple of W.
template <class T>
struct Chunk {
  const T* data;
  int64_t stride;
};

// scores[j] = query . key[j] for j < count, kHidden up to the next whole vector.
template <class T>
void score_keys(float* scores, const float* query, const Chunk<T>& key, int count, int64_t dim) {
  constexpr int kTogether = 4;    // keys, each with a sum of its own under way
  for (int j = 0; j < count; j += W) {
    Vec products[W];
    BIMODAL_UNROLL for (int i = 0; i < W; i += kTogether) {
      const T* row[kTogether];
      for (int u = 0; u < kTogether; u++) row[u] = key.data + std::min(j + i + u, count - 1) * key.stride;
      Vec sums[kTogether] = {};
      for (int64_t d = 0; d < dim; d += W) {
        const Vec x = load(query + d);
        for (int u = 0; u < kTogether; u++) sums[u] += x * load(row[u] + d);
      }
      for (int u = 0; u < kTogether; u++) products[i + u] = sums[u];
    }
    store(scores + j, sum_each(products));
  }
  for (int j = count; j % W; j++) scores[j] = kHidden;
}

// Turns scores into weights; returns what the output so far is to be multiplied by.
float weigh(float* scores, int count, Partial& partial) {
  Vec tops = broadcast(partial.top);
  for (int j = 0; j < count; j += W) tops = max(tops, load(scores + j));
  const float top = largest(tops), factor = std::exp2(std::max(partial.top - top, -150.0f));
  Vec sums = {};
  for (int j = 0; j < count; j += W) {
    const Vec weight = exp2(load(scores + j) - broadcast(top));
    store(scores + j, weight);
    sums += weight;
  }
  partial = {top, partial.sum * factor + sum(sums)};
  return factor;
}

// out = factor * out + sum over j < count of weights[j] * value[j]
template <class T>
void add_values(float* out, float factor, const float* weights, const Chunk<T>& value, int count, int64_t dim) {
  constexpr int kTogether = 4;    // values, each adding to a sum of its own
  for (int64_t d = 0; d < dim; d += 4 * W) {
    with_constant<4>(static_cast<int>((dim - d) / W), [&](auto vectors) {
      constexpr int N = vectors;
      Vec sums[kTogether][N] = {};
      BIMODAL_UNROLL for (int n = 0; n < N; n++) sums[0][n] = load(out + d + n * W) * broadcast(factor);
      const auto add = [&](int u, int j) __attribute__((always_inline)) {
        Vec weight = broadcast(weights[j]);
        keep_in_register(weight);
        const T* row = value.data + j * value.stride + d;
        BIMODAL_UNROLL for (int n = 0; n < N; n++) sums[u][n] += weight * load(row + n * W);
      };
      int j = 0;
      for (; j + kTogether <= count; j += kTogether) {
        BIMODAL_UNROLL for (int u = 0; u < kTogether; u++) add(u, j + u);
      }
      for (; j < count; j++) add(0, j);
      BIMODAL_UNROLL for (int n = 0; n < N; n++) {
        store(out + d + n * W, (sums[0][n] + sums[1][n]) + (sums[2][n] + sums[3][n]));
      }
    });
  }
}

// The queries of one key head: query i of head h, h in the key head's group, is row (h - first head) * queries + i.
struct Group {
  const FewQueriesParams& p;
  int64_t b, key_head;

  int64_t heads() const { return p.shape.heads / p.shape.kv_heads; }
  int64_t rows() const { return heads() * p.shape.queries; }
  int64_t head(int64_t row) const { return key_head * heads() + row / p.shape.queries; }
  int64_t position(int64_t row) const { return row % p.shape.queries; }

  // Keys [0, end) may be seen by this row, going by causality.
  int64_t end(int64_t row) const {
    return p.causal ? std::max<int64_t>(0, position(row) + p.shape.keys - p.shape.queries + 1) : p.shape.keys;
  }
};

// Keys [first, last) into the rows' partial soft-max and output; `chunk_of(tensor, copy, first, count)` yields a chunk.
template <class ChunkOf>
void attend_keys(const Group& group, int64_t first, int64_t last, const float* query, Partial* partials, float* outs,
                 float* key_copy, float* value_copy, ChunkOf chunk_of) {
  const FewQueriesParams& p = group.p;
  const int64_t dim = padded_head_dim(p.shape);
  const bool* keep = p.keep ? p.keep + group.b * p.shape.keys : nullptr;
  alignas(64) float scores[kChunk];
  for (int64_t start = first; start < last; start += kChunk) {
    const int64_t whole = std::min<int64_t>(kChunk, last - start);
    const auto key = chunk_of(p.key, key_copy, start, whole), value = chunk_of(p.value, value_copy, start, whole);
    for (int64_t row = 0; row < group.rows(); row++) {
      const int count = static_cast<int>(std::min(whole, group.end(row) - start));
      if (count <= 0) continue;
      score_keys(scores, query + row * dim, key, count, dim);
      for (int j = 0; keep && j < count; j++) scores[j] = keep[start + j] ? scores[j] : kHidden;
      const float factor = weigh(scores, count, partials[row]);
      add_values(outs + row * dim, factor, scores, value, count, dim);
    }
  }
}

void read_queries(const Group& group, float* query) {
  const FewQueriesParams& p = group.p;
  const int64_t dim = padded_head_dim(p.shape);
  for (int64_t row = 0; row < group.rows(); row++) {
    float* copy = query + row * dim;
    const Rows rows = rows_to_read(p.query, p.shape, p.storage, group.b, group.head(row), group.position(row), 1, copy);
    for (int64_t d = 0; d < dim; d += W) store(copy + d, load(rows.data + d) * broadcast(p.scale * kLog2E));
  }
}

// out / sum, and the log-sum-exp; nothing was seen if the maximum still is that of hidden scores.
void write_row(const Group& group, int64_t row, const Partial& partial, float* out) {
  const FewQueriesParams& p = group.p;
  const int64_t dim = padded_head_dim(p.shape), h = group.head(row), i = group.position(row);
  const bool seen = partial.top > kHidden / 2;
  const Vec reciprocal = broadcast(seen ? 1.0f / partial.sum : 0.0f);
  const Rows target = rows_to_write(p.out, p.shape, p.storage, group.b, h, i, out);
  for (int64_t d = 0; d < dim; d += W) store(target.data + d, load(out + d) * reciprocal);
  rows_written(target, p.out, p.shape, p.storage, group.b, h, i, 1);
  if (p.log_sum_exp) {
    const double log_sum = (partial.top + std::log2(double{partial.sum})) * std::numbers::ln2;
    p.log_sum_exp[(group.b * p.shape.heads + h) * p.shape.queries + i] =
        seen ? static_cast<float>(log_sum) : -std::numeric_limits<float>::infinity();
  }
}

// Part `part` of `parts` of a group's keys; partials and outs [rows] are started here.
void attend_part(const Group& group, int64_t part, int64_t parts, Partial* partials, float* outs, float* query, float* key_copy,
                 float* value_copy) {
  const FewQueriesParams& p = group.p;
  const int64_t dim = padded_head_dim(p.shape);
  KeySpan span = key_span(p.keep ? p.keep + group.b * p.shape.keys : nullptr, p.shape.keys);
  if (p.lengths) span.last = std::min(span.last, p.lengths[group.b]);
  const int64_t keys = std::max<int64_t>(0, span.last - span.first);
  const int64_t first = span.first + keys * part / parts, last = span.first + keys * (part + 1) / parts;
  std::fill_n(partials, group.rows(), Partial{});
  std::fill_n(outs, group.rows() * dim, 0.0f);
  read_queries(group, query);
  if (p.storage == Storage::bfloat16 && p.shape.head_dim % W == 0) {    // widened on the way to the register
    attend_keys(group, first, last, query, partials, outs, key_copy, value_copy,
                [&](const Heads& tensor, float*, int64_t start, int64_t) {
                  return Chunk<BFloat16>{row_pointer<BFloat16>(tensor, group.b, group.key_head, start), tensor.row_stride};
                });
  } else {
    attend_keys(group, first, last, query, partials, outs, key_copy, value_copy,
                [&](const Heads& tensor, float* copy, int64_t start, int64_t count) {
                  const Rows rows = rows_to_read(tensor, p.shape, p.storage, group.b, group.key_head, start, count, copy);
                  return Chunk<float>{rows.data, rows.stride};
                });
  }
}

// The soft-max over all parts of the keys, in order.
void combine_parts(const Group& group, int64_t parts, Partial* partials, float* outs) {
  const int64_t dim = padded_head_dim(group.p.shape), rows = group.rows();
  for (int64_t row = 0; row < rows; row++) {
    Partial& all = partials[row];
    float* out = outs + row * dim;
    for (int64_t part = 1; part < parts; part++) {
      const Partial& other = partials[part * rows + row];
      const float* other_out = outs + (part * rows + row) * dim;
      const float top = std::max(all.top, other.top);
      const float ours = std::exp2(all.top - top), theirs = std::exp2(other.top - top);
      for (int64_t d = 0; d < dim; d += W) {
        store(out + d, load(out + d) * broadcast(ours) + load(other_out + d) * broadcast(theirs));
      }
      all = {top, all.sum * ours + other.sum * theirs};
    }
    write_row(group, row, all, out);
  }
}

// Key heads are dealt out whole if there are enough of them for the threads; parts have at least a chunk of keys.
int64_t count_parts(const Shape& shape, int threads) {
  const int64_t groups = shape.batch * shape.kv_heads;
  if (groups >= 2 * threads) return 1;
  return std::clamp<int64_t>(4 * threads / groups, 1, (shape.keys + kChunk - 1) / kChunk);
}

}  // namespace

void attend_few_queries(const FewQueriesParams& p, const Pool& pool) {
  const Shape& shape = p.shape;
  const int64_t dim = padded_head_dim(shape), rows = shape.heads / shape.kv_heads * shape.queries;
  const Pool used = pool_for(2.0 * shape.batch * shape.heads * shape.queries * shape.keys * dim, pool);
  const int64_t groups = shape.batch * shape.kv_heads, parts = count_parts(shape, used.threads);
  const bool copies = !used_in_place(shape, p.storage) && shape.head_dim % W != 0;
  const int64_t copy = copies ? kChunk * dim : 0;
  std::vector<Partial> all_partials(parts > 1 ? groups * parts * rows : 0);
  std::vector<float> all_outs(parts > 1 ? groups * parts * rows * dim : 0);

  deal_out(groups * parts, used, [&](int64_t task) {
    const Group group{p, task / parts / shape.kv_heads, task / parts % shape.kv_heads};
    Scratch scratch(2 * Scratch::padded(rows * dim) + 2 * Scratch::padded(copy) + Scratch::padded(rows * 2));
    float *query = scratch.take(rows * dim), *key_copy = scratch.take(copy), *value_copy = scratch.take(copy);
    if (parts > 1) {
      attend_part(group, task % parts, parts, &all_partials[task * rows], &all_outs[task * rows * dim], query, key_copy, value_copy);
      return;
    }
    float* outs = scratch.take(rows * dim);
    Partial* partials = reinterpret_cast<Partial*>(scratch.take(rows * 2));
    attend_part(group, 0, 1, partials, outs, query, key_copy, value_copy);
    for (int64_t row = 0; row < rows; row++) write_row(group, row, partials[row], outs + row * dim);
  });
  if (parts == 1) return;
  deal_out(groups, used, [&](int64_t task) {
    const Group group{p, task / shape.kv_heads, task % shape.kv_heads};
    combine_parts(group, parts, &all_partials[task * parts * rows], &all_outs[task * parts * rows * dim]);
  });
}

void attention_decode(const DecodeParams& p, const Pool& pool) {
  attend_few_queries({p.shape, p.storage, p.query, p.key, p.value, p.out, nullptr, nullptr, p.lengths, false, p.scale}, pool);
}

}  // namespace bimodal::native
