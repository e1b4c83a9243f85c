// Launches attention, backward: D, then the pass for dK and dV, then the one for dQ.
#include "backward_key_value.cuh"
#include "backward_query.cuh"
#include "launch.hpp"
#include "launch_kernel.cuh"
#include "prim.cuh"

namespace bimodal {
namespace {

template <class Format, int HeadDim>
cudaError_t launch_row_dot(const BackwardParams& params, cudaStream_t stream) {
  using Tiling = RowDotTiling<HeadDim>;
  const Problem& problem = params.problem;
  const dim3 grid(blocks_for(problem.queries, Tiling::kQueries), static_cast<unsigned>(problem.heads),
                  static_cast<unsigned>(problem.batch));
  return launch_kernel(row_dot_kernel<Format, HeadDim>, grid, Tiling::kThreads, 0, stream, params);
}

template <class Format, int HeadDim>
cudaError_t launch_key_value_grad(const BackwardParams& params, cudaStream_t stream) {
  using Tiling = KeyValueGradTiling<HeadDim>;
  const Problem& problem = params.problem;
  const dim3 grid(blocks_for(problem.keys, Tiling::kKeys), static_cast<unsigned>(problem.kv_heads),
                  static_cast<unsigned>(problem.batch));
  const auto kernel =
      problem.causal ? key_value_grad_kernel<Format, HeadDim, true> : key_value_grad_kernel<Format, HeadDim, false>;
  return launch_kernel(kernel, grid, Tiling::kThreads, Tiling::kSharedBytes, stream, params);
}

template <class Format, int HeadDim>
cudaError_t launch_query_grad(const BackwardParams& params, cudaStream_t stream) {
  using Tiling = QueryGradTiling<HeadDim>;
  const Problem& problem = params.problem;
  const dim3 grid(blocks_for(problem.queries, Tiling::kQueries), static_cast<unsigned>(problem.heads),
                  static_cast<unsigned>(problem.batch));
  const auto kernel =
      problem.causal ? query_grad_kernel<Format, HeadDim, true> : query_grad_kernel<Format, HeadDim, false>;
  return launch_kernel(kernel, grid, Tiling::kThreads, Tiling::kSharedBytes, stream, params);
}

template <class Format, int HeadDim>
cudaError_t launch(const BackwardParams& params, cudaStream_t stream) {
  const Problem& problem = params.problem;
  if (problem.queries > 0) {
    const cudaError_t error = launch_row_dot<Format, HeadDim>(params, stream);
    if (error != cudaSuccess) return error;
  }
  if (problem.keys > 0) {  // without queries too: the gradients are then 0
    const cudaError_t error = launch_key_value_grad<Format, HeadDim>(params, stream);
    if (error != cudaSuccess) return error;
  }
  return problem.queries > 0 ? launch_query_grad<Format, HeadDim>(params, stream) : cudaSuccess;
}

template <class Format>
cudaError_t launch(const BackwardParams& params, cudaStream_t stream) {
  return params.problem.head_dim == 64 ? launch<Format, 64>(params, stream) : launch<Format, 128>(params, stream);
}

}  // namespace

cudaError_t launch_backward(const BackwardParams& params, cudaStream_t stream) {
  const Problem& problem = params.problem;
  if (const cudaError_t error = check_problem(problem); error != cudaSuccess) return error;
  if (problem.batch == 0 || problem.heads == 0) return cudaSuccess;
  if (const cudaError_t error =
          check_alignment(params.query, params.key, params.value, params.out, params.grad_out, params.grad_query,
                          params.grad_key, params.grad_value);
      error != cudaSuccess)
    return error;
  return problem.dtype == DType::kFloat16 ? launch<prim::Half>(params, stream)
                                          : launch<prim::BFloat16>(params, stream);
}

}  // namespace bimodal
