// Rows of a tensor as the kernels want them: fp32, dense, head_dim a multiple of W.
//
// fp32 tensors whose head_dim is such a multiple are used where they lie. Others (bf16, odd head_dim) are copied into
// scratch, widened and padded with zeros, which change no product, and results are copied back. Keys and values
// are copied once for all queries of a head, so that the copy is small beside the products.
#pragma once

#include <algorithm>

#include "attention.hpp"
#include "simd.hpp"

namespace bimodal::native {

struct Rows {
  float* data;
  int64_t stride;
};

inline int64_t padded_head_dim(const Shape& shape) { return (shape.head_dim + W - 1) / W * W; }

inline bool used_in_place(const Shape& shape, Storage storage) {
  return storage == Storage::float32 && shape.head_dim % W == 0;
}

// Element [b, h, position, 0].
template <class T>
T* row_pointer(const Heads& tensor, int64_t b, int64_t h, int64_t position) {
  return static_cast<T*>(tensor.data) + b * tensor.batch_stride + h * tensor.head_stride + position * tensor.row_stride;
}

template <class T>
void copy_rows_in(const T* source, int64_t source_stride, int64_t count, int64_t head_dim, const Rows& to) {
  const int64_t whole = head_dim / W * W;
  for (int64_t r = 0; r < count; r++) {
    const T* from = source + r * source_stride;
    float* row = to.data + r * to.stride;
    for (int64_t d = 0; d < whole; d += W) store(row + d, load(from + d));
    if (whole < head_dim) {
      T tail[W] = {};
      std::copy(from + whole, from + head_dim, tail);
      store(row + whole, load(tail));
    }
  }
}

template <class T>
void copy_rows_out(const Rows& rows, int64_t count, int64_t head_dim, T* target, int64_t target_stride) {
  const int64_t whole = head_dim / W * W;
  for (int64_t r = 0; r < count; r++) {
    T* to = target + r * target_stride;
    const float* row = rows.data + r * rows.stride;
    for (int64_t d = 0; d < whole; d += W) store(to + d, load(row + d));
    if (whole < head_dim) {
      T tail[W];
      store(tail, load(row + whole));
      std::copy(tail, tail + (head_dim - whole), to + whole);
    }
  }
}

// Rows [first, first + count) of a head, to be read; `copy` has room for count * padded_head_dim floats.
inline Rows rows_to_read(const Heads& tensor, const Shape& shape, Storage storage, int64_t b, int64_t h, int64_t first,
                         int64_t count, float* copy) {
  if (used_in_place(shape, storage)) return {row_pointer<float>(tensor, b, h, first), tensor.row_stride};
  const Rows rows{copy, padded_head_dim(shape)};
  if (storage == Storage::float32) {
    copy_rows_in(row_pointer<float>(tensor, b, h, first), tensor.row_stride, count, shape.head_dim, rows);
  } else {
    copy_rows_in(row_pointer<BFloat16>(tensor, b, h, first), tensor.row_stride, count, shape.head_dim, rows);
  }
  return rows;
}

// Where to write such rows; call rows_written when they are complete.
inline Rows rows_to_write(const Heads& tensor, const Shape& shape, Storage storage, int64_t b, int64_t h, int64_t first,
                          float* copy) {
  if (used_in_place(shape, storage)) return {row_pointer<float>(tensor, b, h, first), tensor.row_stride};
  return {copy, padded_head_dim(shape)};
}

inline void copy_rows_out(const Rows& rows, const Heads& tensor, const Shape& shape, Storage storage, int64_t b, int64_t h,
                          int64_t first, int64_t count) {
  if (storage == Storage::float32) {
    copy_rows_out(rows, count, shape.head_dim, row_pointer<float>(tensor, b, h, first), tensor.row_stride);
  } else {
    copy_rows_out(rows, count, shape.head_dim, row_pointer<BFloat16>(tensor, b, h, first), tensor.row_stride);
  }
}

inline void rows_written(const Rows& rows, const Heads& tensor, const Shape& shape, Storage storage, int64_t b, int64_t h,
                         int64_t first, int64_t count) {
  if (!used_in_place(shape, storage)) copy_rows_out(rows, tensor, shape, storage, b, h, first, count);
}

inline void zero_rows(const Rows& rows, int64_t from, int64_t to, int64_t head_dim) {
  for (int64_t r = from; r < to; r++) std::fill_n(rows.data + r * rows.stride, head_dim, 0.0f);
}

}  // namespace bimodal::native
