// Arrays of any length, vector by vector.
#pragma once

#include <type_traits>

#include "simd.hpp"

namespace bimodal::native {

// f(j, n) for each vector j, j + 1, ..., j + n - 1 of [0, width); n is W, a constant, in all but the last.
template <class F>
BIMODAL_INLINE void for_vectors(int64_t width, F f) {
  int64_t j = 0;
  for (; j + W <= width; j += W) f(j, std::integral_constant<int64_t, W>{});
  if (j < width) f(j, width - j);
}

BIMODAL_INLINE Vec load_part(const float* p, int64_t n) {
  Vec x{};
  std::memcpy(&x, p, n * sizeof(float));
  return x;
}

// x, lanes from n on 0.
template <class N>
BIMODAL_INLINE Vec first_lanes(Vec x, N n) {
  if constexpr (std::is_same_v<N, std::integral_constant<int64_t, W>>) {
    return x;
  } else {
    return lane_numbers() < broadcast(static_cast<float>(n)) ? x : Vec{};
  }
}

BIMODAL_INLINE void store_part(float* p, Vec x, int64_t n) { std::memcpy(p, &x, n * sizeof(float)); }

}  // namespace bimodal::native
