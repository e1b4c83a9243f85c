// How many blocks of a kernel fit on a multiprocessor, by NVIDIA's own calculator (cuda_occupancy.h), for a GPU that need
// not be there. Each line of the input is "architecture registers threads static_shared dynamic_shared"; each line of
// the output is the number of blocks.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <initializer_list>  // cuda_occupancy.h forgets it

#include <cuda_occupancy.h>

namespace {

constexpr int kKilobyte = 1024;

/// Source: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
struct Multiprocessor {
  int architecture, threads, shared_bytes;
};
constexpr Multiprocessor kMultiprocessors[] = {
    {80, 2048, 164 * kKilobyte}, {86, 1536, 100 * kKilobyte},  {89, 1536, 100 * kKilobyte},
    {90, 2048, 228 * kKilobyte}, {100, 2048, 228 * kKilobyte}, {120, 1536, 100 * kKilobyte},
};

int blocks(const Multiprocessor& multiprocessor, int registers, int threads, int static_shared, int dynamic_shared) {
  constexpr int kReserved = 1 * kKilobyte;  // of shared memory, by the system, per block
  cudaOccDeviceProp device;
  device.computeMajor = multiprocessor.architecture / 10;
  device.computeMinor = multiprocessor.architecture % 10;
  device.maxThreadsPerBlock = 1024;
  device.maxThreadsPerMultiprocessor = multiprocessor.threads;
  device.regsPerBlock = device.regsPerMultiprocessor = 64 * kKilobyte;
  device.warpSize = 32;
  device.sharedMemPerBlock = 48 * kKilobyte;
  device.sharedMemPerMultiprocessor = static_cast<size_t>(multiprocessor.shared_bytes);
  device.numSms = 1;
  device.sharedMemPerBlockOptin = static_cast<size_t>(multiprocessor.shared_bytes - kReserved);
  device.reservedSharedMemPerBlock = kReserved;
  cudaOccFuncAttributes kernel;
  kernel.maxThreadsPerBlock = 1024;
  kernel.numRegs = registers;
  kernel.sharedSizeBytes = static_cast<size_t>(static_shared);
  kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
  kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
  kernel.maxDynamicSharedSizeBytes = static_cast<size_t>(dynamic_shared);
  kernel.numBlockBarriers = 1;
  const cudaOccDeviceState state;
  cudaOccResult result;
  const auto error = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads,
                                                             static_cast<size_t>(dynamic_shared));
  return error == CUDA_OCC_SUCCESS ? result.activeBlocksPerMultiprocessor : 0;
}

}  // namespace

int main() {
  int architecture, registers, threads, static_shared, dynamic_shared;
  while (std::scanf("%d %d %d %d %d", &architecture, &registers, &threads, &static_shared, &dynamic_shared) == 5) {
    int found = -1;
    for (const Multiprocessor& multiprocessor : kMultiprocessors)
      if (multiprocessor.architecture == architecture)
        found = blocks(multiprocessor, registers, threads, static_shared, dynamic_shared);
    if (found < 0) return 1;
    std::printf("%d\n", found);
  }
  return 0;
}
