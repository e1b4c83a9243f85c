// Linear layers for few rows, as in generation: weights stream from memory once, and that is what it costs.
#pragma once

#include "attention.hpp"

namespace bimodal::native {

// [outputs, inputs], dense, as torch keeps it. `inputs` is a multiple of kInputStep.
struct Weight {
  const void* data = nullptr;       // fp32; int8 if there is a scale
  const float* scale = nullptr;     // [outputs]: int8 weights mean scale[output] * data[output][input]
  int64_t outputs = 0, inputs = 0;
};

constexpr int64_t kInputStep = 16;

enum class Activation : uint8_t { none, gelu_tanh };

// y = factor * activation(x weight^T + bias) + residual
struct LinearParams {
  int64_t rows;
  const float* x;           // [rows, inputs], dense
  Weight weight;
  const float* bias;        // [outputs]; null: none
  Activation activation;
  float factor;
  const float* residual;    // [rows, outputs], dense, or y itself; null: none
  float* y;                 // [rows, outputs], dense
};

// Results depend on the inputs alone, to the bit: not on the number of threads, nor on which rows stand together.
void linear(const LinearParams& params, const Pool& pool);

}  // namespace bimodal::native
