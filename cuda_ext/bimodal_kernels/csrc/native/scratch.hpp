// Working memory of a thread: grown when needed, kept between calls, freed with the thread.
#pragma once

#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

#include "attention.hpp"

namespace bimodal::native {

class Scratch {
 public:
  // At least `floats` floats of this thread, from which take() deals; what earlier Scratch objects dealt is void.
  explicit Scratch(int64_t floats) {
    thread_local Buffer buffer;
    if (buffer.floats < floats) {
      buffer.memory.reset();
      buffer.memory.reset(static_cast<float*>(::operator new[](floats * sizeof(float), kAlignment)));
      buffer.floats = floats;
    }
    next_ = buffer.memory.get();
#if defined(BIMODAL_POISON_SCRATCH)    // the checks: what is read before it was written shows
    std::fill_n(next_, floats, std::numeric_limits<float>::quiet_NaN());
#endif
  }

  // The next `floats` floats, on cache lines of their own. Never a multiple of 4 KiB from the one before: a load right after
  // a store to the same offset in another page would wait for it ("4K aliasing").
  float* take(int64_t floats) {
    float* taken = next_;
    next_ += padded(floats);
    return taken;
  }

  static constexpr int64_t padded(int64_t floats) { return (floats + 15) / 16 * 16 + 5 * 16; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Delete {
    void operator()(float* p) const { ::operator delete[](p, kAlignment); }
  };
  struct Buffer {
    std::unique_ptr<float[], Delete> memory;
    int64_t floats = 0;
  };
  float* next_;
};

}  // namespace bimodal::native
