// What the launchers share: checks, and a launch that asks for its shared memory. Compiles for the emulator too, whose
// folder `shim` stands in for the CUDA runtime.
#pragma once
#include <cuda_runtime.h>

#include <cmath>
#include <initializer_list>

#include "params.hpp"

namespace bimodal {

/// The first obstacle to a launch over [batch, heads] with this head_dim and scale, or cudaSuccess.
inline cudaError_t check_problem(int head_dim, float scale, int batch, int heads, int kv_heads,
                                 std::initializer_list<int> lengths) {
  if (head_dim != 64 && head_dim != 128) return cudaErrorInvalidValue;
  if (!(scale > 0.f) || !std::isfinite(scale)) return cudaErrorInvalidValue;
  if (batch < 0 || heads < 0 || kv_heads <= 0 || heads % kv_heads != 0) return cudaErrorInvalidValue;
  constexpr int kLargestGrid = 65535, kLongest = 1 << 30;
  if (batch > kLargestGrid || heads > kLargestGrid) return cudaErrorInvalidConfiguration;
  for (const int length : lengths)
    if (length < 0 || length > kLongest) return cudaErrorInvalidConfiguration;
  return cudaSuccess;
}

inline cudaError_t check_problem(const Problem& problem) {
  return check_problem(problem.head_dim, problem.scale, problem.batch, problem.heads, problem.kv_heads,
                       {problem.queries, problem.keys});
}

template <class... Views>
cudaError_t check_alignment(const Views&... views) {
  return (views.is_aligned() && ...) ? cudaSuccess : cudaErrorMisalignedAddress;
}

template <class Params>
cudaError_t launch_kernel(void (*kernel)(Params), dim3 grid, int threads, int shared_bytes, cudaStream_t stream,
                          const Params& params) {
  constexpr int kWithoutAsking = 48 * 1024;
  if (shared_bytes > kWithoutAsking) {
    const cudaError_t error = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                                   cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
    if (error != cudaSuccess) return error;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, params);
}

constexpr unsigned blocks_for(int64_t items, int items_per_block) {
  return static_cast<unsigned>((items + items_per_block - 1) / items_per_block);
}

}  // namespace bimodal
