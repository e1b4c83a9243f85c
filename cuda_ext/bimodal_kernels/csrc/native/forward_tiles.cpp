// Forward pass on a matrix unit (matrix_unit.hpp): as forward.cpp, but scores lie [query][key].
//
//   S = scale K Q^T     left: Q's rows             right: K^T, transposed once for all queries of a task
//   O = P V             left: P, as S came out     right: V's rows
//
// A lane of a vector is a key, so soft-max's sums run across lanes: of 16 queries at once, by half the work of a transposition.
// What keeps 2^x in range is judged by these sums (see forward.cpp): one outside of 2^-kMargin .. 2^kMargin moves its
// query's reference to the largest score, and the block of keys is weighed again.
#include "tiles.hpp"

#if defined(BIMODAL_MATRIX_UNIT)

#include "blocking.hpp"
#include "operands.hpp"
#include "schedule.hpp"
#include "scratch.hpp"

namespace bimodal::native {
namespace {

constexpr int kQueries = 2 * kTileRows, kKeys = kTileDepth;    // of a square
constexpr int kPending = 4;                                    // squares of weights that meet their values at once
constexpr float kLeast = 0x1p-40f, kMost = 0x1p40f;

struct Workspace {
  SplitTile *query, *weights, *key, *value;
  float *scores, *partial_out, *query_copy, *key_copy, *value_copy, *out_copy;
};

Workspace workspace(const Shape& shape, bool in_place) {
  const int64_t dim = shape.head_dim, steps = dim / kTileDepth, key_steps = whole_steps(shape.keys);
  const int64_t query = Operand::words(2, steps) / 2, weights = Operand::words(2, kPending) / 2;
  const int64_t keys = Operand::words(2 * key_steps, steps) / 2, block = kQueries * dim, copy = in_place ? 0 : shape.keys * dim;
  Scratch scratch(Scratch::padded(query) + Scratch::padded(weights) + 2 * Scratch::padded(keys) +
                  Scratch::padded(2 * kQueries * kKeys) + 3 * Scratch::padded(block) + 2 * Scratch::padded(copy));
  const auto tiles = [&](int64_t floats) { return reinterpret_cast<SplitTile*>(scratch.take(floats)); };
  return {tiles(query), tiles(weights), tiles(keys), tiles(keys), scratch.take(2 * kQueries * kKeys), scratch.take(block),
          scratch.take(block), scratch.take(copy), scratch.take(copy), scratch.take(block)};
}

// A key head's keys and values from some key on, as right operands.
struct KeyHead {
  Operand key, value;
};

// kTiles rows of tiles of queries against all keys that they see, square by square: while the unit makes the scores of one,
// the vectors weigh those of the one before.
template <int kTiles>
class Block {
 public:
  Block(const ForwardParams& p, const Workspace& w, const KeyHead& head, KeySpan span, const bool* keep, int64_t first_query)
      : w_(w), head_(head), span_(span), keep_(keep), causal_(p.causal), dim_(p.shape.head_dim), steps_(dim_ / kTileDepth),
        cut_(first_query + p.shape.keys - p.shape.queries), query_{w.query, steps_}, weights_{w.weights, kPending} {}

  void attend() {
    const int64_t squares = (span_.last - span_.first + kKeys - 1) / kKeys;
    const auto rows_at_once = static_cast<unsigned>((kRows - 1) / calls_meanwhile(steps_) + 1);
    for (int64_t s = 0; s < squares; s++) {
      unsigned row = s > 0 ? 0 : kRows;
      make_scores(s, [&](int64_t) __attribute__((always_inline)) {
        const unsigned end = std::min<unsigned>(row + rows_at_once, kRows);
        weigh_rows(row, end);
        row = end;
      });
      if (s > 0) end_square();
      begin_square(s);
    }
    if (squares > 0) {
      weigh_rows(0, kRows);
      end_square();
      add_values();
    }
  }

  // Of tile t, a lane is a query.
  Vec sum(int t) const { return sum_[t]; }
  Vec reference(int t) const { return load(reference_ + t * W); }

 private:
  static constexpr int kRows = kTiles * kTileRows;

  template <class Meanwhile>
  void make_scores(int64_t s, Meanwhile meanwhile) {
    multiply_tiles<kTiles, 2>(w_.scores + s % 2 * kQueries * kKeys, kKeys, query_.at(0, 0), steps_ * kSplitTile, head_.key.at(2 * s, 0),
                              head_.key.steps * kSplitTile, steps_, false, meanwhile);
  }

  void begin_square(int64_t s) {
    scores_ = w_.scores + s % 2 * kQueries * kKeys;
    slot_ = weights_.at(0, pending_);
    view_.look_at(s, span_, keep_, causal_, cut_);
  }

  BIMODAL_INLINE Vec weigh(unsigned row, unsigned j) const {
    const Vec score = load(scores_ + row * kKeys + j) - broadcast(reference_[row]);
    if (!view_.hides) [[likely]] return exp2(score);
    return exp2(load(view_.bound + j) <= broadcast(static_cast<float>(row)) ? score : broadcast(kHidden));
  }

  // Queries [first, last) of the square: weights from scores, and their sums.
  BIMODAL_INLINE void weigh_rows(unsigned first, unsigned last) {
    for (unsigned row = first; row < last; row++) {
      const Vec x = weigh(row, 0), y = weigh(row, W);
      store_pairs(slot_ + row / kTileRows * kPending * kSplitTile, row % kTileRows, x, y);
      sums_[row] = x + y;
    }
  }

  // All rows of the square are weighed.
  void end_square() {
    for (int t = 0; t < kTiles; t++) {
      Vec total = sum_[t] + square_sum(t);
      if (any(~((total >= broadcast(kLeast)) & (total <= broadcast(kMost))))) [[unlikely]] {
        move_references(t, total);
        total = sum_[t] + square_sum(t);
      }
      sum_[t] = total;
    }
    if (++pending_ == kPending) add_values();
  }

  Vec square_sum(int t) const {
    Vec rows[W];
    BIMODAL_UNROLL for (int i = 0; i < W; i++) rows[i] = sums_[t * kTileRows + i];
    return sum_each(rows);
  }

  // partial_out += weights values, for the squares that wait for it.
  void add_values() {
    if (pending_ == 0) return;
    for (int64_t d = 0; d < dim_; d += 2 * kTileRows) {
      multiply_tiles<kTiles, 2>(w_.partial_out + d, dim_, weights_.at(0, 0), weights_.steps * kSplitTile, head_.value.at(d / kTileRows, added_),
                                head_.value.steps * kSplitTile, pending_, added_ > 0, [](int64_t) {});
    }
    added_ += pending_;
    pending_ = 0;
  }

  // Moves the reference of queries of tile t whose sum is out of bounds to their largest score, and weighs them anew.
  [[gnu::noinline, gnu::cold]] void move_references(int t, Vec total) {
    const int slot = pending_;
    for (int i = 0; i < kTileRows; i++) {
      if (total[i] >= kLeast && total[i] <= kMost) continue;
      const int row = t * kTileRows + i;
      const float* scores = scores_ + row * kKeys;
      float top = kHidden;
      for (int j = 0; j < kKeys; j++) {
        if (!view_.hides || view_.bound[j] <= static_cast<float>(row)) top = std::max(top, scores[j]);
      }
      if (top <= kHidden / 2) continue;    // nothing seen
      // Below its bound a query had seen nothing before: nothing to rescale.
      const float factor = std::exp2(std::min(0.0f, reference_[row] - top));
      if (factor < 1) rescale(row, slot, factor);
      reference_[row] = top;
      sum_[t][i] *= factor;
      weigh_rows(row, row + 1);
    }
  }

  void rescale(int row, int slot, float factor) {
    for (int64_t d = 0; d < dim_ && added_ > 0; d++) w_.partial_out[row * dim_ + d] *= factor;
    for (int s = 0; s < slot; s++) {    // weights that wait for their values
      SplitTile* tile = weights_.at(row / kTileRows, s);
      Vec x = {}, y = {};
      for (int i = kParts - 1; i >= 0; i--) {
        Words pairs;
        std::memcpy(&pairs, tile + i * kTileWords + row % kTileRows * kTileDepth, sizeof pairs);
        x += std::bit_cast<Vec>(pairs << 16);
        y += std::bit_cast<Vec>(pairs & 0xffff0000u);
      }
      store_pairs(tile, row % kTileRows, x * broadcast(factor), y * broadcast(factor));
    }
  }

  const Workspace& w_;
  const KeyHead& head_;
  const KeySpan span_;
  const bool* const keep_;
  const bool causal_;
  const int64_t dim_, steps_;
  const int64_t cut_;    // key j is visible to query i of the block iff j <= i + cut
  const Operand query_, weights_;
  const float* scores_ = nullptr;    // of the square that is weighed
  SplitTile* slot_ = nullptr;        // where its weights go
  int64_t added_ = 0;                // squares in partial_out; after them
  int pending_ = 0;                  // squares whose weights wait for their values
  SquareView view_;
  alignas(64) float reference_[kRows] = {};
  Vec sums_[kRows], sum_[kTiles] = {};
};

// Queries [first_query, first_query + rows) of head h.
template <int kTiles>
void attend_block(const ForwardParams& p, const Workspace& w, int64_t b, int64_t h, int64_t first_query, int rows, KeySpan span,
                  const KeyHead& head) {
  const int64_t dim = p.shape.head_dim;
  if (p.causal) span.last = std::min(span.last, first_query + rows + p.shape.keys - p.shape.queries);
  const Rows query = rows_to_read(p.query, p.shape, p.storage, b, h, first_query, rows, w.query_copy);
  split_as_left({w.query, dim / kTileDepth}, {query, rows, p.scale * kLog2E}, kTiles, dim);
  Block<kTiles> block(p, w, head, span, span.holes ? p.keep + b * p.shape.keys : nullptr, first_query);
  block.attend();

  const Rows out = rows_to_write(p.out, p.shape, p.storage, b, h, first_query, w.out_copy);
  alignas(64) float reciprocal[kQueries], log_sum_exp[kQueries];
  for (int t = 0; t < kTiles; t++) {
    const Vec sum = block.sum(t), nothing = broadcast(-std::numeric_limits<float>::infinity());
    store(reciprocal + t * W, sum > Vec{} ? broadcast(1.0f) / sum : Vec{});
    store(log_sum_exp + t * W, sum > Vec{} ? log_of_scaled(sum, block.reference(t)) : nothing);
  }
  for (int i = 0; i < rows; i++) {
    for (int64_t d = 0; d < dim; d += W) store(out.data + i * out.stride + d, load(w.partial_out + i * dim + d) * broadcast(reciprocal[i]));
  }
  if (span.first >= span.last) zero_rows(out, 0, rows, dim);
  rows_written(out, p.out, p.shape, p.storage, b, h, first_query, rows);
  std::copy_n(log_sum_exp, rows, p.log_sum_exp + (b * p.shape.heads + h) * p.shape.queries + first_query);
}

// Queries [begin, end) of a head.
void attend_queries(const ForwardParams& p, int64_t b, int64_t h, int64_t begin, int64_t end) {
  const Shape& shape = p.shape;
  const MatrixUnit unit;
  const Workspace w = workspace(shape, used_in_place(shape, p.storage));
  const int64_t key_head = h / (shape.heads / shape.kv_heads), dim = shape.head_dim;
  KeySpan span = key_span(p.keep ? p.keep + b * shape.keys : nullptr, shape.keys);
  if (p.causal) span.last = std::min(span.last, end + shape.keys - shape.queries);
  const int64_t count = span.last - span.first;
  const KeyHead head{{w.key, dim / kTileDepth}, {w.value, whole_steps(shape.keys)}};
  if (count > 0) {
    const Rows key = rows_to_read(p.key, shape, p.storage, b, key_head, span.first, count, w.key_copy);
    const Rows value = rows_to_read(p.value, shape, p.storage, b, key_head, span.first, count, w.value_copy);
    split_transposed_as_right(head.key, {key, count}, 2 * whole_steps(count), dim);
    split_as_right(head.value, {value, count}, whole_steps(count), dim);
  }
  for (int64_t i = begin; i < end; i += kQueries) {
    const int rows = static_cast<int>(std::min<int64_t>(kQueries, end - i));
    with_constant<2>((rows + kTileRows - 1) / kTileRows, [&](auto tiles) { attend_block<tiles>(p, w, b, h, i, rows, span, head); });
  }
}

}  // namespace

void attention_forward_by_tiles(const ForwardParams& p, const Pool& pool) {
  const Shape& shape = p.shape;
  const int64_t heads = shape.batch * shape.heads, blocks = (shape.queries + kQueries - 1) / kQueries;
  const Pool used = pool_for(2.0 * heads * shape.queries * shape.keys * shape.head_dim, pool);
  // A task splits its head's keys anew: as few parts of a head as keep the threads busy; later ones first, for causality
  // makes them longer.
  const int64_t parts = std::min<int64_t>(blocks, (4 * used.threads + heads - 1) / heads);
  deal_out(heads * parts, used, [&](int64_t task) {
    const int64_t head = task / parts, part = parts - 1 - task % parts;
    attend_queries(p, head / shape.heads, head % shape.heads, blocks * part / parts * kQueries,
                   std::min(shape.queries, blocks * (part + 1) / parts * kQueries));
  });
}

}  // namespace bimodal::native

#endif
