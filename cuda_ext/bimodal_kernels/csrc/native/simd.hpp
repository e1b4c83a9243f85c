// One vector type for AVX-512, AVX2, NEON and plain SSE, by the vector extensions that GCC and Clang share.
//
// Arithmetic on Vec is written with the ordinary operators; the compiler contracts a * b + c to a fused multiply-add.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define BIMODAL_INLINE inline __attribute__((always_inline))
#define BIMODAL_UNROLL _Pragma("GCC unroll 32")

namespace bimodal::native {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kVectorRegisters = 32;
#else
constexpr int kVectorRegisters = 16;
#endif

constexpr int W = kVectorBytes / 4;    // lanes

using Vec = float __attribute__((vector_size(kVectorBytes)));
using IntVec = int32_t __attribute__((vector_size(kVectorBytes)));
using HalfWords = uint16_t __attribute__((vector_size(kVectorBytes / 2)));
using Words = uint32_t __attribute__((vector_size(kVectorBytes)));

struct BFloat16 {
  uint16_t bits;
};

// x - 0 is x in every bit, so the compiler reduces this to a broadcast. 0 + x would stay an addition (0 + -0 is 0)
// and take a port from the multiply-adds: 41 instead of 94 GFLOP/s on 64 x 64.
BIMODAL_INLINE Vec broadcast(float x) { return x - Vec{}; }

BIMODAL_INLINE Vec load(const float* p) {
  Vec x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

BIMODAL_INLINE Vec load(const BFloat16* p) {
  HalfWords x;
  std::memcpy(&x, p, sizeof x);
  return std::bit_cast<Vec>(__builtin_convertvector(x, Words) << 16);
}

// By name, where there is one: from __builtin_convertvector GCC 12 makes a conversion for each lane.
BIMODAL_INLINE Vec load(const int8_t* p) {
#if defined(__AVX512F__)
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return std::bit_cast<Vec>(_mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepi8_epi32(0xffff, x)));
#elif defined(__AVX2__)
  return std::bit_cast<Vec>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadu_si64(p))));
#elif defined(__SSE4_1__) && !defined(__AVX__)
  return std::bit_cast<Vec>(_mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_loadu_si32(p))));
#else
  int8_t x __attribute__((vector_size(W)));
  std::memcpy(&x, p, sizeof x);
  return __builtin_convertvector(x, Vec);
#endif
}

BIMODAL_INLINE void store(float* p, Vec x) { std::memcpy(p, &x, sizeof x); }

// Rounds to nearest even; NaN stays NaN.
BIMODAL_INLINE void store(BFloat16* p, Vec x) {
  const Words bits = std::bit_cast<Words>(x);
  const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const HalfWords half = __builtin_convertvector(x == x ? rounded : (bits >> 16) | 0x40, HalfWords);
  std::memcpy(p, &half, sizeof half);
}

BIMODAL_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }

// Is any lane of a comparison's result (lanes 0 or -1) set?
BIMODAL_INLINE bool any(IntVec mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(std::bit_cast<__m512i>(mask), std::bit_cast<__m512i>(mask)) != 0;
#elif defined(__AVX__)
  return _mm256_movemask_ps(std::bit_cast<__m256>(mask)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps(std::bit_cast<__m128>(mask)) != 0;
#elif defined(__aarch64__)
  return vmaxvq_u32(std::bit_cast<uint32x4_t>(mask)) != 0;
#else
  int32_t set = 0;
  for (int i = 0; i < W; i++) set |= mask[i];
  return set != 0;
#endif
}

// Keeps x in a register of its own: several products use it, and GCC would otherwise load it again for each.
BIMODAL_INLINE void keep_in_register(Vec& x) {
#if defined(__x86_64__)
  asm("" : "+v"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#endif
}

// 0, 1, ..., W - 1
BIMODAL_INLINE Vec lane_numbers() {
  return []<int... lane>(std::integer_sequence<int, lane...>) {
    return Vec{static_cast<float>(lane)...};
  }(std::make_integer_sequence<int, W>{});
}

// 2^x for x <= 127, within 1e-7 relative; below -126 less precise, from -150 on exactly 0.
// x = n + f with |f| <= 1/2, and 2^f by a minimax polynomial of degree 6 (2e-9 relative: rounding dominates).
BIMODAL_INLINE Vec exp2(Vec x) {
#if !defined(__AVX512F__)
  x = max(x, broadcast(-127.0f));    // the exponent below must not wrap around
#endif
  const Vec round = broadcast(0x1.8p23f);    // adding it leaves the nearest integer in the low bits
  const Vec shifted = x + round, n = shifted - round, f = x - n;
  Vec p = broadcast(1.53533620e-4f);
  p = p * f + broadcast(1.33988745e-3f);
  p = p * f + broadcast(9.61843736e-3f);
  p = p * f + broadcast(5.55033247e-2f);
  p = p * f + broadcast(2.40226479e-1f);
  p = p * f + broadcast(6.93147203e-1f);
  p = p * f + broadcast(1.0f);
#if defined(__AVX512F__)
  return std::bit_cast<Vec>(_mm512_maskz_scalef_ps(0xffff, std::bit_cast<__m512>(p), std::bit_cast<__m512>(n)));
#else
  return std::bit_cast<Vec>(std::bit_cast<IntVec>(p) + (std::bit_cast<IntVec>(shifted) << 23));
#endif
}

// ln(2^exponent * x) for normal x > 0, within 1e-7 of the larger of the result and 1: the logarithm of x's mantissa m in
// [sqrt(1/2), sqrt(2)) is 2 artanh((m - 1) / (m + 1)), and the power of 2 joins in a single rounding.
BIMODAL_INLINE Vec log_of_scaled(Vec x, Vec exponent) {
  const IntVec bits = std::bit_cast<IntVec>(x), power = (bits - 0x3f3504f3) >> 23;
  const Vec m = std::bit_cast<Vec>(bits - (power << 23)), one = broadcast(1.0f);
  const Vec t = (m - one) / (m + one), t2 = t * t;
  Vec p = broadcast(2.0f / 9);
  p = p * t2 + broadcast(2.0f / 7);
  p = p * t2 + broadcast(2.0f / 5);
  p = p * t2 + broadcast(2.0f / 3);
  p = p * t2 + broadcast(2.0f);
  return (exponent + __builtin_convertvector(power, Vec)) * broadcast(0.693147180559945309f) + p * t;
}

// One stage of a butterfly between rows i and i + kStep: each lower row takes both rows' elements of even
// kStep-blocks, each upper row those of odd ones.
template <int kStep>
BIMODAL_INLINE Vec even_blocks(Vec a, Vec b) {
  return [&]<int... lane>(std::integer_sequence<int, lane...>) {
    return __builtin_shufflevector(a, b, ((lane & kStep) ? lane - kStep + W : lane)...);
  }(std::make_integer_sequence<int, W>{});
}

template <int kStep>
BIMODAL_INLINE Vec odd_blocks(Vec a, Vec b) {
  return [&]<int... lane>(std::integer_sequence<int, lane...>) {
    return __builtin_shufflevector(a, b, ((lane & kStep) ? lane + W : lane + kStep)...);
  }(std::make_integer_sequence<int, W>{});
}

// rows[i][j] <-> rows[j][i], in log2(W) stages.
template <int kStep = 1>
BIMODAL_INLINE void transpose(Vec (&rows)[W]) {
  if constexpr (kStep < W) {
    BIMODAL_UNROLL for (int i = 0; i < W; i++) {
      if (i & kStep) continue;
      const Vec a = rows[i], b = rows[i + kStep];
      rows[i] = even_blocks<kStep>(a, b);
      rows[i + kStep] = odd_blocks<kStep>(a, b);
    }
    transpose<kStep * 2>(rows);
  }
}

// Lane i of the result is the sum of rows[i]: the transposition's first half at each stage, half the work.
template <int kStep = 1>
BIMODAL_INLINE Vec sum_each(Vec (&rows)[W]) {
  if constexpr (kStep == W) {
    return rows[0];
  } else {
    BIMODAL_UNROLL for (int i = 0; i < W; i += 2 * kStep) {
      const Vec a = rows[i], b = rows[i + kStep];
      rows[i] = even_blocks<kStep>(a, b) + odd_blocks<kStep>(a, b);
    }
    return sum_each<kStep * 2>(rows);
  }
}

BIMODAL_INLINE float sum(Vec x) {
  float total = 0;
  for (int i = 0; i < W; i++) total += x[i];
  return total;
}

BIMODAL_INLINE float largest(Vec x) {
  float top = x[0];
  for (int i = 1; i < W; i++) top = x[i] > top ? x[i] : top;
  return top;
}

}  // namespace bimodal::native
