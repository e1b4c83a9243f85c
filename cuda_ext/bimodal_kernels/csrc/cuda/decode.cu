// Launches decode: the splits, then their combination.
#include "decode.cuh"

#include "launch.hpp"
#include "launch_kernel.cuh"
#include "prim.cuh"

namespace bimodal {
namespace {

template <class Format, int HeadDim>
cudaError_t launch(const DecodeParams& params, cudaStream_t stream) {
  using Tiling = DecodeTiling<HeadDim>;
  const dim3 grid(static_cast<unsigned>(params.splits),
                  static_cast<unsigned>(decode_blocks_per_split(params.heads, params.kv_heads)),
                  static_cast<unsigned>(params.batch));
  const cudaError_t error =
      launch_kernel(decode_kernel<Format, HeadDim>, grid, Tiling::kThreads, Tiling::kSharedBytes, stream, params);
  if (error != cudaSuccess || params.splits == 1) return error;
  const dim3 rows(blocks_for(static_cast<int64_t>(params.batch) * params.heads, Tiling::kWarps));
  return launch_kernel(combine_kernel<Format, HeadDim>, rows, Tiling::kThreads, 0, stream, params);
}

template <class Format>
cudaError_t launch(const DecodeParams& params, cudaStream_t stream) {
  return params.head_dim == 64 ? launch<Format, 64>(params, stream) : launch<Format, 128>(params, stream);
}

}  // namespace

cudaError_t launch_decode(const DecodeParams& params, cudaStream_t stream) {
  if (const cudaError_t error = check_problem(params.head_dim, params.scale, params.batch, params.heads,
                                              params.kv_heads, {params.max_length, params.splits});
      error != cudaSuccess)
    return error;
  if (params.batch == 0 || params.heads == 0) return cudaSuccess;
  if (params.splits < 1 || (params.splits > 1 && !(params.partial_out && params.partial_log_sum_exp)))
    return cudaErrorInvalidValue;
  if (const cudaError_t error = check_alignment(params.query, params.key, params.value, params.out);
      error != cudaSuccess)
    return error;
  return params.dtype == DType::kFloat16 ? launch<prim::Half>(params, stream) : launch<prim::BFloat16>(params, stream);
}

}  // namespace bimodal
