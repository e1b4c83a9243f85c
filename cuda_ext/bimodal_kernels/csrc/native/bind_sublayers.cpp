// The sub-layers as implementations of the ops that bimodal_kernels/sublayers.py declares (see bind.hpp).
#include <torch/csrc/inductor/aoti_torch/generated/c_shim_cpu.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <cmath>
#include <optional>
#include <tuple>

#include "bind.hpp"
#include "sublayers.hpp"

namespace {

using namespace bimodal::native;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// A tensor that looks at `data`.
Tensor view_of(const float* data, int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride) {
  const int64_t sizes[] = {rows, columns}, strides[] = {row_stride, column_stride};
  AtenTensorHandle made;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_create_tensor_from_blob(const_cast<float*>(data), 2, sizes, strides, 0, aoti_torch_dtype_float32(),
                                                                   aoti_torch_device_type_cpu(), 0, &made));
  return Tensor(made);
}

void multiply_by_torch(int64_t rows, int64_t columns, int64_t depth, const Matrix& left, const Matrix& right, float* result) {
  const Tensor a = view_of(left.data, rows, depth, left.row_stride, left.column_stride);
  const Tensor b = view_of(right.data, depth, columns, right.row_stride, right.column_stride);
  const Tensor c = view_of(result, rows, columns, columns, 1);
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(c.get(), a.get(), b.get()));
}

Workers workers() { return {torch_pool(), multiply_by_torch}; }

struct Input {
  int64_t batch, positions, width, rows;
  const float* x;

  explicit Input(const Tensor& tensor) {
    STD_TORCH_CHECK(tensor.dim() == 3 && tensor.numel() > 0, "A sub-layer wants x [batch, position, embed_dim].");
    batch = tensor.size(0), positions = tensor.size(1), width = tensor.size(2), rows = batch * positions;
    x = floats(tensor, rows * width);
  }
};

LayerNorm norm_of(const Input& in, const Tensor& weight, const Tensor& bias, double eps) {
  return {in.rows, in.width, floats(weight, in.width), floats(bias, in.width), static_cast<float>(eps)};
}

LinearLayer linear_of(int64_t rows, int64_t inputs, int64_t outputs, const Tensor& weight, const Tensor& bias) {
  return {rows, inputs, outputs, floats(weight, outputs * inputs), floats(bias, outputs)};
}

Drop drop_of(double probability, int64_t seed) {
  STD_TORCH_CHECK(probability >= 0 && probability < 1, "dropout wants a probability of at least 0 and less than 1.");
  return {probability, static_cast<uint64_t>(seed)};
}

struct NormTensors {
  Tensor weight, bias;
  explicit NormTensors(int64_t width) : weight(empty<1>({width})), bias(empty<1>({width})) {}
  NormGradients to() const { return {floats(weight, weight.numel()), floats(bias, bias.numel())}; }
};

struct LinearTensors {
  Tensor weight, bias;
  LinearTensors(int64_t outputs, int64_t inputs) : weight(empty<2>({outputs, inputs})), bias(empty<1>({outputs})) {}
  LinearWeights to() const { return {floats(weight, weight.numel()), floats(bias, bias.numel())}; }
};

float* all(const Tensor& tensor) { return floats(tensor, tensor.numel()); }

FeedForward feed_forward_of(const Input& in, const Tensor& norm_weight, const Tensor& norm_bias, const Tensor& up_weight, const Tensor& up_bias,
                            const Tensor& down_weight, const Tensor& down_bias, double eps, bool tanh, double dropout, int64_t seed) {
  const int64_t hidden = up_bias.numel();
  return {norm_of(in, norm_weight, norm_bias, eps), linear_of(in.rows, in.width, hidden, up_weight, up_bias),
          linear_of(in.rows, hidden, in.width, down_weight, down_bias), tanh ? Gelu::tanh : Gelu::exact, drop_of(dropout, seed)};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> feed_forward(const Tensor& x, const Tensor& norm_weight, const Tensor& norm_bias,
                                                                const Tensor& up_weight, const Tensor& up_bias, const Tensor& down_weight,
                                                                const Tensor& down_bias, double eps, bool tanh, double dropout, int64_t seed) {
  const Input in(x);
  const FeedForward layer =
      feed_forward_of(in, norm_weight, norm_bias, up_weight, up_bias, down_weight, down_bias, eps, tanh, dropout, seed);
  const int64_t hidden = layer.up.outputs;
  Tensor out = empty<3>({in.batch, in.positions, in.width}), statistics = empty<2>({in.rows, 2}), normed = empty<2>({in.rows, in.width});
  Tensor before = empty<2>({in.rows, hidden}), after = empty<2>({in.rows, hidden});
  feed_forward_forward(layer, in.x, {all(statistics), all(normed), all(before), all(after)}, all(out), workers());
  return {out, statistics, normed, before, after};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> feed_forward_grad(
    const Tensor& grad_out, const Tensor& x, const Tensor& statistics, const Tensor& normed, const Tensor& before, const Tensor& after,
    const Tensor& norm_weight, const Tensor& norm_bias, const Tensor& up_weight, const Tensor& up_bias, const Tensor& down_weight,
    const Tensor& down_bias, double eps, bool tanh, double dropout, int64_t seed) {
  const Input in(x);
  const FeedForward layer =
      feed_forward_of(in, norm_weight, norm_bias, up_weight, up_bias, down_weight, down_bias, eps, tanh, dropout, seed);
  const int64_t hidden = layer.up.outputs;
  Tensor grad_x = empty<3>({in.batch, in.positions, in.width});
  const NormTensors norm(in.width);
  const LinearTensors up(hidden, in.width), down(in.width, hidden);
  const FeedForwardSaved saved{floats(statistics, 2 * in.rows), floats(normed, in.rows * in.width), floats(before, in.rows * hidden),
                               floats(after, in.rows * hidden)};
  feed_forward_backward(layer, floats(grad_out, in.rows * in.width), in.x, saved, {all(grad_x), norm.to(), up.to(), down.to()}, workers());
  return {grad_x, norm.weight, norm.bias, up.weight, up.bias, down.weight, down.bias};
}

const bool* keep_of(const std::optional<Tensor>& mask, int64_t size) {
  if (!mask) return nullptr;
  STD_TORCH_CHECK(mask->scalar_type() == ScalarType::Bool && mask->is_contiguous() && mask->numel() == size,
                  "A sub-layer wants a contiguous bool key_padding_mask [batch, key].");
  return static_cast<const bool*>(mask->const_data_ptr());
}

float scale_of(const Input& in, int64_t heads) {
  STD_TORCH_CHECK(heads > 0 && in.width % heads == 0, "A sub-layer wants heads that divide embed_dim.");
  return static_cast<float>(1 / std::sqrt(static_cast<double>(in.width / heads)));
}

SelfAttention self_attention_of(const Input& in, const Tensor& norm_weight, const Tensor& norm_bias, const Tensor& in_weight,
                                const Tensor& in_bias, const Tensor& out_weight, const Tensor& out_bias,
                                const std::optional<Tensor>& key_padding_mask, double eps, int64_t heads, bool causal, double dropout,
                                int64_t seed) {
  const float scale = scale_of(in, heads);
  const bool* keep = keep_of(key_padding_mask, in.rows);
  return {norm_of(in, norm_weight, norm_bias, eps),
          linear_of(in.rows, in.width, 3 * in.width, in_weight, in_bias),
          linear_of(in.rows, in.width, in.width, out_weight, out_bias),
          in.batch, heads, keep, causal, scale, drop_of(dropout, seed)};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> self_attention(
    const Tensor& x, const Tensor& norm_weight, const Tensor& norm_bias, const Tensor& in_weight, const Tensor& in_bias,
    const Tensor& out_weight, const Tensor& out_bias, const std::optional<Tensor>& key_padding_mask, double eps, int64_t heads, bool causal,
    double dropout, int64_t seed) {
  const Input in(x);
  const SelfAttention layer = self_attention_of(in, norm_weight, norm_bias, in_weight, in_bias, out_weight, out_bias, key_padding_mask, eps,
                                                heads, causal, dropout, seed);
  Tensor out = empty<3>({in.batch, in.positions, in.width}), statistics = empty<2>({in.rows, 2}), normed = empty<2>({in.rows, in.width});
  Tensor qkv = empty<2>({in.rows, 3 * in.width}), seen = empty<2>({in.rows, in.width});
  Tensor log_sum_exp = empty<3>({in.batch, heads, in.positions});
  self_attention_forward(layer, in.x, {all(statistics), all(normed), all(qkv), all(seen), all(log_sum_exp)}, all(out), workers());
  return {out, statistics, normed, qkv, seen, log_sum_exp};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> self_attention_grad(
    const Tensor& grad_out, const Tensor& x, const Tensor& statistics, const Tensor& normed, const Tensor& qkv, const Tensor& seen,
    const Tensor& log_sum_exp, const Tensor& norm_weight, const Tensor& norm_bias, const Tensor& in_weight, const Tensor& in_bias,
    const Tensor& out_weight, const Tensor& out_bias, const std::optional<Tensor>& key_padding_mask, double eps, int64_t heads, bool causal,
    double dropout, int64_t seed) {
  const Input in(x);
  const SelfAttention layer = self_attention_of(in, norm_weight, norm_bias, in_weight, in_bias, out_weight, out_bias, key_padding_mask, eps,
                                                heads, causal, dropout, seed);
  Tensor grad_x = empty<3>({in.batch, in.positions, in.width});
  const NormTensors norm(in.width);
  const LinearTensors projected(3 * in.width, in.width), returned(in.width, in.width);
  const int64_t size = in.rows * in.width;
  const SelfAttentionSaved saved{floats(statistics, 2 * in.rows), floats(normed, size), floats(qkv, 3 * size), floats(seen, size),
                                 floats(log_sum_exp, in.rows * heads)};
  self_attention_backward(layer, floats(grad_out, size), in.x, saved, {all(grad_x), norm.to(), projected.to(), returned.to()}, workers());
  return {grad_x, norm.weight, norm.bias, projected.weight, projected.bias, returned.weight, returned.bias};
}

// [batch, heads, key, head_dim], its last dimension contiguous.
Heads heads_of(const Tensor& tensor, const Input& in, int64_t heads, int64_t keys) {
  STD_TORCH_CHECK(tensor.scalar_type() == ScalarType::Float && tensor.dim() == 4 && tensor.size(0) == in.batch && tensor.size(1) == heads &&
                      tensor.size(2) == keys && tensor.size(3) * heads == in.width && tensor.stride(3) == 1,
                  "cross_attention wants float32 keys and values [batch, heads, key, head_dim], the last dimension contiguous.");
  return {const_cast<void*>(tensor.const_data_ptr()), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

CrossAttention cross_attention_of(const Input& in, const Tensor& key, const Tensor& value, const Tensor& norm_weight, const Tensor& norm_bias,
                                  const Tensor& query_weight, const Tensor& query_bias, const Tensor& out_weight, const Tensor& gate,
                                  const std::optional<Tensor>& key_padding_mask, double eps) {
  STD_TORCH_CHECK(key.dim() == 4 && key.size(2) > 0, "cross_attention wants keys [batch, heads, key, head_dim].");
  const int64_t heads = key.size(1), keys = key.size(2);
  const float scale = scale_of(in, heads);
  return {norm_of(in, norm_weight, norm_bias, eps),
          linear_of(in.rows, in.width, in.width, query_weight, query_bias),
          {in.rows, in.width, in.width, floats(out_weight, in.width * in.width), nullptr},
          floats(gate, 1), in.batch, heads, keys, heads_of(key, in, heads, keys), heads_of(value, in, heads, keys),
          keep_of(key_padding_mask, in.batch * keys), scale};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> cross_attention(
    const Tensor& x, const Tensor& key, const Tensor& value, const Tensor& norm_weight, const Tensor& norm_bias, const Tensor& query_weight,
    const Tensor& query_bias, const Tensor& out_weight, const Tensor& gate, const std::optional<Tensor>& key_padding_mask, double eps) {
  const Input in(x);
  const CrossAttention layer =
      cross_attention_of(in, key, value, norm_weight, norm_bias, query_weight, query_bias, out_weight, gate, key_padding_mask, eps);
  Tensor out = empty<3>({in.batch, in.positions, in.width}), statistics = empty<2>({in.rows, 2}), normed = empty<2>({in.rows, in.width});
  Tensor query = empty<2>({in.rows, in.width}), seen = empty<2>({in.rows, in.width}), projected = empty<2>({in.rows, in.width});
  Tensor log_sum_exp = empty<3>({in.batch, layer.heads, in.positions});
  cross_attention_forward(layer, in.x, {all(statistics), all(normed), all(query), all(seen), all(projected), all(log_sum_exp)}, all(out),
                          workers());
  return {out, statistics, normed, query, seen, projected, log_sum_exp};
}

// [batch, heads, key, head_dim], laid out [batch, key, heads, head_dim].
Tensor keys_before_heads(const CrossAttention& layer) {
  const int64_t dim = layer.norm.width / layer.heads;
  return empty<4>({layer.batch, layer.heads, layer.keys, dim}, {layer.keys * layer.heads * dim, dim, layer.heads * dim, 1}, ScalarType::Float);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> cross_attention_grad(
    const Tensor& grad_out, const Tensor& x, const Tensor& statistics, const Tensor& normed, const Tensor& query, const Tensor& seen,
    const Tensor& projected, const Tensor& log_sum_exp, const Tensor& key, const Tensor& value, const Tensor& norm_weight,
    const Tensor& norm_bias, const Tensor& query_weight, const Tensor& query_bias, const Tensor& out_weight, const Tensor& gate,
    const std::optional<Tensor>& key_padding_mask, double eps) {
  const Input in(x);
  const CrossAttention layer =
      cross_attention_of(in, key, value, norm_weight, norm_bias, query_weight, query_bias, out_weight, gate, key_padding_mask, eps);
  Tensor grad_x = empty<3>({in.batch, in.positions, in.width}), grad_key = keys_before_heads(layer), grad_value = keys_before_heads(layer);
  const NormTensors norm(in.width);
  const LinearTensors asked(in.width, in.width);
  Tensor grad_out_weight = empty<2>({in.width, in.width}), grad_gate = empty<1>({1});
  const int64_t size = in.rows * in.width;
  const CrossAttentionSaved saved{floats(statistics, 2 * in.rows), floats(normed, size), floats(query, size), floats(seen, size),
                                  floats(projected, size), floats(log_sum_exp, in.rows * layer.heads)};
  cross_attention_backward(layer, floats(grad_out, size), in.x, saved,
                           {all(grad_x), heads_of(grad_key, in, layer.heads, layer.keys), heads_of(grad_value, in, layer.heads, layer.keys),
                            norm.to(), asked.to(), all(grad_out_weight), all(grad_gate)},
                           workers());
  return {grad_x, grad_key, grad_value, norm.weight, norm.bias, asked.weight, asked.bias, grad_out_weight, grad_gate};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(bimodal, CPU, m) {
  m.impl("feed_forward", TORCH_BOX(&feed_forward));
  m.impl("feed_forward_backward", TORCH_BOX(&feed_forward_grad));
  m.impl("self_attention", TORCH_BOX(&self_attention));
  m.impl("self_attention_backward", TORCH_BOX(&self_attention_grad));
  m.impl("cross_attention", TORCH_BOX(&cross_attention));
  m.impl("cross_attention_backward", TORCH_BOX(&cross_attention_grad));
}
