// The attention kernels as implementations of the ops that bimodal_kernels/ops.py declares (see bind.hpp).
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <optional>
#include <tuple>

#include "attention.hpp"
#include "bind.hpp"

namespace {

using bimodal::native::Heads;
using bimodal::native::Shape;
using bimodal::native::empty;
using bimodal::native::Storage;
using bimodal::native::torch_pool;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

Storage storage_of(const Tensor& query) {
  const ScalarType type = query.scalar_type();
  STD_TORCH_CHECK(type == ScalarType::Float || type == ScalarType::BFloat16,
                  "The native attention kernels take float32 and bfloat16 tensors. Convert them, or use the sdpa backend.");
  return type == ScalarType::Float ? Storage::float32 : Storage::bfloat16;
}

Shape shape_of(const Tensor& query, const Tensor& key) {
  STD_TORCH_CHECK(query.dim() == 4 && key.dim() == 4, "Attention wants [batch, heads, position, head_dim].");
  const Shape shape{query.size(0), query.size(1), key.size(1), query.size(2), key.size(2), query.size(3)};
  STD_TORCH_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0, "kv_heads must divide heads.");
  return shape;
}

// A tensor [batch, heads, positions, head_dim] of the same dtype as `like`, its last dimension contiguous.
Heads heads_of(const Tensor& tensor, const Tensor& like, int64_t batch, int64_t heads, int64_t positions, int64_t head_dim) {
  STD_TORCH_CHECK(tensor.dim() == 4 && tensor.size(0) == batch && tensor.size(1) == heads && tensor.size(2) == positions &&
                      tensor.size(3) == head_dim,
                  "Attention got tensors whose shapes do not fit together.");
  STD_TORCH_CHECK(tensor.scalar_type() == like.scalar_type(), "Attention wants one dtype for all tensors.");
  STD_TORCH_CHECK(tensor.stride(3) == 1 || head_dim == 1, "Attention wants the last dimension contiguous.");
  return {const_cast<void*>(tensor.const_data_ptr()), tensor.stride(0), tensor.stride(1), tensor.stride(2)};
}

Heads queries_of(const Tensor& tensor, const Tensor& like, const Shape& s) {
  return heads_of(tensor, like, s.batch, s.heads, s.queries, s.head_dim);
}

Heads keys_of(const Tensor& tensor, const Tensor& like, const Shape& s) {
  return heads_of(tensor, like, s.batch, s.kv_heads, s.keys, s.head_dim);
}

const bool* keep_of(const std::optional<Tensor>& mask, const Shape& s) {
  if (!mask) return nullptr;
  STD_TORCH_CHECK(mask->dim() == 2 && mask->size(0) == s.batch && mask->size(1) == s.keys &&
                      mask->scalar_type() == ScalarType::Bool && mask->is_contiguous(),
                  "Attention wants a contiguous bool key_padding_mask [batch, key].");
  return static_cast<const bool*>(mask->const_data_ptr());
}

// [batch, heads, positions, head_dim] as a view of memory laid out [batch, positions, heads, head_dim]: what projections
// around attention read and write without a copy.
Tensor positions_before_heads(const Tensor& like, int64_t heads, int64_t positions) {
  const int64_t dim = like.size(3);
  return empty<4>({like.size(0), heads, positions, dim}, {positions * heads * dim, dim, heads * dim, 1}, like.scalar_type());
}

std::tuple<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const std::optional<Tensor>& key_padding_mask, bool causal, double scale) {
  const Shape shape = shape_of(query, key);
  Tensor out = positions_before_heads(query, shape.heads, shape.queries);
  Tensor log_sum_exp = empty<3>({shape.batch, shape.heads, shape.queries}, {shape.heads * shape.queries, shape.queries, 1}, ScalarType::Float);
  attention_forward({shape, storage_of(query), queries_of(query, query, shape), keys_of(key, query, shape),
                     keys_of(value, query, shape), queries_of(out, query, shape),
                     static_cast<float*>(log_sum_exp.data_ptr()), keep_of(key_padding_mask, shape), causal,
                     static_cast<float>(scale)},
                    torch_pool());
  return {out, log_sum_exp};
}

void backward_into(const Tensor& grad_out, const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& out,
                   const Tensor& log_sum_exp, const std::optional<Tensor>& key_padding_mask, bool causal, double scale,
                   const Tensor& grad_query, const Tensor& grad_key, const Tensor& grad_value) {
  const Shape shape = shape_of(query, key);
  STD_TORCH_CHECK(log_sum_exp.scalar_type() == ScalarType::Float && log_sum_exp.is_contiguous() &&
                      log_sum_exp.numel() == shape.batch * shape.heads * shape.queries,
                  "Attention wants log_sum_exp as its forward pass returned it.");
  attention_backward({shape, storage_of(query), queries_of(grad_out, query, shape), queries_of(query, query, shape),
                      keys_of(key, query, shape), keys_of(value, query, shape), queries_of(out, query, shape),
                      queries_of(grad_query, query, shape), keys_of(grad_key, query, shape),
                      keys_of(grad_value, query, shape), static_cast<const float*>(log_sum_exp.const_data_ptr()),
                      keep_of(key_padding_mask, shape), causal, static_cast<float>(scale)},
                     torch_pool());
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& grad_out, const Tensor& query, const Tensor& key, const Tensor& value,
                                            const Tensor& out, const Tensor& log_sum_exp,
                                            const std::optional<Tensor>& key_padding_mask, bool causal, double scale) {
  const Shape shape = shape_of(query, key);
  Tensor grad_query = positions_before_heads(query, shape.heads, shape.queries);
  Tensor grad_key = positions_before_heads(query, shape.kv_heads, shape.keys);
  Tensor grad_value = positions_before_heads(query, shape.kv_heads, shape.keys);
  backward_into(grad_out, query, key, value, out, log_sum_exp, key_padding_mask, causal, scale, grad_query, grad_key, grad_value);
  return {grad_query, grad_key, grad_value};
}

Tensor decode(const Tensor& query, const Tensor& key_cache, const Tensor& value_cache, const Tensor& lengths, double scale) {
  const Shape shape = shape_of(query, key_cache);
  STD_TORCH_CHECK(shape.queries == 1, "Decoding wants one query per row.");
  STD_TORCH_CHECK(lengths.dim() == 1 && lengths.size(0) == shape.batch && lengths.scalar_type() == ScalarType::Long &&
                      lengths.is_contiguous(),
                  "Decoding wants contiguous int64 lengths [batch].");
  Tensor out = positions_before_heads(query, shape.heads, 1);
  attention_decode({shape, storage_of(query), queries_of(query, query, shape), keys_of(key_cache, query, shape),
                    keys_of(value_cache, query, shape), queries_of(out, query, shape),
                    static_cast<const int64_t*>(lengths.const_data_ptr()), static_cast<float>(scale)},
                   torch_pool());
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(bimodal, CPU, m) {
  m.impl("attention_forward", TORCH_BOX(&forward));
  m.impl("attention_backward", TORCH_BOX(&backward));
  m.impl("attention_backward_into", TORCH_BOX(&backward_into));
  m.impl("attention_decode", TORCH_BOX(&decode));
}
