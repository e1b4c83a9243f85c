// Launches attention, forward.
#include "forward.cuh"

#include "launch.hpp"
#include "launch_kernel.cuh"
#include "prim.cuh"

namespace bimodal {
namespace {

template <class Format, int HeadDim>
cudaError_t launch(const ForwardParams& params, cudaStream_t stream) {
  using Tiling = ForwardTiling<HeadDim>;
  const Problem& problem = params.problem;
  const dim3 grid(blocks_for(problem.queries, Tiling::kQueries), static_cast<unsigned>(problem.heads),
                  static_cast<unsigned>(problem.batch));
  const auto kernel =
      problem.causal ? forward_kernel<Format, HeadDim, true> : forward_kernel<Format, HeadDim, false>;
  return launch_kernel(kernel, grid, Tiling::kThreads, Tiling::kSharedBytes, stream, params);
}

template <class Format>
cudaError_t launch(const ForwardParams& params, cudaStream_t stream) {
  return params.problem.head_dim == 64 ? launch<Format, 64>(params, stream) : launch<Format, 128>(params, stream);
}

}  // namespace

cudaError_t launch_forward(const ForwardParams& params, cudaStream_t stream) {
  const Problem& problem = params.problem;
  if (const cudaError_t error = check_problem(problem); error != cudaSuccess) return error;
  if (problem.batch == 0 || problem.heads == 0 || problem.queries == 0) return cudaSuccess;
  if (const cudaError_t error = check_alignment(params.query, params.key, params.value, params.out);
      error != cudaSuccess)
    return error;
  return problem.dtype == DType::kFloat16 ? launch<prim::Half>(params, stream)
                                          : launch<prim::BFloat16>(params, stream);
}

}  // namespace bimodal
