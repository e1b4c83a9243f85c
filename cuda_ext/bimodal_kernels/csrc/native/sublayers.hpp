// The sub-layers of a pre-LN Transformer block in training, on CPUs, fp32. Plain C++: no torch in here.
//
//   x + dropout(out_proj(attention(in_proj(norm(x)))))
//   x + tanh(gate) out_proj(attention(query_proj(norm(x)), key, value))
//   x + dropout(down(gelu(up(norm(x)))))
//
// In models of a few million parameters a matrix product takes as long as what a framework does around it. Here a sub-layer is one
// call, forward or backward, of five to ten passes over its arrays, each on all threads.
//
// Arrays are dense: [rows][width] if nothing else is said, where rows are all positions of all examples. Results depend on inputs
// and on the number of threads alone, to the bit.
#pragma once

#include <cstdint>

#include "attention.hpp"
#include "training.hpp"

namespace bimodal::native {

// y = x weight^T + bias for many rows: x [rows][inputs], y [rows][outputs], weight [outputs][inputs].
struct LinearLayer {
  int64_t rows, inputs, outputs;
  const float* weight;
  const float* bias;    // null: none
};

// The caller's matrix product, for where no matrix unit serves.
struct Matrix {
  const float* data;
  int64_t row_stride, column_stride;    // one of them is 1
};

// result [rows][columns], dense, = left [rows][depth] right [depth][columns].
using MatrixProduct = void (*)(int64_t rows, int64_t columns, int64_t depth, const Matrix& left, const Matrix& right, float* result);

// Who does the work.
struct Workers {
  Pool pool;
  MatrixProduct multiply;
};

void linear_forward(const LinearLayer& layer, const float* x, float* y, const Workers& by);
void linear_grad_input(const LinearLayer& layer, const float* grad_y, float* grad_x, const Workers& by);
// Both gradients; that of the bias is left out where the layer has none.
void linear_grad_weights(const LinearLayer& layer, const float* grad_y, const float* x, float* grad_weight, float* grad_bias, const Workers& by);

// Whether the matrix unit serves layers of these widths; those below want to know it.
bool linear_tiles_serve(int64_t inputs, int64_t outputs);
void linear_by_tiles(const LinearLayer& layer, const float* x, float* y, const Pool& pool);
void linear_grad_input_by_tiles(const LinearLayer& layer, const float* grad_y, float* grad_x, const Pool& pool);
void linear_grad_weight_by_tiles(const LinearLayer& layer, const float* grad_y, const float* x, float* grad_weight, const Pool& pool);

struct LayerNorm {
  int64_t rows, width;
  const float *weight, *bias;    // [width]
  float eps;
};

// `statistics` [rows][2]: mean and 1 / sqrt(variance + eps) of each row.
void layer_norm_forward(const LayerNorm& norm, const float* x, float* normed, float* statistics, const Pool& pool);
// grad_x = residual + the norm's gradient; `residual` may be grad_x.
void layer_norm_backward(const LayerNorm& norm, const float* grad_normed, const float* x, const float* statistics, const float* residual,
                         float* grad_x, float* grad_weight, float* grad_bias, const Pool& pool);

struct LinearWeights {
  float *weight, *bias;
};

// What dropout at the end of a sub-layer does, see DropoutParams.
struct Drop {
  double probability;
  uint64_t seed;
};

struct FeedForward {
  LayerNorm norm;
  LinearLayer up, down;
  Gelu activation;
  Drop drop;
};

// What the forward pass leaves for the backward pass.
struct FeedForwardSaved {
  float *statistics, *normed;
  float *before, *hidden;    // [rows][hidden]: before the bias and GELU, and after
};

struct NormGradients {
  float *weight, *bias;
};

void feed_forward_forward(const FeedForward& layer, const float* x, const FeedForwardSaved& saved, float* out, const Workers& by);

struct FeedForwardGradients {
  float* x;
  NormGradients norm;
  LinearWeights up, down;
};

void feed_forward_backward(const FeedForward& layer, const float* grad_out, const float* x, const FeedForwardSaved& saved,
                           const FeedForwardGradients& to, const Workers& by);

struct SelfAttention {
  LayerNorm norm;
  LinearLayer in, out;       // in: to query, key, value, one after the other
  int64_t batch, heads;
  const bool* keep;          // [batch][positions]; null keeps every key
  bool causal;
  float scale;
  Drop drop;
};

struct SelfAttentionSaved {
  float *statistics, *normed;
  float* qkv;                // [rows][3 width]
  float* seen;               // what attention made of them
  float* log_sum_exp;        // [batch][heads][positions]
};

void self_attention_forward(const SelfAttention& layer, const float* x, const SelfAttentionSaved& saved, float* out, const Workers& by);

struct SelfAttentionGradients {
  float* x;
  NormGradients norm;
  LinearWeights in, out;
};

void self_attention_backward(const SelfAttention& layer, const float* grad_out, const float* x, const SelfAttentionSaved& saved,
                             const SelfAttentionGradients& to, const Workers& by);

struct CrossAttention {
  LayerNorm norm;
  LinearLayer query, out;
  const float* gate;         // one number
  int64_t batch, heads, keys;
  Heads key, value;
  const bool* keep;          // [batch][keys]; null keeps every key
  float scale;
};

struct CrossAttentionSaved {
  float *statistics, *normed;
  float *query, *seen;       // what attention read and made
  float* projected;          // what the gate was before
  float* log_sum_exp;        // [batch][heads][positions]
};

void cross_attention_forward(const CrossAttention& layer, const float* x, const CrossAttentionSaved& saved, float* out, const Workers& by);

struct CrossAttentionGradients {
  float* x;
  Heads key, value;
  NormGradients norm;
  LinearWeights query;
  float *out_weight, *gate;
};

void cross_attention_backward(const CrossAttention& layer, const float* grad_out, const float* x, const CrossAttentionSaved& saved,
                              const CrossAttentionGradients& to, const Workers& by);

}  // namespace bimodal::native
