#include "call.hpp"

#include "../cuda/launch.hpp"

namespace bimodal {
namespace {

Problem read_problem(const CaseFile& file) {
  return {static_cast<DType>(file.integer("dtype")),
          file.integer("head_dim"),
          file.integer("batch"),
          file.integer("heads"),
          file.integer("kv_heads"),
          file.integer("queries"),
          file.integer("keys"),
          file.integer("causal") != 0,
          file.number("scale"),
          file.mask()};
}

cudaError_t call_forward(const CaseFile& file) {
  return launch_forward({read_problem(file), file.input("query"), file.input("key"), file.input("value"),
                         file.output("out"), file.dense<float>("log_sum_exp")},
                        nullptr);
}

cudaError_t call_backward(const CaseFile& file) {
  return launch_backward({read_problem(file), file.input("query"), file.input("key"), file.input("value"),
                          file.input("out"), file.input("grad_out"), file.dense<const float>("log_sum_exp"),
                          file.dense<float>("row_dot"), file.output("grad_query"), file.output("grad_key"),
                          file.output("grad_value")},
                         nullptr);
}

cudaError_t call_decode(const CaseFile& file) {
  const Problem problem = read_problem(file);
  return launch_decode({problem.dtype,
                        problem.head_dim,
                        problem.batch,
                        problem.heads,
                        problem.kv_heads,
                        problem.keys,
                        file.dense<const int64_t>("lengths"),
                        problem.scale,
                        problem.key_padding_mask,
                        file.input("query"),
                        file.input("key"),
                        file.input("value"),
                        file.output("out"),
                        file.dense<float>("log_sum_exp"),
                        file.integer("splits"),
                        file.dense<float>("partial_out"),
                        file.dense<float>("partial_log_sum_exp")},
                       nullptr);
}

}  // namespace

cudaError_t call(const CaseFile& file) {
  switch (file.integer("op")) {
    case 0: return call_forward(file);
    case 1: return call_decode(file);
    case 2: return call_backward(file);
    default: return cudaErrorInvalidValue;
  }
}

}  // namespace bimodal
