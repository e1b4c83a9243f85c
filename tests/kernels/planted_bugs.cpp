// Small kernels, each with one bug that a detector of the emulator is for. `planted_bugs NAME` runs one and prints the
// counters; what comes out is in tests/kernels/test_emulator.py.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cuda/layout.cuh"
#include "emulator/simt.hpp"

using namespace bimodal;

namespace {

uint16_t* global;  // 4096 numbers, exactly

float* shared_floats() { return reinterpret_cast<float*>(prim::shared_memory()); }
Tile<64, 64> tile() { return {reinterpret_cast<uint16_t*>(prim::shared_memory())}; }
int lane() { return static_cast<int>(threadIdx.x % 32); }

/// So that nothing but the planted bug is reported.
void initialise() {
  for (int i = static_cast<int>(threadIdx.x); i < Tile<64, 64>::kBytes / 4; i += 64) shared_floats()[i] = 1.f;
  __syncthreads();
}

/// Neighbours exchange numbers through shared memory; what stands between writing and reading is the caller's business.
void exchange(const std::function<void()>& between) {
  const unsigned t = threadIdx.x;
  initialise();
  shared_floats()[t] = static_cast<float>(t);
  between();
  const float received = shared_floats()[(t + 1) % blockDim.x];
  if (received < 0.f) std::abort();  // makes use of it
}

/// A tile is copied and read back by the warp that copied it.
void copy_and_read(const std::function<void()>& between) {
  initialise();
  copy_tile_async<64>(tile(), global, 64, 0, 64);
  prim::commit_copies();
  between();
  load_left(tile(), 0, 0, lane());
}

struct alignas(2) Unswizzled {
  uint16_t* data;
  uint16_t* row(int row) const { return data + row * 64; }
};

const std::map<std::string, std::function<void()>> kernels = {
    {"nothing wrong",
     [] {
       copy_and_read([] {
         prim::wait_copies<0>();
         __syncthreads();
       });
     }},
    {"exchange with a barrier", [] { exchange([] { __syncthreads(); }); }},
    {"missing barrier", [] { exchange([] {}); }},
    {"warp barrier between warps", [] { exchange([] { __syncwarp(); }); }},
    {"write after read",
     [] {
       shared_floats()[threadIdx.x] = 1.f;
       __syncthreads();
       const float other = shared_floats()[(threadIdx.x + 1) % blockDim.x];
       shared_floats()[threadIdx.x] = other;
     }},
    {"missing wait", [] { copy_and_read([] { __syncthreads(); }); }},
    {"wait for too few",
     [] {
       copy_and_read([] {
         prim::wait_copies<1>();
         __syncthreads();
       });
     }},
    {"wait without barrier", [] { copy_and_read([] { prim::wait_copies<0>(); }); }},
    {"copy never waited for",
     [] {
       copy_tile_async<64>(tile(), global, 64, 0, 64);
       prim::commit_copies();
     }},
    {"uninitialised",
     [] {
       if (threadIdx.x < 32) shared_floats()[threadIdx.x] = 1.f;
       __syncthreads();
       if (shared_floats()[threadIdx.x] < 0.f) std::abort();
     }},
    {"misaligned copy", [] { prim::copy_async_16(prim::shared_memory() + threadIdx.x * 16 + 8, global, true); }},
    {"misaligned ldmatrix",
     [] {
       initialise();
       uint32_t registers[4];
       prim::load_matrix_x4(registers, prim::shared_memory() + lane() * 16 + 4);
     }},
    {"unswizzled",
     [] {
       initialise();
       uint32_t registers[4];
       prim::load_matrix_x4(registers, Unswizzled{tile().data}.row(lane()));
     }},
    {"ldmatrix out of bounds",
     [] {
       initialise();
       uint32_t registers[4];
       prim::load_matrix_x4(registers, tile().chunk(48 + lane(), 0));
     }},
    {"copy out of bounds", [] { prim::copy_async_16(tile().chunk(64, 0), global, true); }},
    {"shared overrun", [] { shared_floats()[2048 + threadIdx.x] = 1.f; }},
    {"global overrun", [] { prim::copy_async_16(tile().chunk(0, 0), global + 4096, true); }},
    {"undefined shift",
     [] {
       volatile int bits = 32 + lane();
       if (1 << bits == 77) std::abort();
     }},
    {"divergent instructions",
     [] {
       if (lane() < 16)
         prim::ballot(true);
       else
         prim::shuffle_xor(1.f, 1);
     }},
    {"lanes that stay away",
     [] {
       if (lane() != 5) prim::ballot(true);
     }},
    {"divergent barriers",
     [] {
       if (lane() < 16)
         __syncthreads();
       else
         __syncthreads();
     }},
    {"warp instruction against barrier",
     [] {
       if (lane() < 16)
         __syncthreads();
       else
         __syncwarp();
     }},
    {"two writers of one output", [] { global[lane()] = 1; }},
    {"one reads what another writes",
     [] {
       if (threadIdx.x == 0) global[0] = 1;
       if (threadIdx.x == 40 && global[0] == 77) std::abort();
     }},
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::vector<uint16_t> memory(4096, 0);
  global = const_cast<uint16_t*>(memory.data());
#if defined(BIMODAL_WATCH)
  simt::watch_global(global, memory.size() * sizeof(uint16_t));
#endif
  bool stuck = false;
  try {
    simt::run(dim3(1), dim3(64), Tile<64, 64>::kBytes, kernels.at(arguments[1]));
  } catch (const simt::Stuck&) {
    stuck = true;
  }
  const simt::Counters& found = simt::counters;
  std::printf(
      "{\"stuck\": %d, \"races\": %ld, \"global_races\": %ld, \"uninitialised\": %ld, \"unwaited\": %ld, "
      "\"misaligned\": %ld, \"out_of_bounds\": %ld, \"divergent\": %ld, \"deadlocks\": %ld, \"bank_conflicts\": %ld}\n",
      stuck, found.races, found.global_races, found.uninitialised, found.unwaited, found.misaligned,
      found.out_of_bounds, found.divergent, found.deadlocks, found.bank_conflicts);
}
