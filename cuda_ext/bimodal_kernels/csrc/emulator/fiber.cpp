// Switching stacks: a few instructions on x86-64, ucontext elsewhere; AddressSanitizer is told of every switch.
#include "fiber.hpp"

#include <cstdint>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace bimodal::simt {
namespace {

constexpr size_t kStackBytes = 256 << 10;

#if defined(__x86_64__)

// Pushes what a callee must keep, swaps stack pointers, pops the other side's.
extern "C" void bimodal_switch_stack(void** save, void* load);
asm(R"(
.text
.globl bimodal_switch_stack
.type bimodal_switch_stack, @function
bimodal_switch_stack:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size bimodal_switch_stack, .-bimodal_switch_stack
)");

struct Context {
  void* stack_pointer = nullptr;

  void prepare(char* stack, void (*entry)()) {
    auto** top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(stack + kStackBytes) & ~uintptr_t{15});
    *--top = nullptr;  // the entry's own return address: never used; keeps the stack aligned as after a call
    *--top = reinterpret_cast<void*>(entry);
    for (int saved_register = 0; saved_register < 6; saved_register++) *--top = nullptr;
    stack_pointer = top;
  }
  void switch_to(Context& other) { bimodal_switch_stack(&stack_pointer, other.stack_pointer); }
};

#else

struct Context {
  ucontext_t context{};

  void prepare(char* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  void switch_to(Context& other) { swapcontext(&context, &other.context); }
};

#endif

Context scheduler;
[[maybe_unused]] const void* scheduler_stack = nullptr;  // what AddressSanitizer says it is
[[maybe_unused]] size_t scheduler_stack_bytes = 0;

}  // namespace

struct Fiber::State {
  Context context;
  char* stack = static_cast<char*>(std::aligned_alloc(4096, kStackBytes));
  void* fake_stack = nullptr;  // AddressSanitizer's
  static State* running;

  ~State() { std::free(stack); }
};
Fiber::State* Fiber::State::running = nullptr;

Fiber::Fiber() : state_(std::make_unique<State>()) {}
Fiber::~Fiber() = default;
Fiber::Fiber(Fiber&&) noexcept = default;

void Fiber::prepare(void (*entry)()) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(state_->stack, kStackBytes);  // the last user's frames never returned
#endif
  state_->context.prepare(state_->stack, entry);
}

void Fiber::resume() {
  State::running = state_.get();
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state_->stack, kStackBytes);
#endif
  scheduler.switch_to(state_->context);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::begin() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
#endif
}

void Fiber::yield() {
  State* self = State::running;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&self->fake_stack, scheduler_stack, scheduler_stack_bytes);
#endif
  self->context.switch_to(scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(self->fake_stack, &scheduler_stack, &scheduler_stack_bytes);
#endif
}

void Fiber::finish() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, scheduler_stack, scheduler_stack_bytes);
#endif
  State::running->context.switch_to(scheduler);
  std::abort();  // a finished fiber was resumed
}

}  // namespace bimodal::simt
