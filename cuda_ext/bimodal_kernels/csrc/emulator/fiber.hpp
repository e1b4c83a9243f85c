// A function that can be left in the middle and continued later: what one CUDA thread is in the emulator.
#pragma once
#include <cstddef>
#include <memory>

namespace bimodal::simt {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(Fiber&&) noexcept;

  /// Makes the next resume() call `entry` on this fiber's own stack. `entry` ends with finish() and never returns.
  void prepare(void (*entry)());

  /// Runs the fiber, from the scheduler, until it yields or finishes.
  void resume();

  /// Called by a fiber: back to the scheduler, until resumed.
  static void yield();

  /// As yield, for the last time.
  [[noreturn]] static void finish();

  /// Called first on a new stack.
  static void begin();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bimodal::simt
