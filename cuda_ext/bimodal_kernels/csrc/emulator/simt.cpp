// The scheduler: fibers of one block take turns until all are done, block after block.
#include "simt.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "fiber.hpp"
#include "machine.hpp"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace bimodal::simt {

Counters counters;
Schedule schedule;
Machine machine;

namespace {

constexpr size_t kSharedAlignment = 256;  // as prim.cuh asks for
constexpr unsigned char kNaN = 0xff;  // 0xffff is NaN in both 16-bit formats, 0xffffffff in fp32

const std::function<void()>* kernel_of_this_launch;

/// First and last thing on every fiber's stack.
void thread_main() {
  Fiber::begin();
  (*kernel_of_this_launch)();
  Thread& thread = *machine.running;
  if (!thread.copies.empty()) counters.unwaited++;
  thread.state = State::kDone;
  machine.live_threads--;
  machine.release_barrier_if_complete();
  Fiber::finish();
}

void report_deadlock() {
  std::fprintf(stderr, "deadlock in block (%u, %u, %u):", blockIdx.x, blockIdx.y,
               blockIdx.z);
  for (size_t w = 0; w < machine.warps.size(); w++) {
    int in_state[4] = {};
    const Thread* example = nullptr;
    for (size_t t = w * kLanes; t < (w + 1) * kLanes; t++) {
      const Thread& thread = machine.threads[t];
      in_state[static_cast<int>(thread.state)]++;
      if (thread.state != State::kDone) example = &thread;
    }
    std::fprintf(stderr, " warp %zu: %d lanes at a warp instruction, %d at a barrier, %d done%s%s;", w,
                 in_state[static_cast<int>(State::kAtWarpInstruction)], in_state[static_cast<int>(State::kAtBarrier)],
                 in_state[static_cast<int>(State::kDone)], example ? ", one at " : "", example ? example->at : "");
  }
  std::fprintf(stderr, "\n");
}

void start_block(dim3 grid, dim3 block, unsigned index) {
  gridDim = grid;
  blockDim = block;
  blockIdx = dim3(index % grid.x, index / grid.x % grid.y, index / (grid.x * grid.y));
  const unsigned size = block.x * block.y * block.z;
  machine.warps.assign(size / kLanes, Warp{});
  machine.barriers_passed = 0;
  machine.at_barrier = 0;
  machine.live_threads = static_cast<int>(size);
  for (unsigned t = 0; t < size; t++) {
    Thread& thread = machine.threads[t];
    thread.index = dim3(t % block.x, t / block.x % block.y, t / (block.x * block.y));
    thread.global_number = static_cast<int64_t>(index) * size + t;
    thread.state = State::kRunnable;
    thread.copies.clear();
    thread.fiber.prepare(thread_main);
  }
}

void run_block() {
  const int size = static_cast<int>(machine.threads.size());
  while (machine.live_threads > 0) {
    bool progress = false;
    for (int i = 0; i < size; i++) {
      Thread& thread = machine.threads[static_cast<size_t>(schedule.threads_reversed ? size - 1 - i : i)];
      if (!machine.can_run(thread)) continue;
      progress = true;
      thread.state = State::kRunnable;
      machine.running = &thread;
      threadIdx = thread.index;
      thread.fiber.resume();
      machine.running = nullptr;  // the program's own accesses are nobody's
      if (machine.stuck) throw Stuck{};
    }
    if (progress) continue;
    counters.deadlocks++;
    report_deadlock();
    throw Stuck{};
  }
}

}  // namespace

void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel) {
  const unsigned size = block.x * block.y * block.z, blocks = grid.x * grid.y * grid.z;
  if (size % kLanes != 0) std::abort();  // the kernels use whole warps only
  kernel_of_this_launch = &kernel;
  machine.threads.resize(size);
  machine.global_shadow.new_launch();
  for (unsigned i = 0; i < blocks; i++) {
    // Memory of exactly this size, so that AddressSanitizer sees what is next to it.
    void* memory = nullptr;
    if (posix_memalign(&memory, kSharedAlignment, shared_bytes > 0 ? shared_bytes : 1) != 0) std::abort();
    const std::unique_ptr<void, decltype(&std::free)> owner(memory, &std::free);
    machine.shared = static_cast<unsigned char*>(memory);
    machine.shared_bytes = shared_bytes;
    if (shared_bytes > 0) std::memset(machine.shared, kNaN, shared_bytes);
    if (machine.watching) machine.shared_shadow.reset(machine.shared, shared_bytes);
    start_block(grid, block, schedule.blocks_reversed ? blocks - 1 - i : i);
    run_block();
  }
}

void watch_global(const void* data, size_t bytes) {
  machine.watching = true;
  machine.global_shadow.watch(data, bytes);
}

void on_access(const void* address, size_t bytes, bool write) {
  if (!machine.watching || !machine.running) return;
  const Thread& thread = *machine.running;
  machine.shared_shadow.access(machine.accessor(thread), address, bytes, write ? Access::kWrite : Access::kRead);
  machine.global_shadow.access(thread.global_number, address, bytes, write);
}

}  // namespace bimodal::simt
