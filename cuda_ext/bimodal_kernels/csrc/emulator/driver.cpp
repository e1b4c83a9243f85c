// The emulator as a program: `driver CASE RESULTS SCHEDULE` runs one case under one schedule.
//
// Counters go to stdout as one line of JSON; reports of what was found to stderr. A program of its own, because the
// sanitizers want to be loaded first, and because a kernel that crashes must not take the checker along.
// Exit status: 0 ran (look at the counters), 1 launch refused or the kernel was stuck, 2 case unreadable.
#include <cstdio>
#include <exception>

#include "../cuda/launch.hpp"
#include "case_file.hpp"
#include "simt.hpp"

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

cudaError_t run_forward(const CaseFile& file) {
  return launch_forward({read_problem(file), file.input("query"), file.input("key"), file.input("value"),
                         file.output("out"), file.dense<float>("log_sum_exp")},
                        nullptr);
}

cudaError_t run_decode(const CaseFile& file) {
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

cudaError_t run_case(const CaseFile& file) {
  switch (file.integer("op")) {
    case 0: return run_forward(file);
    case 1: return run_decode(file);
    default: return cudaErrorInvalidValue;
  }
}

void print_counters(cudaError_t error, bool stuck) {
  const simt::Counters& found = simt::counters;
  std::printf(
      "{\"error\": %d, \"stuck\": %d, \"races\": %ld, \"global_races\": %ld, \"uninitialised\": %ld, \"unwaited\": %ld, "
      "\"misaligned\": %ld, \"out_of_bounds\": %ld, \"divergent\": %ld, \"deadlocks\": %ld, \"bank_conflicts\": %ld, "
      "\"mma\": %ld}\n",
      static_cast<int>(error), stuck, found.races, found.global_races, found.uninitialised, found.unwaited,
      found.misaligned, found.out_of_bounds, found.divergent, found.deadlocks, found.bank_conflicts, found.mma);
}

int main(const char* case_path, const char* results_path, int schedule) {
  const CaseFile file = CaseFile::read(case_path);
  simt::schedule = {(schedule & 1) != 0, (schedule & 2) != 0, (schedule & 2) != 0};
#if defined(BIMODAL_WATCH)
  for (const auto& [name, tensor] : file.tensors)
    if (tensor.writable) simt::watch_global(tensor.memory.get(), static_cast<size_t>(tensor.bytes));
#endif
  cudaError_t error = cudaSuccess;
  bool stuck = false;
  try {
    error = run_case(file);
  } catch (const simt::Stuck&) {
    stuck = true;
  }
  print_counters(error, stuck);
  file.write_results(results_path);
  return error != cudaSuccess || stuck;
}

}  // namespace
}  // namespace bimodal

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: %s CASE RESULTS SCHEDULE (0 to 3)\n", arguments[0]);
    return 2;
  }
  try {
    return bimodal::main(arguments[1], arguments[2], std::atoi(arguments[3]));
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "%s: %s\n", arguments[1], problem.what());
    return 2;
  }
}
