// The kernels' doors: check, choose the instantiation, launch on the given stream. No torch.
#pragma once
#include <cuda_runtime_api.h>

#include "decode_splits.hpp"
#include "params.hpp"

namespace bimodal {

// Each returns cudaSuccess, the launch's own error, or before any launch:
//   cudaErrorInvalidValue         a head_dim other than 64 and 128, a scale that is not positive and finite, or numbers of
//                                 heads that do not divide
//   cudaErrorMisalignedAddress    a tensor whose data or strides are not multiples of 16 bytes (View::is_aligned)
//   cudaErrorInvalidConfiguration more than 65535 heads or batch entries, or lengths of 2^30 and more

cudaError_t launch_forward(const ForwardParams& params, cudaStream_t stream);

cudaError_t launch_backward(const BackwardParams& params, cudaStream_t stream);

cudaError_t launch_decode(const DecodeParams& params, cudaStream_t stream);

}  // namespace bimodal
