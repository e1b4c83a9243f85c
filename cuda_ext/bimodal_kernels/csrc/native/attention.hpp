// Scaled dot-product attention on CPUs, forward, backward and decode. Plain C++: no torch in here.
//
// Shapes, as everywhere in this project: query [batch, heads, queries, head_dim], key and value
// [batch, kv_heads, keys, head_dim] with kv_heads dividing heads; key head h / (heads / kv_heads) serves head h.
// Key j is visible to query i iff keep[batch][j] and, if causal, j <= i + keys - queries.
// A query that sees nothing gets out 0, log-sum-exp -inf and gradients 0.
//
// Compile with -O3, the machine's own instruction set (-march=native) and -ffp-contract=fast; without the latter two
// everything still works, several times slower.
#pragma once

#include <cstdint>

namespace bimodal::native {

enum class Storage : uint8_t { float32, bfloat16 };

// [batch, head, position, head_dim] in memory: strides in elements, the last dimension dense. Strides may be 0.
struct Heads {
  void* data = nullptr;
  int64_t batch_stride = 0, head_stride = 0, row_stride = 0;
};

struct Shape {
  int64_t batch, heads, kv_heads, queries, keys, head_dim;
};

// The caller's thread pool. run(n, f, c) calls f(begin, end, c) on ranges that cover [0, n), on several threads.
struct Pool {
  using Range = void (*)(int64_t begin, int64_t end, void* context);
  void (*run)(int64_t n, Range range, void* context) = nullptr;
  int threads = 1;
};

struct ForwardParams {
  Shape shape;
  Storage storage;            // of all tensors; arithmetic is fp32 throughout
  Heads query, key, value;    // read
  Heads out;                  // written
  float* log_sum_exp;         // written: [batch, heads, queries], dense, natural logarithm
  const bool* keep;           // [batch, keys], dense; null keeps every key
  bool causal;
  float scale;
};

struct BackwardParams {
  Shape shape;
  Storage storage;
  Heads grad_out, query, key, value, out;    // read
  Heads grad_query, grad_key, grad_value;    // written
  const float* log_sum_exp;                  // read, as forward wrote it
  const bool* keep;
  bool causal;
  float scale;
};

// One query per batch row against the first lengths[batch] slots of a cache; shape.queries is 1, shape.keys the slots.
struct DecodeParams {
  Shape shape;
  Storage storage;
  Heads query, key, value;
  Heads out;
  const int64_t* lengths;    // [batch], 0 to keys; slots from there on are not read
  float scale;
};

// Results depend on inputs and pool.threads alone, to the bit.
void attention_forward(const ForwardParams& params, const Pool& pool);
void attention_backward(const BackwardParams& params, const Pool& pool);
void attention_decode(const DecodeParams& params, const Pool& pool);

}  // namespace bimodal::native
