// See cuda_runtime_api.h; this adds the launch.
#pragma once
#include "cuda_runtime_api.h"

namespace bimodal::simt {
/// What a driver would say to a launch of `kernel`.
cudaError_t check_launch(const void* kernel, const cudaLaunchConfig_t& config);
}  // namespace bimodal::simt

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const cudaError_t error = bimodal::simt::check_launch(reinterpret_cast<const void*>(kernel), *config);
  if (error != cudaSuccess) return error;
  bimodal::simt::run(config->gridDim, config->blockDim, config->dynamicSmemBytes, [&] { kernel(arguments...); });
  return cudaSuccess;
}
