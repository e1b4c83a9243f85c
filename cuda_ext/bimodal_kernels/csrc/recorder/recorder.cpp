// `recorder CASE`: what the launcher would launch for a case, as JSON lines, after one line for each tensor with its
// address in the parameters. Exit status: 0 recorded, 1 launch refused, 2 case unreadable.
#include <dlfcn.h>

#include <cstdio>
#include <exception>

#include "../emulator/call.hpp"
#include "cuda_runtime.h"

void bimodal::recorder::record(const void* kernel, const cudaLaunchConfig_t& config, const void* parameters,
                               size_t bytes) {
  Dl_info symbol{};
  dladdr(kernel, &symbol);  // linked with -rdynamic, or there would be no names
  std::printf("{\"kernel\": \"%s\", \"grid\": [%u, %u, %u], \"threads\": %u, \"shared_bytes\": %zu, \"parameters\": \"",
              symbol.dli_sname ? symbol.dli_sname : "", config.gridDim.x, config.gridDim.y, config.gridDim.z,
              config.blockDim.x * config.blockDim.y * config.blockDim.z, config.dynamicSmemBytes);
  for (size_t i = 0; i < bytes; i++) std::printf("%02x", static_cast<const unsigned char*>(parameters)[i]);
  std::printf("\"}\n");
}

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s CASE\n", arguments[0]);
    return 2;
  }
  try {
    const auto file = bimodal::CaseFile::read(arguments[1]);
    for (const auto& [name, tensor] : file.tensors)
      std::printf("{\"tensor\": \"%s\", \"address\": %llu}\n", name.c_str(),
                  static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(tensor.memory.get())));
    const cudaError_t error = bimodal::call(file);
    if (error != cudaSuccess) std::fprintf(stderr, "the launcher refused: error %d\n", static_cast<int>(error));
    return error != cudaSuccess;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "%s: %s\n", arguments[1], problem.what());
    return 2;
  }
}
