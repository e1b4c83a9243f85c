// Few queries against many keys: a pass over keys and values at the speed of memory, without packing anything.
#pragma once

#include "attention.hpp"

namespace bimodal::native {

struct FewQueriesParams {
  Shape shape;
  Storage storage;
  Heads query, key, value, out;
  float* log_sum_exp;        // [batch, heads, queries]; null: not wanted
  const bool* keep;          // [batch, keys]; null keeps every key
  const int64_t* lengths;    // [batch]: keys that are there; null: all
  bool causal;
  float scale;
};

// A tile of scores costs as much for one query as for a vector of them; up to here single rows are faster.
inline bool serves_few_queries(const Shape& shape) { return shape.queries <= 4; }

void attend_few_queries(const FewQueriesParams& params, const Pool& pool);

}  // namespace bimodal::native
