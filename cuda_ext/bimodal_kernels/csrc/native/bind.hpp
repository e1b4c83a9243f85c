// What the bindings share. They alone know torch, through libtorch's stable ABI: they compile in seconds, and one library
// serves several torch versions.
//
// Compile with -DTORCH_TARGET_VERSION=0x020a000000000000 (2.10, the first with all that is used here).
#pragma once

#include <torch/csrc/stable/ops.h>

#include "attention.hpp"

namespace bimodal::native {

// Torch's own threads: no second pool that would compete with it for the cores.
inline Pool torch_pool() {
  return {[](int64_t n, Pool::Range range, void* context) { torch_parallel_for(0, n, 1, range, context); },
          static_cast<int>(torch::stable::get_num_threads())};
}

}  // namespace bimodal::native
