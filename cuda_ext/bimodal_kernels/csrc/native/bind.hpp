// What the bindings share. They alone know torch, through libtorch's stable ABI: they compile in seconds, and one library
// serves several torch versions.
//
// Compile with -DTORCH_TARGET_VERSION=0x020a000000000000 (2.10, the first with all that is used here).
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <array>

#include "attention.hpp"

namespace bimodal::native {

// Torch's own threads: no second pool that would compete with it for the cores.
inline Pool torch_pool() {
  return {[](int64_t n, Pool::Range range, void* context) { torch_parallel_for(0, n, 1, range, context); },
          static_cast<int>(torch::stable::get_num_threads())};
}

// An uninitialised tensor on the CPU. torch::stable::empty looks its operator up by name at each call, and would need a
// transposition on top: together 2 us more.
template <size_t kDims>
torch::stable::Tensor empty(const std::array<int64_t, kDims>& sizes, const std::array<int64_t, kDims>& strides,
                            torch::headeronly::ScalarType type) {
  const bool is_float = type == torch::headeronly::ScalarType::Float;
  AtenTensorHandle made;
  STABLE_TORCH_ERROR_CODE_CHECK(
      aoti_torch_empty_strided(kDims, sizes.data(), strides.data(), is_float ? aoti_torch_dtype_float32() : aoti_torch_dtype_bfloat16(),
                               aoti_torch_device_type_cpu(), 0, &made));
  return torch::stable::Tensor(made);
}

// A dense one, fp32.
template <size_t kDims>
torch::stable::Tensor empty(const std::array<int64_t, kDims>& sizes) {
  std::array<int64_t, kDims> strides;
  int64_t stride = 1;
  for (size_t i = kDims; i-- > 0; stride *= sizes[i]) strides[i] = stride;
  return empty<kDims>(sizes, strides, torch::headeronly::ScalarType::Float);
}

// The memory of a dense fp32 tensor of `size` elements.
inline float* floats(const torch::stable::Tensor& tensor, int64_t size) {
  STD_TORCH_CHECK(tensor.scalar_type() == torch::headeronly::ScalarType::Float && tensor.is_contiguous() && tensor.numel() == size,
                  "The native training ops take contiguous float32 tensors whose sizes fit together.");
  return static_cast<float*>(const_cast<void*>(tensor.const_data_ptr()));
}

}  // namespace bimodal::native
