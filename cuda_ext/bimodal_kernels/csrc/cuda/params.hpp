// What the kernels are told: pointers, sizes, strides. Plain C++, no CUDA and no torch, so that the kernels, the
// launchers, the torch binding and the emulator share it.
#pragma once
#include <cstdint>

#if defined(__CUDACC__)
#define BIMODAL_HOST_DEVICE __host__ __device__
#else
#define BIMODAL_HOST_DEVICE
#endif

namespace bimodal {

enum class DType : int { kFloat16 = 0, kBFloat16 = 1 };

/// A tensor [batch, head, row, head_dim] of 16-bit numbers whose last dimension is contiguous. Strides count elements
/// and are 64-bit: a cache of 2^31 elements is only 4 GiB.
///
/// The kernels move 16 bytes at a time, so `data` is 16-byte aligned and every stride a multiple of 8 (`is_aligned`);
/// the binding copies a tensor that is not. Strides of 0 (expanded tensors) are fine for what is only read.
template <class Element>
struct View {
  Element* data;
  int64_t batch_stride, head_stride, row_stride;

  BIMODAL_HOST_DEVICE Element* head(int batch, int head) const {
    return data + batch * batch_stride + head * head_stride;
  }

  bool is_aligned() const {
    return reinterpret_cast<uintptr_t>(data) % 16 == 0 && batch_stride % 8 == 0 && head_stride % 8 == 0 &&
           row_stride % 8 == 0;
  }
};

using Input = View<const uint16_t>;
using Output = View<uint16_t>;

/// Which keys of which batch entry exist: [batch, key], one byte each, 1 = keep; `data` null: all do.
struct KeyPaddingMask {
  const uint8_t* data;
  int64_t batch_stride;

  BIMODAL_HOST_DEVICE const uint8_t* row(int batch) const {
    return data ? data + batch * batch_stride : nullptr;
  }
};

/// What forward and backward are about: sizes, visibility and scale.
///
/// Key j is visible to query i iff the mask keeps it and, when causal, j <= i + keys - queries.
struct Problem {
  DType dtype;
  int head_dim;  // 64 or 128
  int batch, heads, kv_heads, queries, keys;
  bool causal;
  float scale;  // on the scores; positive and finite
  KeyPaddingMask key_padding_mask;

  BIMODAL_HOST_DEVICE int heads_per_kv_head() const { return heads / kv_heads; }
  BIMODAL_HOST_DEVICE int causal_offset() const { return keys - queries; }
};

struct ForwardParams {
  Problem problem;
  Input query;       // [batch, heads, queries, head_dim]
  Input key, value;  // [batch, kv_heads, keys, head_dim]
  Output out;        // like query
  float* log_sum_exp;  // [batch, heads, queries], dense; natural logarithm of the scaled scores' sum, -inf: saw nothing
};

struct BackwardParams {
  Problem problem;
  Input query, key, value, out, grad_out;
  const float* log_sum_exp;  // from the forward pass
  float* row_dot;            // workspace [batch, heads, queries], dense: sum over head_dim of out * grad_out
  Output grad_query;         // like query
  Output grad_key, grad_value;  // like key: summed over the query heads that share it
};

/// One query per batch entry against a cache of keys and values, cut into `splits` runs of keys that are reduced
/// independently and then combined.
struct DecodeParams {
  DType dtype;
  int head_dim;  // 64 or 128
  int batch, heads, kv_heads;
  int max_length;          // slots of the cache that may be filled; lengths above it are cut to it
  const int64_t* lengths;  // [batch]: how many slots are filled; null: max_length everywhere
  float scale;             // positive and finite
  KeyPaddingMask key_padding_mask;
  Input query;         // [batch, heads, 1, head_dim]
  Input key, value;    // [batch, kv_heads, capacity >= max_length, head_dim]
  Output out;          // like query
  float* log_sum_exp;  // [batch, heads], dense; null: not wanted
  int splits;          // see decode_splits.hpp; 1 needs no workspace
  float* partial_out;          // workspace [splits, batch, heads, head_dim], dense
  float* partial_log_sum_exp;  // workspace [splits, batch, heads], dense; base 2

  BIMODAL_HOST_DEVICE int heads_per_kv_head() const { return heads / kv_heads; }
};

}  // namespace bimodal
