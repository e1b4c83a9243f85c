// The state of the machine: threads and warps of the block that runs.
#pragma once
#include <deque>
#include <vector>

#include "fiber.hpp"
#include "shadow.hpp"
#include "simt.hpp"

namespace bimodal::simt {

constexpr int kLanes = 32;

enum class State { kRunnable, kAtWarpInstruction, kAtBarrier, kDone };

struct Copy {
  void* shared;
  const void* global;
  bool valid;
};

/// What cp.async of one thread has under way: closed groups, oldest first, and the one that is open.
struct Copies {
  std::deque<std::vector<Copy>> groups;
  std::vector<Copy> open;

  bool empty() const {
    for (const auto& group : groups)
      if (!group.empty()) return false;
    return open.empty();
  }
  void clear() {
    groups.clear();
    open.clear();
  }
};

struct Thread {
  Fiber fiber;
  dim3 index;  // threadIdx
  int64_t global_number = 0;  // in the grid
  State state = State::kRunnable;
  uint32_t waits_for = 0;  // the barrier or warp instruction that it stands at, counted since the block started
  const char* at = "";     // for reports
  Copies copies;
};

struct Warp {
  void* arguments[kLanes] = {};
  int arrived = 0;
  uint32_t instructions_done = 0;
  uint32_t barriers_passed = 0;
  const char* instruction = nullptr;  // that the arrived lanes stand at
};

struct Machine {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Thread* running = nullptr;
  unsigned char* shared = nullptr;
  size_t shared_bytes = 0;
  uint32_t barriers_passed = 0;
  int at_barrier = 0, live_threads = 0;
  const char* barrier_file = nullptr;  // where the first thread stands at the barrier
  int barrier_line = 0;
  bool stuck = false;
  bool watching = false;  // race build: every access is judged
  SharedShadow shared_shadow;
  GlobalShadow global_shadow;

  int number(const Thread& thread) const { return static_cast<int>(&thread - threads.data()); }
  int lane(const Thread& thread) const { return number(thread) % kLanes; }
  Warp& warp(const Thread& thread) { return warps[static_cast<size_t>(number(thread) / kLanes)]; }

  Accessor accessor(const Thread& thread) { return {number(thread), barriers_passed, warp(thread).barriers_passed}; }

  bool can_run(const Thread& thread) {
    switch (thread.state) {
      case State::kRunnable: return true;
      case State::kAtBarrier: return thread.waits_for < barriers_passed;
      case State::kAtWarpInstruction: return thread.waits_for < warp(thread).instructions_done;
      case State::kDone: return false;
    }
    return false;
  }

  /// A barrier waits for all threads that have not exited.
  bool release_barrier_if_complete() {
    if (at_barrier == 0 || at_barrier < live_threads) return false;
    at_barrier = 0;
    barriers_passed++;
    return true;
  }
};
extern Machine machine;

}  // namespace bimodal::simt
