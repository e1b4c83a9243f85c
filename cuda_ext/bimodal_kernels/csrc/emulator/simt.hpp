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

namespace bimodal::simt {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

/// Where the running thread is; the kernels read it as threadIdx and so on.
struct Coordinates {
  Dim3 thread_index, block_index, block_size, grid_size;
};
extern const Coordinates* self;

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

// ---- What a launch found ------------------------------------------------------------------------------------------

/// Counted over all launches since the process started. Everything but `mma` and `phases` is a bug of a kernel.
struct Counters {
  long races = 0;          // conflicting accesses to shared memory that no barrier separates (race build)
  long global_races = 0;   // an output byte written by two threads, or read while another writes it (race build)
  long uninitialised = 0;  // reads of shared memory that nothing was written to (race build)
  long unwaited = 0;       // cp.async read before its wait (race build), or never waited for
  long misaligned = 0;     // 16-byte copies and ldmatrix rows that are not 16-byte aligned
  long divergent = 0;      // lanes of a warp that arrive at different warp instructions
  long bank_conflicts = 0; // extra passes of ldmatrix
  long ldmatrix_phases = 0;
  long mma = 0;            // per warp
};
extern Counters counters;

/// The order in which the threads of a block and the blocks of a grid run; results must not depend on it.
enum class Schedule { kForward = 0, kThreadsReversed = 1, kBlocksReversed = 2, kAllReversed = 3 };

/// How often no thread could go on (a barrier or a warp instruction that some never reach): the launch is given up.
struct Deadlock {};

/// Runs `kernel` once for each thread of the grid.
void run(Dim3 grid, Dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

void set_schedule(Schedule schedule);

/// Global memory [data, data + bytes) that the kernels write: watched for races between threads of one launch.
void watch_global(void* data, size_t bytes);

}  // namespace bimodal::simt

// ---- CUDA's own names ---------------------------------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define threadIdx (::bimodal::simt::self->thread_index)
#define blockIdx (::bimodal::simt::self->block_index)
#define blockDim (::bimodal::simt::self->block_size)
#define gridDim (::bimodal::simt::self->grid_size)
#define __syncthreads() ::bimodal::simt::barrier(__FILE__, __LINE__)
#define __syncwarp() ::bimodal::simt::warp_barrier()

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
