#include <map>

#include "cuda_runtime.h"

namespace {
constexpr int kWithoutAsking = 48 * 1024, kSmallestLimit = 99 * 1024;
std::map<const void*, int> granted;  // shared bytes that a kernel may have
}  // namespace

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > kSmallestLimit)
    return cudaErrorInvalidValue;
  granted[kernel] = value;
  return cudaSuccess;
}

cudaError_t bimodal::simt::check_launch(const void* kernel, const cudaLaunchConfig_t& config) {
  const auto found = granted.find(kernel);
  const size_t shared_limit = static_cast<size_t>(found == granted.end() ? kWithoutAsking : found->second);
  const dim3 &grid = config.gridDim, &block = config.blockDim;
  const bool grid_fits = grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x < 1u << 31 && grid.y < 1u << 16 && grid.z < 1u << 16;
  const unsigned threads = block.x * block.y * block.z;
  if (!grid_fits || threads == 0 || threads > 1024) return cudaErrorInvalidConfiguration;
  return config.dynamicSmemBytes > shared_limit ? cudaErrorInvalidValue : cudaSuccess;
}
