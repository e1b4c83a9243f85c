// What a training step does between its matrix products, on CPUs, fp32. Plain C++: no torch in here.
//
// Each of these reads and writes its arrays once, where torch goes over them three to five times. Results depend on
// inputs alone, to the bit: the order of sums is fixed by the shapes, not by the threads.
#pragma once

#include <cstdint>

#include "attention.hpp"

namespace bimodal::native {

enum class Gelu : uint8_t {
  exact,    // x Phi(x)
  tanh,     // x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
};

// [rows][width] arrays are dense.
struct BiasGeluParams {
  int64_t rows, width;
  Gelu kind;
  const float* x;           // read
  const float* bias;        // read: [width]
  const float* grad_out;    // backward reads it
  float* out;               // forward: gelu(x + bias); backward: the gradient of x
  float* grad_bias;         // backward writes it: [width]
};

void bias_gelu_forward(const BiasGeluParams& params, const Pool& pool);
void bias_gelu_backward(const BiasGeluParams& params, const Pool& pool);

// out = add + (x / (1 - probability) or 0), by a hash of the seed and an element's place; out may be x or add. The same call with
// gradients, and nothing to add, is the backward pass.
struct DropoutParams {
  int64_t size;
  const float* x;
  float* out;
  double probability;    // of 0: at least 0, less than 1
  uint64_t seed;
  const float* add;      // null: nothing
};

void dropout(const DropoutParams& params, const Pool& pool);

// Cross-entropy in nats of each row; its gradient, divided by `divisor`, takes the logits' place.
struct CrossEntropyParams {
  int64_t rows, classes;
  float* logits;             // [rows][classes], dense: read, then overwritten with the gradient
  const int64_t* targets;    // [rows], each in [0, classes)
  float* losses;             // written: [rows]
  float label_smoothing;     // this share of the target's probability is spread over all classes
  float divisor;
};

void cross_entropy(const CrossEntropyParams& params, const Pool& pool);

struct AdamWTensor {
  int64_t size;
  float *parameter, *exp_avg, *exp_avg_sq;    // read and written
  const float* gradient;
  float* step;                                // steps done so far; counted up
  float weight_decay;
};

struct AdamWParams {
  const AdamWTensor* tensors;
  int64_t count;
  double learning_rate, beta1, beta2, eps;
  double clip_norm;    // gradients are scaled down to this norm over all tensors
};

// One step of AdamW on clipped gradients; returns the gradients' norm before clipping. Gradients stay as they are.
float clipped_adamw(const AdamWParams& params, const Pool& pool);

}  // namespace bimodal::native
