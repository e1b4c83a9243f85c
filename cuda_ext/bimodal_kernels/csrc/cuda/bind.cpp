// The CUDA kernels as implementations of the ops that bimodal_kernels/ops.py declares, through libtorch's stable ABI:
// compiles in seconds, and the library loads beside a CPU-only torch, too.
//
// Compile with -DUSE_CUDA and -DTORCH_TARGET_VERSION=0x020a000000000000 (2.10, the first with all that is used here).
#include <cuda_runtime_api.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <limits>
#include <optional>
#include <tuple>

#include "launch.hpp"

// Weak: a CPU-only torch does not have it, and must be able to load this library all the same.
extern "C" __attribute__((weak)) AOTITorchError aoti_torch_get_current_cuda_stream(int32_t device_index, void** stream);

namespace {

using bimodal::DType;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;

// The stream that torch's other operations on this device are queued on.
cudaStream_t current_stream(const Tensor& tensor) {
  STD_TORCH_CHECK(aoti_torch_get_current_cuda_stream, "This torch was built without CUDA.");
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

void check_launch(cudaError_t error) {
  STD_TORCH_CHECK(error == cudaSuccess, "The CUDA attention kernel was not launched: ", cudaGetErrorString(error),
                  " (launch.hpp says what each error means).");
}

int size(const Tensor& tensor, int dimension) {
  const int64_t count = tensor.size(dimension);
  STD_TORCH_CHECK(count <= std::numeric_limits<int>::max(), "Attention got a dimension of 2^31 or more.");
  return static_cast<int>(count);
}

DType dtype_of(const Tensor& query) {
  const ScalarType type = query.scalar_type();
  STD_TORCH_CHECK(type == ScalarType::Half || type == ScalarType::BFloat16,
                  "The CUDA attention kernels take float16 and bfloat16 tensors. Convert them, or use the sdpa backend.");
  return type == ScalarType::Half ? DType::kFloat16 : DType::kBFloat16;
}

// The view of a tensor [batch, heads, positions, head_dim]. A dimension of size 1 is never stepped along: its stride, which
// torch leaves undefined, counts as 0.
template <class Element>
bimodal::View<Element> view_of(const Tensor& tensor) {
  const auto stride = [&](int dimension) { return tensor.size(dimension) > 1 ? tensor.stride(dimension) : 0; };
  return {static_cast<Element*>(const_cast<void*>(tensor.const_data_ptr())), stride(0), stride(1), stride(2)};
}

// An input as the kernels can read it: itself, or a copy where its alignment does not allow that.
class Readable {
 public:
  // Checks that `tensor` is [batch, heads, positions, head_dim] with the dtype and device of `like`.
  Readable(const Tensor& tensor, const Tensor& like, int64_t heads, int64_t positions) : tensor_(tensor) {
    STD_TORCH_CHECK(tensor.dim() == 4 && tensor.size(0) == like.size(0) && tensor.size(1) == heads &&
                        tensor.size(2) == positions && tensor.size(3) == like.size(3),
                    "Attention got tensors whose shapes do not fit together.");
    STD_TORCH_CHECK(tensor.scalar_type() == like.scalar_type() && tensor.get_device_index() == like.get_device_index(),
                    "Attention wants one dtype and one device for all tensors.");
    if (tensor.stride(3) == 1 && view_of<const uint16_t>(tensor).is_aligned()) return;
    tensor_ = torch::stable::empty({tensor.size(0), heads, positions, tensor.size(3)}, tensor.scalar_type(), std::nullopt,
                                   tensor.device());
    torch::stable::copy_(tensor_, tensor);
  }

  bimodal::Input view() const { return view_of<const uint16_t>(tensor_); }

 private:
  Tensor tensor_;
};

// [batch, heads, positions, head_dim] as a view of memory laid out [batch, positions, heads, head_dim]: what projections
// around attention read and write without a copy.
Tensor positions_before_heads(const Tensor& like, int64_t heads, int64_t positions) {
  const Tensor memory = torch::stable::empty({like.size(0), positions, heads, like.size(3)}, like.scalar_type(),
                                             std::nullopt, like.device());
  return torch::stable::transpose(memory, 1, 2);
}

template <class... Sizes>
Tensor floats(const Tensor& like, Sizes... sizes) {
  return torch::stable::empty({static_cast<int64_t>(sizes)...}, ScalarType::Float, std::nullopt, like.device());
}

float* data_of(Tensor& tensor) { return static_cast<float*>(tensor.data_ptr()); }

bimodal::Problem problem_of(const Tensor& query, const Tensor& key, const std::optional<Tensor>& mask, bool causal,
                            double scale) {
  STD_TORCH_CHECK(query.dim() == 4 && key.dim() == 4, "Attention wants [batch, heads, position, head_dim].");
  bimodal::KeyPaddingMask keep{nullptr, 0};
  if (mask) {
    STD_TORCH_CHECK(mask->dim() == 2 && mask->size(0) == query.size(0) && mask->size(1) == key.size(2) &&
                        mask->scalar_type() == ScalarType::Bool && mask->is_contiguous() &&
                        mask->get_device_index() == query.get_device_index(),
                    "Attention wants a contiguous bool key_padding_mask [batch, key] on the query's device.");
    keep = {static_cast<const uint8_t*>(mask->const_data_ptr()), mask->size(1)};
  }
  return {dtype_of(query), size(query, 3), size(query, 0), size(query, 1), size(key, 1), size(query, 2), size(key, 2),
          causal,          static_cast<float>(scale), keep};
}

std::tuple<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const std::optional<Tensor>& key_padding_mask, bool causal, double scale) {
  const DeviceGuard guard(query.get_device_index());
  const bimodal::Problem problem = problem_of(query, key, key_padding_mask, causal, scale);
  const Readable queries(query, query, problem.heads, problem.queries);
  const Readable keys(key, query, problem.kv_heads, problem.keys), values(value, query, problem.kv_heads, problem.keys);
  Tensor out = positions_before_heads(query, problem.heads, problem.queries);
  Tensor log_sum_exp = floats(query, problem.batch, problem.heads, problem.queries);
  check_launch(bimodal::launch_forward({problem, queries.view(), keys.view(), values.view(), view_of<uint16_t>(out),
                                        data_of(log_sum_exp)},
                                       current_stream(query)));
  return {out, log_sum_exp};
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& grad_out, const Tensor& query, const Tensor& key,
                                            const Tensor& value, const Tensor& out, const Tensor& log_sum_exp,
                                            const std::optional<Tensor>& key_padding_mask, bool causal, double scale) {
  const DeviceGuard guard(query.get_device_index());
  const bimodal::Problem problem = problem_of(query, key, key_padding_mask, causal, scale);
  STD_TORCH_CHECK(log_sum_exp.scalar_type() == ScalarType::Float && log_sum_exp.is_contiguous() &&
                      log_sum_exp.numel() == query.size(0) * query.size(1) * query.size(2),
                  "Attention wants log_sum_exp as its forward pass returned it.");
  const Readable queries(query, query, problem.heads, problem.queries);
  const Readable keys(key, query, problem.kv_heads, problem.keys), values(value, query, problem.kv_heads, problem.keys);
  const Readable outs(out, query, problem.heads, problem.queries), grads(grad_out, query, problem.heads, problem.queries);
  Tensor row_dot = floats(query, problem.batch, problem.heads, problem.queries);
  Tensor grad_query = positions_before_heads(query, problem.heads, problem.queries);
  Tensor grad_key = positions_before_heads(query, problem.kv_heads, problem.keys);
  Tensor grad_value = positions_before_heads(query, problem.kv_heads, problem.keys);
  check_launch(bimodal::launch_backward(
      {problem, queries.view(), keys.view(), values.view(), outs.view(), grads.view(),
       static_cast<const float*>(log_sum_exp.const_data_ptr()), data_of(row_dot), view_of<uint16_t>(grad_query),
       view_of<uint16_t>(grad_key), view_of<uint16_t>(grad_value)},
      current_stream(query)));
  return {grad_query, grad_key, grad_value};
}

int multiprocessors(const Tensor& tensor) {
  int count = 0;
  check_launch(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, tensor.get_device_index()));
  return count;
}

Tensor decode(const Tensor& query, const Tensor& key_cache, const Tensor& value_cache, const Tensor& lengths, double scale) {
  const DeviceGuard guard(query.get_device_index());
  const bimodal::Problem problem = problem_of(query, key_cache, std::nullopt, false, scale);
  STD_TORCH_CHECK(problem.queries == 1, "Decoding wants one query per row.");
  STD_TORCH_CHECK(lengths.dim() == 1 && lengths.size(0) == problem.batch && lengths.scalar_type() == ScalarType::Long &&
                      lengths.is_contiguous() && lengths.get_device_index() == query.get_device_index(),
                  "Decoding wants contiguous int64 lengths [batch] on the query's device.");
  const Readable queries(query, query, problem.heads, 1);
  const Readable keys(key_cache, query, problem.kv_heads, problem.keys);
  const Readable values(value_cache, query, problem.kv_heads, problem.keys);
  Tensor out = torch::stable::empty({problem.batch, problem.heads, 1, problem.head_dim}, query.scalar_type(), std::nullopt,
                                    query.device());
  Tensor log_sum_exp = floats(query, problem.batch, problem.heads);
  const int splits =
      bimodal::decode_splits(problem.batch, problem.heads, problem.kv_heads, problem.keys, multiprocessors(query));
  Tensor partial_out = floats(query, splits > 1 ? splits : 0, problem.batch, problem.heads, problem.head_dim);
  Tensor partial_log_sum_exp = floats(query, splits > 1 ? splits : 0, problem.batch, problem.heads);
  bimodal::DecodeParams params{};
  params.dtype = problem.dtype;
  params.head_dim = problem.head_dim;
  params.batch = problem.batch;
  params.heads = problem.heads;
  params.kv_heads = problem.kv_heads;
  params.max_length = problem.keys;
  params.lengths = static_cast<const int64_t*>(lengths.const_data_ptr());
  params.scale = problem.scale;
  params.query = queries.view();
  params.key = keys.view();
  params.value = values.view();
  params.out = view_of<uint16_t>(out);
  params.log_sum_exp = data_of(log_sum_exp);
  params.splits = splits;
  params.partial_out = data_of(partial_out);
  params.partial_log_sum_exp = data_of(partial_log_sum_exp);
  check_launch(bimodal::launch_decode(params, current_stream(query)));
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(bimodal, CUDA, m) {
  m.impl("attention_forward", TORCH_BOX(&forward));
  m.impl("attention_backward", TORCH_BOX(&backward));
  m.impl("attention_decode", TORCH_BOX(&decode));
}
