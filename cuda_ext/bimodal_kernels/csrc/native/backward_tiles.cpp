// Backward pass on a matrix unit (matrix_unit.hpp): as backward.cpp, and scores lie [key][query] as there.
//
//   S^T  = K Q^T       left: K's rows       right: Q^T     } transposed once
//   dP^T = V dO^T      left: V's rows       right: dO^T    } for each block of queries
//   dV   = P^T dO      left: P^T            right: dO's rows
//   dK   = dS^T Q      left: dS^T           right: Q's rows
//   dQ^T = K^T dS^T    left: K^T, transposed once for a key head, right: dS^T; transposed back for each block of queries
//
// P^T and dS^T come out of the unit as rows, and go in again as left operands (pairs of queries 16 apart) and right ones (pairs
// of keys 16 apart).
#include <memory>

#include "tiles.hpp"

#if defined(BIMODAL_MATRIX_UNIT)

#include "backward.hpp"
#include "blocking.hpp"
#include "operands.hpp"
#include "schedule.hpp"
#include "scratch.hpp"

namespace bimodal::native {
namespace {

constexpr int kQueries = 2 * kTileDepth, kKeys = kTileDepth;    // of a block: kKeys x kQueries scores at a time
constexpr int kQuerySteps = kQueries / kTileDepth;
constexpr int kPending = 2;    // blocks of dS that meet their keys at once

struct Workspace {
  SplitTile *key_left, *key_transposed, *value_left;
  SplitTile *query_right, *query_transposed, *grad_right, *grad_transposed;
  SplitTile *weights, *grad_scores_left, *grad_scores_right;
  float *scores, *grad_scores, *grad_query, *grad_key, *grad_value;
  float *query_copy, *grad_out_copy, *out_copy, *grad_query_copy, *key_copy, *value_copy;
};

Workspace workspace(const Shape& shape, bool in_place) {
  const int64_t dim = shape.head_dim, steps = dim / kTileDepth, key_steps = whole_steps(shape.keys);
  const int64_t keys = Operand::words(2 * key_steps, steps) / 2, queries = Operand::words(2 * kQuerySteps, steps) / 2;
  const int64_t scores = kKeys * kQueries, left = Operand::words(2, kQuerySteps) / 2, right = Operand::words(2 * kQuerySteps, kPending) / 2;
  const int64_t sums = key_steps * kTileDepth * dim, block = kQueries * dim, copy = in_place ? 0 : shape.keys * dim;
  const auto padded = Scratch::padded;
  Scratch scratch(3 * padded(keys) + 4 * padded(queries) + 2 * padded(left) + padded(right) + 2 * padded(2 * scores) + 5 * padded(block) +
                  2 * padded(sums) + 2 * padded(copy));
  const auto tiles = [&](int64_t floats) { return reinterpret_cast<SplitTile*>(scratch.take(floats)); };
  return {tiles(keys), tiles(keys), tiles(keys), tiles(queries), tiles(queries), tiles(queries), tiles(queries),
          tiles(left), tiles(left), tiles(right), scratch.take(2 * scores), scratch.take(2 * scores), scratch.take(block), scratch.take(sums),
          scratch.take(sums), scratch.take(block), scratch.take(block), scratch.take(block), scratch.take(block), scratch.take(copy),
          scratch.take(copy)};
}

// A key head: its operands, and the sums of its gradients, which begin with key span.first.
struct KeyHead {
  Operand key, key_transposed, value;
  float *grad_key, *grad_value;
  KeySpan span;
  int64_t touched = 0;    // squares of keys that have a sum
};

// kSteps * 32 queries against all keys that they see.
template <int kSteps>
class Block {
 public:
  static constexpr int kTiles = 2 * kSteps;

  Block(const BackwardParams& p, const Workspace& w, KeyHead& head, int64_t b, int64_t h, int64_t first_query, int rows)
      : w_(w), head_(head), span_(head.span), keep_(span_.holes ? p.keep + b * p.shape.keys : nullptr), causal_(p.causal),
        dim_(p.shape.head_dim), steps_(dim_ / kTileDepth), cut_(first_query + p.shape.keys - p.shape.queries),
        query_{w.query_right, kSteps}, query_transposed_{w.query_transposed, steps_}, grad_out_{w.grad_right, kSteps},
        grad_out_transposed_{w.grad_transposed, steps_}, weights_{w.weights, kSteps}, grad_scores_{w.grad_scores_left, kSteps},
        grad_scores_right_{w.grad_scores_right, kPending} {
    if (causal_) span_.last = std::min(span_.last, cut_ + rows);
    const auto read = [&](const Heads& tensor, float* copy) {
      return rows_to_read(tensor, p.shape, p.storage, b, h, first_query, rows, copy);
    };
    const Rows query = read(p.query, w.query_copy), grad_out = read(p.grad_out, w.grad_out_copy), out = read(p.out, w.out_copy);
    split_as_right(query_, {query, rows}, kSteps, dim_);
    split_as_right(grad_out_, {grad_out, rows}, kSteps, dim_);
    split_transposed_as_right(query_transposed_, {query, rows, p.scale * kLog2E}, kTiles, dim_);
    split_transposed_as_right(grad_out_transposed_, {grad_out, rows, p.scale}, kTiles, dim_);
    const QueryBlock block{first_query, rows, kTiles};
    base2_log_sums(log_sum_, log_sum_low_, p.log_sum_exp + (b * p.shape.heads + h) * p.shape.queries + first_query, block);
    row_dots(delta_, grad_out, out, block, dim_, p.scale);
  }

  bool sees_some() const { return span_.first < span_.last; }

  // Square by square; the vectors weigh one while the unit makes the scores of the next.
  void differentiate() {
    const int64_t squares = whole_steps(span_.last - span_.first);
    if (squares > 0) make_scores(0, [](int64_t) {});
    for (int64_t s = 0; s < squares; s++) {
      begin_square(s);
      if (s + 1 < squares) {
        const int64_t calls = 2 * kSteps * calls_meanwhile(steps_), rows_at_once = (kTileRows * kSteps - 1) / calls + 1;
        int64_t row = 0;
        make_scores(s + 1, [&](int64_t) __attribute__((always_inline)) {
          for (const int64_t end = std::min<int64_t>(row + rows_at_once, kTileRows * kSteps); row < end; row++) weigh_row(row);
        });
      } else {
        for (int64_t row = 0; row < kTileRows * kSteps; row++) weigh_row(row);
      }
      add_to_keys(s);
      if (++pending_ == kPending || s + 1 == squares) add_to_queries();
    }
    head_.touched = std::max(head_.touched, squares);
  }

  void write_grad_query(const Rows& to, int rows) const {
    for (int t = 0; t < kTiles; t++) {
      for (int64_t d = 0; d < dim_; d += W) {
        Vec square[W];
        BIMODAL_UNROLL for (int i = 0; i < W; i++) square[i] = load(w_.grad_query + (d + i) * kQueries + t * W);
        transpose(square);
        for (int i = 0; i < W && t * W + i < rows; i++) store(to.data + (t * W + i) * to.stride + d, square[i]);
      }
    }
  }

 private:
  template <class Meanwhile>
  void make_scores(int64_t s, Meanwhile meanwhile) {
    float *scores = w_.scores + s % 2 * kKeys * kQueries, *grad_scores = w_.grad_scores + s % 2 * kKeys * kQueries;
    for (int t = 0; t < kTiles; t += 2) {
      multiply_tiles<2, 2>(scores + t * W, kQueries, head_.key.at(2 * s, 0), steps_ * kSplitTile, query_transposed_.at(t, 0),
                           steps_ * kSplitTile, steps_, false, meanwhile);
      multiply_tiles<2, 2>(grad_scores + t * W, kQueries, head_.value.at(2 * s, 0), steps_ * kSplitTile, grad_out_transposed_.at(t, 0),
                           steps_ * kSplitTile, steps_, false, meanwhile);
    }
  }

  void begin_square(int64_t s) {
    scores_ = w_.scores + s % 2 * kKeys * kQueries;
    score_grads_ = w_.grad_scores + s % 2 * kKeys * kQueries;
    slot_ = grad_scores_right_.at(0, pending_);
    view_.look_at(s, span_, keep_, causal_, cut_);
  }

  // P^T and dS^T as operands: of keys i and 16 + i, for i = row % 16, and the queries of step row / 16.
  BIMODAL_INLINE void weigh_row(uint64_t row) {
    const uint64_t i = row % kTileRows, step = row / kTileRows;
    Vec weight[2][2], grad[2][2];    // [keys 16 apart][queries 16 apart]
    BIMODAL_UNROLL for (int a = 0; a < 2; a++) {
      BIMODAL_UNROLL for (int c = 0; c < 2; c++) {
        const uint64_t key = a * kTileRows + i, query = step * kTileDepth + c * W;
        Vec score = load(scores_ + key * kQueries + query) - load(log_sum_low_ + query);
        if (view_.hides) [[unlikely]] {
          const Vec position = lane_numbers() + broadcast(static_cast<float>(query));
          score = broadcast(view_.bound[key]) <= position ? score : broadcast(kHidden);
        }
        weight[a][c] = exp2(score - load(log_sum_ + query));
        grad[a][c] = weight[a][c] * (load(score_grads_ + key * kQueries + query) - load(delta_ + query));
      }
      const uint64_t tile = (a * kSteps + step) * kSplitTile;
      store_pairs(w_.weights + tile, i, weight[a][0], weight[a][1]);
      store_pairs(w_.grad_scores_left + tile, i, grad[a][0], grad[a][1]);
    }
    BIMODAL_UNROLL for (int c = 0; c < 2; c++) store_pairs(slot_ + (2 * step + c) * kPending * kSplitTile, i, grad[0][c], grad[1][c]);
  }

  void add_to_keys(int64_t s) {
    const bool add = s < head_.touched;
    for (int64_t d = 0; d < dim_; d += 2 * kTileRows) {
      multiply_tiles<2, 2>(head_.grad_value + s * kKeys * dim_ + d, dim_, weights_.at(0, 0), kSteps * kSplitTile,
                           grad_out_.at(d / kTileRows, 0), kSteps * kSplitTile, kSteps, add, [](int64_t) {});
      multiply_tiles<2, 2>(head_.grad_key + s * kKeys * dim_ + d, dim_, grad_scores_.at(0, 0), kSteps * kSplitTile,
                           query_.at(d / kTileRows, 0), kSteps * kSplitTile, kSteps, add, [](int64_t) {});
    }
  }

  // grad_query[d][query], for the blocks of dS that wait for their keys.
  void add_to_queries() {
    for (int64_t d = 0; d < dim_; d += 2 * kTileRows) {
      for (int t = 0; t < kTiles; t += 2) {
        multiply_tiles<2, 2>(w_.grad_query + d * kQueries + t * W, kQueries, head_.key_transposed.at(d / kTileRows, added_),
                             head_.key_transposed.steps * kSplitTile, grad_scores_right_.at(t, 0), kPending * kSplitTile, pending_,
                             added_ > 0, [](int64_t) {});
      }
    }
    added_ += pending_;
    pending_ = 0;
  }

  const Workspace& w_;
  KeyHead& head_;
  KeySpan span_;
  const bool* const keep_;
  const bool causal_;
  const int64_t dim_, steps_;
  const int64_t cut_;    // key j is visible to query i of the block iff j <= i + cut
  const Operand query_, query_transposed_, grad_out_, grad_out_transposed_, weights_, grad_scores_, grad_scores_right_;
  alignas(64) float log_sum_[kQueries], log_sum_low_[kQueries], delta_[kQueries];
  SquareView view_;
  const float *scores_ = nullptr, *score_grads_ = nullptr;    // of the square that is weighed
  SplitTile* slot_ = nullptr;
  int64_t added_ = 0;
  int pending_ = 0;
};

template <int kSteps>
void differentiate_block(const BackwardParams& p, const Workspace& w, KeyHead& head, int64_t b, int64_t h, int64_t first_query, int rows) {
  const Rows grad_query = rows_to_write(p.grad_query, p.shape, p.storage, b, h, first_query, w.grad_query_copy);
  Block<kSteps> block(p, w, head, b, h, first_query, rows);
  block.differentiate();
  if (block.sees_some()) {
    block.write_grad_query(grad_query, rows);
  } else {
    zero_rows(grad_query, 0, rows, p.shape.head_dim);
  }
  rows_written(grad_query, p.grad_query, p.shape, p.storage, b, h, first_query, rows);
}

// Queries [begin, end) of a key head, those of its group's heads one after the other, in blocks of kQueries.
struct Part {
  int64_t b, key_head, begin, end;
};

// Leaves sums of all keys, dense, in grad_key and grad_value.
void differentiate_part(const BackwardParams& p, const Workspace& w, const Part& part, float* grad_key, float* grad_value) {
  const Shape& shape = p.shape;
  const MatrixUnit unit;
  const int64_t dim = shape.head_dim, steps = dim / kTileDepth, group = shape.heads / shape.kv_heads;
  const int64_t blocks = (shape.queries + kQueries - 1) / kQueries;
  const KeySpan span = key_span(p.keep ? p.keep + part.b * shape.keys : nullptr, shape.keys);
  const int64_t count = span.last - span.first, key_steps = whole_steps(count);
  KeyHead head{{w.key_left, steps}, {w.key_transposed, whole_steps(shape.keys)}, {w.value_left, steps},
               w.grad_key, w.grad_value, span};
  if (count > 0) {
    const Rows key = rows_to_read(p.key, shape, p.storage, part.b, part.key_head, span.first, count, w.key_copy);
    const Rows value = rows_to_read(p.value, shape, p.storage, part.b, part.key_head, span.first, count, w.value_copy);
    split_as_left(head.key, {key, count}, 2 * key_steps, dim);
    split_transposed_as_left(head.key_transposed, {key, count}, key_steps, dim);
    split_as_left(head.value, {value, count}, 2 * key_steps, dim);
  }
  for (int64_t i = part.begin; i < part.end; i++) {
    const int64_t h = part.key_head * group + i / blocks, first_query = i % blocks * kQueries;
    const int rows = static_cast<int>(std::min<int64_t>(kQueries, shape.queries - first_query));
    with_constant<kQuerySteps>((rows + kTileDepth - 1) / kTileDepth,
                               [&](auto n) { differentiate_block<n>(p, w, head, part.b, h, first_query, rows); });
  }
  const int64_t touched = std::min(count, head.touched * kKeys);
  const auto finish = [&](const float* sums, float* to) {
    std::fill_n(to, span.first * dim, 0.0f);
    std::copy_n(sums, touched * dim, to + span.first * dim);
    std::fill_n(to + (span.first + touched) * dim, (shape.keys - span.first - touched) * dim, 0.0f);
  };
  finish(w.grad_key, grad_key);
  finish(w.grad_value, grad_value);
}

// As above, but to where the gradients lie.
void write_gradient(const Heads& gradient, const BackwardParams& p, int64_t b, int64_t key_head, float* sums) {
  copy_rows_out({sums, p.shape.head_dim}, gradient, p.shape, p.storage, b, key_head, 0, p.shape.keys);
}

}  // namespace

void attention_backward_by_tiles(const BackwardParams& p, const Pool& pool) {
  const Shape& shape = p.shape;
  const int64_t key_heads = shape.batch * shape.kv_heads, group = shape.heads / shape.kv_heads;
  const int64_t blocks = (shape.queries + kQueries - 1) / kQueries * group, size = shape.keys * shape.head_dim;
  const Pool used = pool_for(5.0 * shape.batch * shape.heads * shape.queries * size, pool);
  const int64_t parts = std::min<int64_t>(blocks, (4 * used.threads + key_heads - 1) / key_heads);
  // sums: [key head][dK, dV][part][keys][head_dim]
  const auto sums = std::make_unique_for_overwrite<float[]>(key_heads * 2 * parts * size);
  deal_out(key_heads * parts, used, [&](int64_t task) {
    const int64_t head = task / parts, part = parts - 1 - task % parts, b = head / shape.kv_heads, key_head = head % shape.kv_heads;
    float *grad_key = sums.get() + (head * 2 * parts + part) * size, *grad_value = grad_key + parts * size;
    differentiate_part(p, workspace(shape, used_in_place(shape, p.storage)),
                       {b, key_head, blocks * part / parts, blocks * (part + 1) / parts}, grad_key, grad_value);
    if (parts > 1) return;
    write_gradient(p.grad_key, p, b, key_head, grad_key);
    write_gradient(p.grad_value, p, b, key_head, grad_value);
  });
  if (parts == 1) return;
  deal_out(key_heads * 2, used, [&](int64_t task) {
    add_parts(sums.get() + task * parts * size, parts, p, task % 2 ? p.grad_value : p.grad_key, task / 2 / shape.kv_heads,
              task / 2 % shape.kv_heads);
  });
}

}  // namespace bimodal::native

#endif
