// Dropout without an array of random numbers: whether an element stays is a hash of the seed and of where it stands, and the
// backward pass asks again. Torch draws a number for each element from a generator that nobody can split among threads.
//
// The hash is Threefry-2x32 with 20 rounds, a block cipher on a counter that passes the usual batteries of tests. Of an array's n
// elements, i and i + ceil(n / 2) take the two words of counter i: neither the width of vectors nor threads change a mask.
//
// Sources: Srivastava et al. 2014, Dropout, sec. 4 (scaled in training, as torch's); Salmon et al. 2011, Parallel Random Numbers:
// As Easy as 1, 2, 3, sec. 4.1.
#include <algorithm>

#include "row_vectors.hpp"
#include "schedule.hpp"
#include "simd.hpp"
#include "training.hpp"

namespace bimodal::native {
namespace {

constexpr int64_t kCounters = 4096;    // of a task

struct Pair {
  Words first, second;
};

BIMODAL_INLINE Pair threefry(Pair x, uint32_t low_key, uint32_t high_key) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t keys[] = {low_key, high_key, low_key ^ high_key ^ 0x1bd11bdau};
  x.first += keys[0];
  x.second += keys[1];
  BIMODAL_UNROLL for (uint32_t group = 0; group < 5; group++) {
    BIMODAL_UNROLL for (int i = 0; i < 4; i++) {
      const int by = kRotations[group % 2][i];
      x.first += x.second;
      x.second = (x.second << by | x.second >> (32 - by)) ^ x.first;
    }
    x.first += keys[(group + 1) % 3];
    x.second += keys[(group + 2) % 3] + group + 1;
  }
  return x;
}

template <bool kAdd>
void drop(const DropoutParams& p, int64_t first, int64_t last) {
  const auto dropped = static_cast<uint32_t>(p.probability * 0x1p32);
  const Vec scale = broadcast(static_cast<float>(1 / (1 - p.probability)));
  const Words lanes = std::bit_cast<Words>(__builtin_convertvector(lane_numbers(), IntVec));
  const int64_t half = (p.size + 1) / 2;
  for (int64_t i = first; i < last; i += W) {
    const Pair counter{lanes + static_cast<uint32_t>(i), Words{} + static_cast<uint32_t>(i >> 32)};
    const auto [here, there] = threefry(counter, static_cast<uint32_t>(p.seed), static_cast<uint32_t>(p.seed >> 32));
    const auto write = [&](int64_t at, Words drawn, auto n) {
      Vec x = drawn >= dropped ? load_part(p.x + at, n) * scale : Vec{};
      if constexpr (kAdd) x += load_part(p.add + at, n);
      store_part(p.out + at, x, n);
    };
    const auto write_up_to = [&](int64_t at, int64_t end, Words drawn) {
      const int64_t n = std::min<int64_t>(W, end - at);
      if (n == W) return write(at, drawn, std::integral_constant<int64_t, W>{});
      if (n > 0) write(at, drawn, n);
    };
    write_up_to(i, half, here);
    write_up_to(i + half, p.size, there);
  }
}

// What is left of it when nothing is dropped.
void sum(const DropoutParams& p, int64_t first, int64_t last) {
  for_vectors(last - first, [&](int64_t j, auto n) {
    const Vec x = load_part(p.x + first + j, n);
    store_part(p.out + first + j, p.add ? x + load_part(p.add + first + j, n) : x, n);
  });
}

}  // namespace

void dropout(const DropoutParams& p, const Pool& pool) {
  const bool drops = p.probability > 0;
  const int64_t size = drops ? (p.size + 1) / 2 : p.size;
  deal_out((size + kCounters - 1) / kCounters, pool_for((drops ? 20.0 : 1.0) * size, pool), [&](int64_t task) {
    const int64_t first = task * kCounters, last = std::min(size, first + kCounters);
    !drops ? sum(p, first, last) : p.add ? drop<true>(p, first, last) : drop<false>(p, first, last);
  });
}

}  // namespace bimodal::native
