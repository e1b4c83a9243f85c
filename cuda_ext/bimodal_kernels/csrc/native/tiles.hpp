// The passes on a matrix unit. Splitting numbers in three takes time for each position, the products it speeds up for each pair
// of positions: it pays on long inputs alone.
#pragma once

#include "attention.hpp"
#include "matrix_unit.hpp"

namespace bimodal::native {

#if defined(BIMODAL_MATRIX_UNIT)

// From where on they were as fast as the passes on vectors (docs/cpu-kernel.md).
constexpr int64_t kFewestForward = 160, kFewestBackward = 256;

inline bool tiles_serve(const Shape& shape, int64_t fewest) {
  return shape.head_dim % kTileDepth == 0 && std::min(shape.queries, shape.keys) >= fewest && matrix_unit_is_ready();
}

void attention_forward_by_tiles(const ForwardParams& params, const Pool& pool);
void attention_backward_by_tiles(const BackwardParams& params, const Pool& pool);

#endif

}  // namespace bimodal::native
