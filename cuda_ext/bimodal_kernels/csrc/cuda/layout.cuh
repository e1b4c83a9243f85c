// Where things lie: tiles in shared memory, fragments in registers. Pictures: docs/kernels.md.
//
// A tile is [Rows][Columns] of 16-bit elements, cut into chunks of 8 elements (16 bytes). Chunk c of row r is stored in
// place c XOR (r % 8) of its row. ldmatrix reads 8 rows of one chunk column at a time: unswizzled, all 8 would lie in the
// same 4 of the 32 banks (rows are a multiple of 128 bytes apart); swizzled, they lie in 8 different groups of 4.
#pragma once
#include "prim.cuh"

namespace bimodal {

constexpr int kChunk = 8;  // elements in the 16 bytes that one cp.async copies and one ldmatrix row has

template <int Rows, int Columns>
struct Tile {
  static_assert(Columns % 64 == 0, "the swizzle permutes groups of 8 chunks");
  static constexpr int kRows = Rows, kColumns = Columns, kElements = Rows * Columns;
  static constexpr int kBytes = kElements * static_cast<int>(sizeof(uint16_t));

  uint16_t* data;

  /// Address of 8 elements, `column` a multiple of 8.
  BIMODAL_PRIMITIVE uint16_t* chunk(int row, int column) const {
    return data + row * Columns + ((column / kChunk) ^ (row % 8)) * kChunk;
  }

  /// Address of one element.
  BIMODAL_PRIMITIVE uint16_t* element(int row, int column) const { return chunk(row, column) + column % kChunk; }
};

/// Starts to copy rows [first_row, first_row + Rows) of a matrix in global memory into a tile, the whole block together.
/// Rows at or beyond `num_rows` become zeros and are not read.
template <int Threads, int Rows, int Columns>
BIMODAL_PRIMITIVE void copy_tile_async(Tile<Rows, Columns> tile, const uint16_t* matrix, int64_t row_stride,
                                       int first_row, int num_rows) {
  constexpr int kChunksPerRow = Columns / kChunk, kChunks = Rows * kChunksPerRow;
  static_assert(kChunks % Threads == 0 && Threads % kChunksPerRow == 0, "every thread copies one column of chunks");
  const int column = threadIdx.x % kChunksPerRow * kChunk;
#pragma unroll
  for (int step = 0; step < kChunks / Threads; step++) {
    const int row = threadIdx.x / kChunksPerRow + step * (Threads / kChunksPerRow);
    const bool exists = first_row + row < num_rows;
    const int64_t source = exists ? first_row + row : 0;
    prim::copy_async_16(tile.chunk(row, column), matrix + source * row_stride + column, exists);
  }
}

/// 16 bytes, moved by one instruction.
struct alignas(16) Chunk {
  uint32_t words[4];
};

/// A 16x16 operand of mma: what ldmatrix.x4 leaves in a lane's registers.
struct Fragment {
  uint32_t registers[4];
};

/// From a chunk in columns 0-15 of a swizzled row to the one `column` further right (a multiple of 16): as the swizzle is an
/// XOR, so is the way, and it costs one instruction with a constant instead of a register that keeps the address. Relies on
/// rows that start at multiples of their length.
BIMODAL_PRIMITIVE constexpr uint32_t flip_to(int column) { return static_cast<uint32_t>(column) * sizeof(uint16_t); }

/// The 16x16 block at (row, column) as the left operand.
template <int Rows, int Columns>
BIMODAL_PRIMITIVE Fragment load_left(Tile<Rows, Columns> tile, int row, int column, int lane) {
  Fragment fragment;
  prim::load_matrix_x4(fragment.registers, tile.chunk(row + lane % 16, lane / 16 * 8), flip_to(column));
  return fragment;
}

/// The 16x16 block at (row, column), transposed, as the left operand.
template <int Rows, int Columns>
BIMODAL_PRIMITIVE Fragment load_left_transposed(Tile<Rows, Columns> tile, int row, int column, int lane) {
  Fragment fragment;
  prim::load_matrix_x4_transposed(fragment.registers,
                                  tile.chunk(row + lane % 8 + lane / 16 * 8, lane / 8 % 2 * 8), flip_to(column));
  return fragment;
}

/// The 16x16 block at (row, column), transposed, as the right operand: for A B^T with B stored by rows.
/// Registers 0 and 1 serve output columns 0-7 (tile rows `row` + 0-7), registers 2 and 3 output columns 8-15.
template <int Rows, int Columns>
BIMODAL_PRIMITIVE Fragment load_right_transposed(Tile<Rows, Columns> tile, int row, int column, int lane) {
  Fragment fragment;
  prim::load_matrix_x4(fragment.registers, tile.chunk(row + lane % 8 + lane / 16 * 8, lane / 8 % 2 * 8), flip_to(column));
  return fragment;
}

/// The 16x16 block at (row, column) as the right operand: for A B with B stored by rows.
/// Registers 0 and 1 serve output columns 0-7 (tile columns `column` + 0-7), registers 2 and 3 output columns 8-15.
template <int Rows, int Columns>
BIMODAL_PRIMITIVE Fragment load_right(Tile<Rows, Columns> tile, int row, int column, int lane) {
  Fragment fragment;
  prim::load_matrix_x4_transposed(fragment.registers, tile.chunk(row + lane % 16, lane / 16 * 8), flip_to(column));
  return fragment;
}

/// A 16x16 result of mma: two 16x8 accumulators side by side. Element e of accumulator n of a lane is at
/// row `accumulator_row(lane, e)`, column n * 8 + `accumulator_column(lane, e)`.
using Accumulator = float[4];

BIMODAL_PRIMITIVE constexpr int accumulator_row(int lane, int element) { return lane / 4 + element / 2 * 8; }
BIMODAL_PRIMITIVE constexpr int accumulator_column(int lane, int element) { return lane % 4 * 2 + element % 2; }

/// left (16x16) times right (16x16) added to two neighbouring accumulators.
template <class Format>
BIMODAL_PRIMITIVE void multiply(Accumulator (&sums)[2], const Fragment& left, const Fragment& right) {
  prim::mma<Format>(sums[0], left.registers, right.registers[0], right.registers[1]);
  prim::mma<Format>(sums[1], left.registers, right.registers[2], right.registers[3]);
}

/// Two neighbouring accumulators, rounded to 16 bits, as the left operand of the next product: no data moves between
/// lanes, since results and left operands are laid out alike.
template <class Format>
BIMODAL_PRIMITIVE Fragment as_left(const Accumulator (&sums)[2]) {
  return {{prim::pack<Format>(sums[0][0], sums[0][1]), prim::pack<Format>(sums[0][2], sums[0][3]),
           prim::pack<Format>(sums[1][0], sums[1][1]), prim::pack<Format>(sums[1][2], sums[1][3])}};
}

}  // namespace bimodal
