// Dealing out independent tasks to the threads of a pool.
#pragma once

#include <atomic>
#include <memory>

#include "attention.hpp"

namespace bimodal::native {

// Calls task(i) once for each i in [0, n).
//
// Every thread has a share of its own, the same one in each call: what it reads is then still in its cache from the
// call before (the forward pass before the backward pass; a projection dealt out alike). A thread that is done helps
// the others, so that a disturbed core costs little. Which thread runs a task changes no result.
template <class Task>
void deal_out(int64_t n, const Pool& pool, Task task) {
  const int64_t shares = std::min<int64_t>(n, pool.threads);
  if (shares <= 1) {
    for (int64_t i = 0; i < n; i++) task(i);
    return;
  }
  struct alignas(128) Share {    // cache lines of its own
    std::atomic<int64_t> next;
    int64_t end;
  };
  struct Deal {
    std::unique_ptr<Share[]> share;
    int64_t shares;
    Task* task;
  } deal{std::make_unique<Share[]>(shares), shares, &task};
  for (int64_t s = 0; s < shares; s++) {
    deal.share[s].next = n * s / shares;
    deal.share[s].end = n * (s + 1) / shares;
  }
  pool.run(
      shares,
      [](int64_t begin, int64_t end, void* context) {
        auto& [share, shares, task] = *static_cast<Deal*>(context);
        for (int64_t own = begin; own < end; own++) {
          for (int64_t turn = 0; turn < shares; turn++) {
            Share& from = share[(own + turn) % shares];
            for (int64_t i; (i = from.next.fetch_add(1, std::memory_order_relaxed)) < from.end;) (*task)(i);
          }
        }
      },
      &deal);
}

// Waking threads takes microseconds: not worth it below this many multiply-adds.
inline Pool pool_for(double multiply_adds, const Pool& pool) { return {pool.run, multiply_adds < 1e5 ? 1 : pool.threads}; }

}  // namespace bimodal::native
