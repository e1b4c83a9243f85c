// Linear layers for many rows, as in training, on a matrix unit (matrix_unit.hpp).
//
//   y = x W^T + b      left: x's rows              right: W, transposed
//   dx = dy W          left: dy's rows             right: W's rows
//   dW = dy^T x        left: dy, transposed        right: x's rows
//
// A thread has a part of the result. It splits what it needs of the left operand, block by block that stay in its second-level
// cache, then panel by panel of the right one, and multiplies each block with each panel.
//
// Source: Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", sec. 4 (which operand stays where).
#include "sublayers.hpp"
#include "tiles.hpp"

#if defined(BIMODAL_MATRIX_UNIT)

#include "operands.hpp"
#include "schedule.hpp"
#include "scratch.hpp"
#include "tile.hpp"

namespace bimodal::native {
namespace {

constexpr int64_t kPanel = 2 * kTileRows;              // rows and columns of a square
constexpr int64_t kMostPairs = 12, kMostSteps = 16;    // squares, steps of depth: of a block of the left operand: 1.2 MB

int64_t tiles_of(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

enum class Layout : uint8_t {
  plain,         // [row][depth] on the left, [depth][column] on the right
  transposed,
};

struct Source {
  const float* data;
  int64_t stride;

  Rows from(int64_t row, int64_t column) const { return {const_cast<float*>(data) + row * stride + column, stride}; }
};

// result[rows][columns] = left right + bias, dense.
template <Layout kLeft, Layout kRight>
struct Product {
  int64_t rows, columns, depth;
  Source left, right;
  const float* bias;    // [columns]; null: none
  float* result;
};

// Part of a product: rows and columns of the result, and a range of depth.
struct Block {
  int64_t row, last_row, column, last_column, depth, steps;
};

// A thread's part of a product; memory for what it splits.
template <Layout kLeft, Layout kRight>
class Part {
 public:
  Part(const Product<kLeft, kRight>& p, SplitTile* left, SplitTile* right) : p_(p), left_(left), right_(right) {}

  void multiply(const Block& block) const {
    split_left(block);
    for (int64_t column = block.column; column < block.last_column; column += kPanel) {
      split_right(block, column);
      for (int64_t row = block.row; row < block.last_row; row += kPanel) multiply_square(block, row, column);
    }
  }

 private:
  void split_left(const Block& block) const {
    const Operand left{left_, block.steps};
    const int64_t tiles = tiles_of(block.last_row - block.row);
    if constexpr (kLeft == Layout::plain) {
      const Rows rows = p_.left.from(block.row, block.depth);
      split_as_left(left, {rows, block.last_row - block.row}, tiles, block.steps * kTileDepth);
    } else {
      const Rows rows = p_.left.from(block.depth, block.row);
      split_transposed_as_left(left, {rows, p_.depth - block.depth}, block.steps, tiles * kTileRows);
    }
  }

  void split_right(const Block& block, int64_t column) const {
    const Operand right{right_, block.steps};
    if constexpr (kRight == Layout::plain) {
      const Rows rows = p_.right.from(block.depth, column);
      split_as_right(right, {rows, p_.depth - block.depth}, block.steps, kPanel);
    } else {
      const Rows rows = p_.right.from(column, block.depth);
      split_transposed_as_right(right, {rows, kPanel}, kPanel / kTileRows, block.steps * kTileDepth);
    }
  }

  void multiply_square(const Block& block, int64_t row, int64_t column) const {
    const int64_t rows = std::min(kPanel, block.last_row - row), tile = block.steps * kSplitTile;
    const SplitTile* const left = left_ + (row - block.row) / kTileRows * tile;
    float* const result = p_.result + row * p_.columns + column;
    const Start start = block.depth ? Start{result, p_.columns} : p_.bias ? Start{p_.bias + column, 0} : Start{};
    if (rows == kPanel) return multiply_tiles<2, 2>(result, p_.columns, left, tile, right_, tile, block.steps, start, [](int64_t) {});
    // The last rows: the unit reads and writes whole tiles.
    alignas(64) float whole[kPanel * kPanel];
    if (start.rows) copy_rows(whole, kPanel, start.rows, start.stride, rows);
    const Start copied = start.rows ? Start{whole, kPanel} : Start{};
    with_constant<2>(static_cast<int>(tiles_of(rows)), [&](auto tiles) {
      multiply_tiles<tiles, 2>(whole, kPanel, left, tile, right_, tile, block.steps, copied, [](int64_t) {});
    });
    copy_rows(result, p_.columns, whole, kPanel, rows);
  }

  static void copy_rows(float* to, int64_t to_stride, const float* from, int64_t from_stride, int64_t rows) {
    for (int64_t i = 0; i < rows; i++) std::copy_n(from + i * from_stride, kPanel, to + i * to_stride);
  }

  const Product<kLeft, kRight>& p_;
  SplitTile *const left_, *const right_;
};

// How a result of rows x columns squares is cut among threads: each splits what it multiplies, so that nobody waits.
struct Grid {
  int64_t rows, columns;
};

// By rows, if they are those of examples and enough for all: a thread finds in its cache what it made of them in the step before.
// Otherwise so that threads split little: to split a square takes about as long as to multiply two.
Grid grid_for(int64_t rows, int64_t columns, int64_t threads, bool of_examples) {
  if (of_examples && rows >= 3 * threads) return {threads, 1};
  Grid best{1, 1};
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t r = 1; r <= std::min(rows, threads); r++) {
    const int64_t c = std::min(columns, threads / r), height = (rows + r - 1) / r, width = (columns + c - 1) / c;
    if (const int64_t cost = height * width + height + width; cost < least) least = cost, best = {r, c};
  }
  return best;
}

template <Layout kLeft, Layout kRight>
void multiply(const Product<kLeft, kRight>& p, const Pool& pool) {
  const int64_t down = (p.rows + kPanel - 1) / kPanel, across = p.columns / kPanel, most_steps = std::min(whole_steps(p.depth), kMostSteps);
  const Grid grid = grid_for(down, across, pool.threads, kLeft == Layout::plain);
  deal_out(grid.rows * grid.columns, pool, [&](int64_t task) {
    const MatrixUnit unit;
    const int64_t left_words = Operand::words(2 * kMostPairs, most_steps), right_words = Operand::words(2, most_steps);
    Scratch scratch(Scratch::padded(left_words / 2) + Scratch::padded(right_words / 2));
    auto* const left = reinterpret_cast<SplitTile*>(scratch.take(left_words / 2));
    const Part part(p, left, reinterpret_cast<SplitTile*>(scratch.take(right_words / 2)));
    const int64_t r = task / grid.columns, c = task % grid.columns, last_row = std::min(p.rows, down * (r + 1) / grid.rows * kPanel);
    for (int64_t row = down * r / grid.rows * kPanel; row < last_row; row += kMostPairs * kPanel) {
      for (int64_t depth = 0; depth < p.depth; depth += kMostSteps * kTileDepth) {
        part.multiply({row, std::min(last_row, row + kMostPairs * kPanel), across * c / grid.columns * kPanel,
                       across * (c + 1) / grid.columns * kPanel, depth, std::min(kMostSteps, whole_steps(p.depth - depth))});
      }
    }
  });
}

}  // namespace

bool linear_tiles_serve(int64_t inputs, int64_t outputs) {
  return inputs % kPanel == 0 && outputs % kPanel == 0 && matrix_unit_is_ready();
}

void linear_by_tiles(const LinearLayer& layer, const float* x, float* y, const Pool& pool) {
  const auto [rows, inputs, outputs, weight, bias] = layer;
  multiply<Layout::plain, Layout::transposed>({rows, outputs, inputs, {x, inputs}, {weight, inputs}, bias, y}, pool);
}

void linear_grad_input_by_tiles(const LinearLayer& layer, const float* grad_y, float* grad_x, const Pool& pool) {
  const auto [rows, inputs, outputs, weight, bias] = layer;
  multiply<Layout::plain, Layout::plain>({rows, inputs, outputs, {grad_y, outputs}, {weight, inputs}, nullptr, grad_x}, pool);
}

void linear_grad_weight_by_tiles(const LinearLayer& layer, const float* grad_y, const float* x, float* grad_weight, const Pool& pool) {
  const auto [rows, inputs, outputs, weight, bias] = layer;
  multiply<Layout::transposed, Layout::plain>({outputs, inputs, rows, {grad_y, outputs}, {x, inputs}, nullptr, grad_weight}, pool);
}

}  // namespace bimodal::native

#else

namespace bimodal::native {

bool linear_tiles_serve(int64_t, int64_t) { return false; }
void linear_by_tiles(const LinearLayer&, const float*, float*, const Pool&) {}
void linear_grad_input_by_tiles(const LinearLayer&, const float*, float*, const Pool&) {}
void linear_grad_weight_by_tiles(const LinearLayer&, const float*, const float*, float*, const Pool&) {}

}  // namespace bimodal::native

#endif
