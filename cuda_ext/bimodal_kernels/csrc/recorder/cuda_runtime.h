// Stands in for the CUDA runtime where a launcher is asked what it would launch: nothing runs, everything is written down.
// The PTX interpreter then runs exactly that. Goes before `emulator/shim` on the include path.
#pragma once
#include "../emulator/shim/cuda_runtime_api.h"

namespace bimodal::recorder {
/// Writes one line of JSON to stdout: the kernel's mangled name (the same under g++ and nvcc), how it is launched, and the
/// bytes of its parameters.
void record(const void* kernel, const cudaLaunchConfig_t& config, const void* parameters, size_t bytes);
}  // namespace bimodal::recorder

template <class Parameters>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters),
                               const Parameters& parameters) {
  bimodal::recorder::record(reinterpret_cast<const void*>(kernel), *config, &parameters, sizeof(Parameters));
  return cudaSuccess;
}
