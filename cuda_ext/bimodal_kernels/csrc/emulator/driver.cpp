// The emulator as a program: `driver CASE RESULTS SCHEDULE` runs one case under one schedule.
//
// Counters go to stdout as one line of JSON; reports of what was found to stderr. A program of its own, because the
// sanitizers want to be loaded first, and because a kernel that crashes must not take the checker along.
// Exit status: 0 ran (look at the counters), 1 launch refused or the kernel was stuck, 2 case unreadable.
#include <cstdio>
#include <exception>

#include "call.hpp"
#include "simt.hpp"

namespace bimodal {
namespace {

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
    error = call(file);
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
