// Clipping and AdamW over all tensors: gradients are read twice, everything else once.
//
// Sources: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2; Pascanu et al. 2013, sec. 3.2.
#include <algorithm>
#include <cmath>
#include <vector>

#include "schedule.hpp"
#include "simd.hpp"
#include "training.hpp"

namespace bimodal::native {
namespace {

constexpr int64_t kPiece = 16384;    // elements of a task: five arrays of them fit into a second-level cache

struct Piece {
  const AdamWTensor* tensor;
  int64_t begin, end;
};

std::vector<Piece> pieces_of(const AdamWParams& p) {
  std::vector<Piece> pieces;
  for (const AdamWTensor* t = p.tensors; t < p.tensors + p.count; t++) {
    for (int64_t at = 0; at < t->size; at += kPiece) pieces.push_back({t, at, std::min(at + kPiece, t->size)});
  }
  return pieces;
}

double sum_of_squares(const Piece& piece) {
  const float *g = piece.tensor->gradient + piece.begin, *end = piece.tensor->gradient + piece.end;
  Vec sums[4] = {};
  for (; g + 4 * W <= end; g += 4 * W) {
    for (int k = 0; k < 4; k++) {
      const Vec x = load(g + k * W);
      sums[k] += x * x;
    }
  }
  double total = sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; g < end; g++) total += *g * *g;
  return total;
}

void update(const AdamWParams& p, const Piece& piece, float clip) {
  const AdamWTensor& t = *piece.tensor;
  const double step = *t.step + 1;
  const float keep = static_cast<float>(1 - p.learning_rate * t.weight_decay);
  const float rate = static_cast<float>(p.learning_rate / (1 - std::pow(p.beta1, step)));
  const float root = static_cast<float>(1 / std::sqrt(1 - std::pow(p.beta2, step)));
  const float new1 = static_cast<float>(1 - p.beta1), new2 = static_cast<float>(1 - p.beta2);
  const float beta2 = static_cast<float>(p.beta2), eps = static_cast<float>(p.eps);
  float* __restrict parameter = t.parameter;
  float* __restrict exp_avg = t.exp_avg;
  float* __restrict exp_avg_sq = t.exp_avg_sq;
  const float* __restrict gradient = t.gradient;
  for (int64_t i = piece.begin; i < piece.end; i++) {
    const float g = clip * gradient[i];
    const float m = exp_avg[i] += new1 * (g - exp_avg[i]);
    const float v = exp_avg_sq[i] = beta2 * exp_avg_sq[i] + new2 * g * g;
    parameter[i] = keep * parameter[i] - rate * m / (std::sqrt(v) * root + eps);
  }
}

}  // namespace

float clipped_adamw(const AdamWParams& p, const Pool& pool) {
  const std::vector<Piece> pieces = pieces_of(p);
  const int64_t count = static_cast<int64_t>(pieces.size());
  std::vector<double> squares(count);
  deal_out(count, pool, [&](int64_t i) { squares[i] = sum_of_squares(pieces[i]); });
  double total = 0;
  for (double square : squares) total += square;
  const float norm = static_cast<float>(std::sqrt(total));
  // As torch.nn.utils.clip_grad_norm_ has it; a norm that is no number makes parameters that are none, too.
  const float scale = static_cast<float>(p.clip_norm) / (norm + 1e-6f), clip = scale > 1 ? 1.0f : scale;
  deal_out(count, pool, [&](int64_t i) { update(p, pieces[i], clip); });
  for (const AdamWTensor* t = p.tensors; t < p.tensors + p.count; t++) *t->step += 1;
  return norm;
}

}  // namespace bimodal::native
