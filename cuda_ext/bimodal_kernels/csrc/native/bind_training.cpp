// What training does between matrix products, as implementations of the ops that bimodal_kernels/training.py declares.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <tuple>
#include <vector>

#include "bind.hpp"
#include "training.hpp"

namespace {

using namespace bimodal::native;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

BiasGeluParams gelu_of(const Tensor& x, const Tensor& bias, bool tanh) {
  const int64_t width = bias.numel();
  STD_TORCH_CHECK(width > 0 && x.dim() > 0 && x.size(x.dim() - 1) == width, "bias_gelu wants a bias as long as x's last dimension.");
  BiasGeluParams p{};
  p.rows = x.numel() / width;
  p.width = width;
  p.kind = tanh ? Gelu::tanh : Gelu::exact;
  p.x = floats(x, x.numel());
  p.bias = floats(bias, width);
  return p;
}

Tensor gelu_forward(const Tensor& x, const Tensor& bias, bool tanh) {
  BiasGeluParams p = gelu_of(x, bias, tanh);
  Tensor out = torch::stable::empty_like(x);
  p.out = floats(out, x.numel());
  bias_gelu_forward(p, torch_pool());
  return out;
}

std::tuple<Tensor, Tensor> gelu_backward(const Tensor& grad_out, const Tensor& x, const Tensor& bias, bool tanh) {
  BiasGeluParams p = gelu_of(x, bias, tanh);
  Tensor grad_x = torch::stable::empty_like(x), grad_bias = torch::stable::empty_like(bias);
  p.grad_out = floats(grad_out, x.numel());
  p.out = floats(grad_x, x.numel());
  p.grad_bias = floats(grad_bias, p.width);
  bias_gelu_backward(p, torch_pool());
  return {grad_x, grad_bias};
}

Tensor dropped(const Tensor& x, double probability, int64_t seed) {
  STD_TORCH_CHECK(probability >= 0 && probability < 1, "dropout wants a probability of at least 0 and less than 1.");
  Tensor out = torch::stable::empty_like(x);
  const int64_t size = x.numel();
  dropout({size, floats(x, size), floats(out, size), probability, static_cast<uint64_t>(seed), nullptr}, torch_pool());
  return out;
}

Tensor cross_entropy_in_place(const Tensor& logits, const Tensor& targets, double label_smoothing, double divisor) {
  STD_TORCH_CHECK(logits.dim() == 2 && targets.dim() == 1 && targets.size(0) == logits.size(0) &&
                      targets.scalar_type() == ScalarType::Long && targets.is_contiguous(),
                  "cross_entropy wants logits [row, class] and contiguous int64 targets [row].");
  const int64_t rows = logits.size(0), classes = logits.size(1);
  const int64_t* wanted = static_cast<const int64_t*>(targets.const_data_ptr());
  for (int64_t row = 0; row < rows; row++) {
    STD_TORCH_CHECK(wanted[row] >= 0 && wanted[row] < classes, "cross_entropy got a target that is no class.");
  }
  Tensor losses = torch::stable::empty({rows}, ScalarType::Float);
  cross_entropy({rows, classes, floats(logits, rows * classes), wanted, floats(losses, rows), static_cast<float>(label_smoothing),
                 static_cast<float>(divisor)},
                torch_pool());
  return losses;
}

double adamw_step(const std::vector<Tensor>& parameters, const std::vector<Tensor>& gradients, const std::vector<Tensor>& exp_avgs,
                  const std::vector<Tensor>& exp_avg_sqs, const std::vector<Tensor>& steps, const std::vector<double>& weight_decays,
                  double learning_rate, double beta1, double beta2, double eps, double clip_norm) {
  const size_t count = parameters.size();
  STD_TORCH_CHECK(gradients.size() == count && exp_avgs.size() == count && exp_avg_sqs.size() == count && steps.size() == count &&
                      weight_decays.size() == count,
                  "clipped_adamw wants as many of each tensor as there are parameters.");
  std::vector<AdamWTensor> tensors;
  for (size_t i = 0; i < count; i++) {
    const int64_t size = parameters[i].numel();
    tensors.push_back({size, floats(parameters[i], size), floats(exp_avgs[i], size), floats(exp_avg_sqs[i], size),
                       floats(gradients[i], size), floats(steps[i], 1), static_cast<float>(weight_decays[i])});
  }
  return clipped_adamw({tensors.data(), static_cast<int64_t>(count), learning_rate, beta1, beta2, eps, clip_norm}, torch_pool());
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(bimodal, CPU, m) {
  m.impl("bias_gelu_forward", TORCH_BOX(&gelu_forward));
  m.impl("bias_gelu_backward", TORCH_BOX(&gelu_backward));
  m.impl("dropout", TORCH_BOX(&dropped));
  m.impl("cross_entropy_", TORCH_BOX(&cross_entropy_in_place));
  m.impl("clipped_adamw_", TORCH_BOX(&adamw_step));
}
