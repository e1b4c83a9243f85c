// The machine that the kernels meet when g++ compiles them: blocks, threads, barriers, warps and shared memory of a GPU,
// played on one CPU thread. `cuda/prim.cuh` calls it; the kernels see only CUDA's own names at the end of this file.
//
// Each CUDA thread is a fiber (a stack of its own). A fiber runs until it reaches a barrier or an instruction of the whole
// warp; the last lane to arrive executes that instruction for all 32. See docs/kernels.md, "The emulator".
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace bimodal::simt {

// ---- What prim.cuh is made of: one function for each instruction ----------------------------------------------------

enum class Format { kHalf, kBFloat16 };

unsigned char* shared_memory();
void load_matrix_x4(uint32_t (&registers)[4], const void* row, bool transposed);
void mma_m16n8k16(Format format, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
void copy_async_16(void* shared, const void* global, bool valid);
void commit_copies();
void wait_copies(int pending);
float shuffle_xor(float value, int lane_mask);
uint32_t ballot(bool predicate);
void barrier(const char* file, int line);  // __syncthreads
void warp_barrier();                       // __syncwarp

// ---- Numbers of 16 bits: IEEE half and bfloat16, rounded to nearest even -------------------------------------------

inline uint16_t to_half(float value) {
  const auto half = static_cast<_Float16>(value);
  uint16_t bits;
  std::memcpy(&bits, &half, sizeof bits);
  return bits;
}

inline float from_half(uint16_t bits) {
  _Float16 half;
  std::memcpy(&half, &bits, sizeof bits);
  return static_cast<float>(half);
}

inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);  // NaN stays NaN
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

inline float from_bfloat16(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

// ---- Running, and what was found -----------------------------------------------------------------------------------

/// Counted over all launches of the process. All but the last two are bugs of a kernel.
struct Counters {
  long races = 0;           // conflicting accesses to shared memory that no barrier separates (race build)
  long global_races = 0;    // output bytes that two threads write, or one writes and another reads (race build)
  long uninitialised = 0;   // reads of shared memory that nothing was written to (race build)
  long unwaited = 0;        // copies read before their wait (race build), or never waited for
  long misaligned = 0;      // copies and ldmatrix rows that are not 16-byte aligned
  long out_of_bounds = 0;   // copies and ldmatrix rows outside the shared memory
  long divergent = 0;       // lanes of a warp at different warp instructions, threads of a block at different barriers
  long deadlocks = 0;       // no thread could go on: a barrier or warp instruction that some never reach
  long bank_conflicts = 0;  // extra passes of ldmatrix
  long mma = 0;             // per warp
  long switches = 0;        // of fibers
};
extern Counters counters;

/// What may differ from run to run on a GPU; results must not depend on it.
struct Schedule {
  bool threads_reversed = false;  // the last thread of a block runs first
  bool blocks_reversed = false;
  bool copies_land_early = false;  // cp.async: at its issue instead of at its wait (both are legal)
};
extern Schedule schedule;

/// A kernel that cannot go on; `counters` says why.
struct Stuck {};

/// Runs `kernel` once for each thread of the grid. Throws Stuck.
void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

/// Global memory that the kernels write, to be watched for races between the threads of a launch.
void watch_global(const void* data, size_t bytes);

/// An access of the running thread to any memory: where the race build's instrumentation arrives.
void on_access(const void* address, size_t bytes, bool write);

}  // namespace bimodal::simt

// ---- CUDA's own names ---------------------------------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __syncthreads() ::bimodal::simt::barrier(__FILE__, __LINE__)
#define __syncwarp() ::bimodal::simt::warp_barrier()

extern dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread that runs

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
