// fp32 products on a matrix unit for bf16 (Intel AMX), 16 times as fast as vectors at a sixth of the precision each.
//
// fp32 has 24 bits, bf16 has 8 and the same exponents: x = x0 + x1 + x2, each part a bf16, cut off and so exact. Then
//
//   x y = x0 y0 + (x0 y1 + x1 y0) + (x0 y2 + x1 y1 + x2 y0) + rest,    |rest| < 2^-23 |x y|, on average an eighth of that
//
// which is as close as one fp32 product, and the unit adds up in fp32. Six products of bf16 for one of fp32: 2.7 times
// the peak of the vectors.
//
// Source: Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
// Computations", sec. II-III; Intel, Architecture Instruction Set Extensions, ch. 3 (AMX): tiles, TDPBF16PS.
//
// Operands lie in memory as tiles of 16 rows of 32 bf16, three tiles for the three parts. The unit multiplies pairs: a left
// tile's row holds 16 pairs along the depth, a right tile's row one pair for each of 16 columns. Which two make a pair is
// ours to say, as long as both sides agree. Here a step of depth is 32 long, and number r goes with number 16 + r:
//
//   left  (rows x depth):     row i is   (i, 0) (i, 16)   (i, 1) (i, 17)   ...   (i, 15) (i, 31)
//   right (depth x columns):  row r is   (r, 0) (r+16, 0)   (r, 1) (r+16, 1)   ...   (r, 15) (r+16, 15)
//
// So both interleave two vectors: a left row those of one row next to each other, a right row those of rows 16 apart. What
// one product made, in rows of fp32, becomes either operand of the next, without a permutation.
#pragma once

#include <algorithm>
#include <cstdint>

#include "attention.hpp"
#include "simd.hpp"

#if defined(__AMX_BF16__) && defined(__AMX_TILE__) && defined(__AVX512F__) && defined(__linux__)
#define BIMODAL_MATRIX_UNIT 1
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bimodal::native {

#if defined(BIMODAL_MATRIX_UNIT)

constexpr int kTileRows = 16;     // also the columns of a result
constexpr int kTileDepth = 32;
constexpr int kParts = 3;
constexpr int64_t kTileWords = kTileRows * kTileDepth;
constexpr int64_t kSplitTile = kParts * kTileWords;    // words of the three tiles of one

using SplitTile = uint16_t;    // kSplitTile of them

// Linux gives the unit's large registers only to processes that ask. False: it does not have them, or does not give them.
inline bool matrix_unit_is_ready() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;    // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

// The unit, set up for this thread: eight tiles of 16 rows of 64 bytes.
class MatrixUnit {
 public:
  MatrixUnit() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  ~MatrixUnit() { asm volatile("tilerelease"); }
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;
};

// Not the compilers' intrinsics: GCC 12's do not tell it that memory is read and written.
template <int kTile>
BIMODAL_INLINE void load_tile(const void* rows, int64_t stride_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(rows), "r"(stride_bytes), "i"(kTile) : "memory");
}
template <int kTile>
BIMODAL_INLINE void store_tile(void* rows, int64_t stride_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(rows), "r"(stride_bytes), "i"(kTile) : "memory");
}
template <int kTile>
BIMODAL_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
template <int kResult, int kLeft, int kRight>
BIMODAL_INLINE void multiply_add_tile() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kResult), "i"(kLeft), "i"(kRight));
}

// The leading part of x as fp32, its low 16 bits 0.
BIMODAL_INLINE Vec leading(Vec x) { return std::bit_cast<Vec>(std::bit_cast<Words>(x) & 0xffff0000u); }

// A row of a split tile, three rows of bf16: pairs of the lanes of x and y.
BIMODAL_INLINE void store_pairs(SplitTile* tile, int64_t row, Vec x, Vec y) {
  BIMODAL_UNROLL for (int i = 0; i < kParts; i++) {
    const Vec low = leading(x), high = leading(y);
    const Words pairs = (std::bit_cast<Words>(x) >> 16) | std::bit_cast<Words>(high);
    std::memcpy(tile + i * kTileWords + row * kTileDepth, &pairs, sizeof pairs);
    x -= low;
    y -= high;
  }
}

// Tiles [tile][step of depth], each split in three: a left operand's tiles follow each other along its rows, a right one's
// along its columns.
struct Operand {
  SplitTile* tiles;
  int64_t steps;    // that memory has room for

  SplitTile* at(int64_t tile, int64_t step) const { return tiles + (tile * steps + step) * kSplitTile; }
  static int64_t words(int64_t tiles, int64_t steps) { return tiles * steps * kSplitTile; }
};

template <int kPart, int kCount, int kFirstRegister>
BIMODAL_INLINE void load_part(const SplitTile* tiles, int64_t tile_stride) {
  load_tile<kFirstRegister>(tiles + kPart * kTileWords, kTileDepth * 2);
  if constexpr (kCount > 1) load_tile<kFirstRegister + 1>(tiles + kPart * kTileWords + tile_stride, kTileDepth * 2);
}

// How many times multiply_tiles calls its `meanwhile`.
inline int64_t calls_meanwhile(int64_t steps) { return 6 * steps; }

// What a product is added to: rows of floats, all the same one if the stride is 0; null is zero.
struct Start {
  const float* rows = nullptr;
  int64_t stride = 0;
};

// result[16 M][16 N] = start + left right over `steps` steps, from where the operands point. M, N <= 2.
//
// The unit works on its own once it has its orders, which fill a fraction of its time: meanwhile(i), i = 0, 1, ..., is called
// between them to do other work on the vectors. A processor does not look far enough ahead to find that by itself.
template <int M, int N, class Meanwhile>
BIMODAL_INLINE void multiply_tiles(float* result, int64_t stride, const SplitTile* left, int64_t left_tile, const SplitTile* right,
                                   int64_t right_tile, int64_t steps, Start start, Meanwhile meanwhile) {
  const auto at = [&](int m, int n) { return result + m * kTileRows * stride + n * kTileRows; };
  if (start.rows) {
    const auto from = [&](int m, int n) { return start.rows + m * kTileRows * start.stride + n * kTileRows; };
    load_tile<0>(from(0, 0), start.stride * 4);
    if constexpr (N > 1) load_tile<1>(from(0, 1), start.stride * 4);
    if constexpr (M > 1) load_tile<2>(from(1, 0), start.stride * 4);
    if constexpr (M > 1 && N > 1) load_tile<3>(from(1, 1), start.stride * 4);
  } else {
    zero_tile<0>(), zero_tile<1>(), zero_tile<2>(), zero_tile<3>();
  }
  int64_t call = 0;
  const auto multiply = [&]() __attribute__((always_inline)) {
    multiply_add_tile<0, 4, 6>();
    if constexpr (N > 1) multiply_add_tile<1, 4, 7>();
    if constexpr (M > 1) multiply_add_tile<2, 5, 6>();
    if constexpr (M > 1 && N > 1) multiply_add_tile<3, 5, 7>();
    meanwhile(call++);
  };
  for (int64_t s = 0; s < steps; s++, left += kSplitTile, right += kSplitTile) {
    // The six products in an order in which each needs one other part than the one before.
    load_part<0, M, 4>(left, left_tile), load_part<2, N, 6>(right, right_tile), multiply();
    load_part<1, N, 6>(right, right_tile), multiply();
    load_part<1, M, 4>(left, left_tile), multiply();
    load_part<0, N, 6>(right, right_tile), multiply();
    load_part<2, M, 4>(left, left_tile), multiply();
    load_part<0, M, 4>(left, left_tile), multiply();
  }
  store_tile<0>(at(0, 0), stride * 4);
  if constexpr (N > 1) store_tile<1>(at(0, 1), stride * 4);
  if constexpr (M > 1) store_tile<2>(at(1, 0), stride * 4);
  if constexpr (M > 1 && N > 1) store_tile<3>(at(1, 1), stride * 4);
}

// result = (or, if `add`, +=) left right.
template <int M, int N, class Meanwhile>
BIMODAL_INLINE void multiply_tiles(float* result, int64_t stride, const SplitTile* left, int64_t left_tile, const SplitTile* right,
                                   int64_t right_tile, int64_t steps, bool add, Meanwhile meanwhile) {
  multiply_tiles<M, N>(result, stride, left, left_tile, right, right_tile, steps, Start{add ? result : nullptr, stride}, meanwhile);
}

#endif

}  // namespace bimodal::native
