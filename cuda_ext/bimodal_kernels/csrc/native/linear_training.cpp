// Linear layers in training: on the matrix unit where it serves, by the caller's matrix product elsewhere.
#include <algorithm>

#include "row_vectors.hpp"
#include "schedule.hpp"
#include "simd.hpp"
#include "sublayers.hpp"

namespace bimodal::native {
namespace {

// y [rows][columns] += bias.
void add_bias(int64_t rows, int64_t columns, const float* bias, float* y, const Pool& pool) {
  constexpr int64_t kRows = 32;
  deal_out((rows + kRows - 1) / kRows, pool_for(1.0 * rows * columns, pool), [&](int64_t task) {
    for (int64_t i = task * kRows; i < std::min(rows, (task + 1) * kRows); i++) {
      for_vectors(columns, [&](int64_t j, auto n) {
        float* const at = y + i * columns + j;
        store_part(at, load_part(at, n) + load_part(bias + j, n), n);
      });
    }
  });
}

// sums [columns] = the sum of x's rows.
void sum_rows(int64_t rows, int64_t columns, const float* x, float* sums, const Pool& pool) {
  constexpr int64_t kColumns = 4 * W;
  deal_out((columns + kColumns - 1) / kColumns, pool_for(1.0 * rows * columns, pool), [&](int64_t task) {
    const int64_t first = task * kColumns, count = std::min(kColumns, columns - first);
    for_vectors(count, [&](int64_t j, auto n) {
      Vec sum{};
      for (int64_t i = 0; i < rows; i++) sum += load_part(x + i * columns + first + j, n);
      store_part(sums + first + j, sum, n);
    });
  });
}

}  // namespace

void linear_forward(const LinearLayer& layer, const float* x, float* y, const Workers& by) {
  const auto [rows, inputs, outputs, weight, bias] = layer;
  if (linear_tiles_serve(inputs, outputs)) return linear_by_tiles(layer, x, y, by.pool);
  by.multiply(rows, outputs, inputs, {x, inputs, 1}, {weight, 1, inputs}, y);
  if (bias) add_bias(rows, outputs, bias, y, by.pool);
}

void linear_grad_input(const LinearLayer& layer, const float* grad_y, float* grad_x, const Workers& by) {
  const auto [rows, inputs, outputs, weight, bias] = layer;
  if (linear_tiles_serve(inputs, outputs)) return linear_grad_input_by_tiles(layer, grad_y, grad_x, by.pool);
  by.multiply(rows, inputs, outputs, {grad_y, outputs, 1}, {weight, inputs, 1}, grad_x);
}

void linear_grad_weights(const LinearLayer& layer, const float* grad_y, const float* x, float* grad_weight, float* grad_bias, const Workers& by) {
  const auto [rows, inputs, outputs, weight, bias] = layer;
  if (grad_bias) sum_rows(rows, outputs, grad_y, grad_bias, by.pool);
  if (linear_tiles_serve(inputs, outputs)) return linear_grad_weight_by_tiles(layer, grad_y, x, grad_weight, by.pool);
  by.multiply(outputs, inputs, rows, {grad_y, 1, outputs}, {x, inputs, 1}, grad_weight);
}

}  // namespace bimodal::native
