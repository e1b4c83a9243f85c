// The native kernels without torch, for sanitizers and for other instruction sets than this machine's.
//
// Reads problems from standard input, one a line:
//   batch heads kv_heads queries keys head_dim causal(0/1) mask(none/ragged/holes/empty) storage(float32/bfloat16) threads
// and runs forward, backward and (for one query) decode on tensors that end where their memory ends, with outputs
// that start as NaN; then sub-layers of its own choice. Prints a line for each result that differs from the definition, in double, by
// more than the bound.
// Exit status: 0 all is well, 1 something differs, 2 a line cannot be read.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "../attention.hpp"
#include "definition.hpp"
#include "sublayers.hpp"

namespace {

using namespace bimodal::native;

Pool thread_pool(int threads) {
  static int count;
  count = threads;
  return {[](int64_t n, Pool::Range range, void* context) {
            std::vector<std::thread> started;
            for (int t = 0; t < count; t++) started.emplace_back(range, n * t / count, n * (t + 1) / count, context);
            for (std::thread& thread : started) thread.join();
          },
          threads};
}

struct Problem {
  Shape shape;
  bool causal;
  std::string mask, storage;
  int threads;
};

std::vector<char> draw_mask(const Problem& problem, std::mt19937& random) {
  const Shape& s = problem.shape;
  std::vector<char> keep(problem.mask == "none" ? 0 : s.batch * s.keys, 1);
  for (int64_t b = 0; b < s.batch && !keep.empty(); b++) {
    const int64_t length = problem.mask == "empty" && b + 1 == s.batch ? 0 : s.keys / 2 + random() % (s.keys - s.keys / 2 + 1);
    for (int64_t j = 0; j < s.keys; j++) keep[b * s.keys + j] = problem.mask == "holes" ? random() % 4 != 0 : j < length;
  }
  return keep;
}

// Prints and counts what is further from the truth than `bound`, relative to the largest true value (at least 1).
int differs(const Problem& problem, const char* name, const std::vector<double>& got, const std::vector<double>& want, double bound) {
  double largest = 1, error = 0;
  for (double x : want) largest = std::isinf(x) ? largest : std::max(largest, std::abs(x));
  for (size_t i = 0; i < want.size(); i++) {
    const double difference = got[i] == want[i] ? 0 : std::abs(got[i] - want[i]);
    if (!(difference <= error)) error = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
  }
  if (error <= bound * largest) return 0;
  const Shape& s = problem.shape;
  std::printf("%ld x %ld/%ld heads, %ld queries, %ld keys, head_dim %ld, causal %d, mask %s, %s, %d threads: %s is off by %.2g > %.2g\n",
              long(s.batch), long(s.heads), long(s.kv_heads), long(s.queries), long(s.keys), long(s.head_dim), problem.causal,
              problem.mask.c_str(), problem.storage.c_str(), problem.threads, name, error / largest, bound);
  return 1;
}

int run(const Problem& problem) {
  const Shape& s = problem.shape;
  const Storage storage = problem.storage == "float32" ? Storage::float32 : Storage::bfloat16;
  const double bound = storage == Storage::float32 ? 4e-6 : 1.6e-2;
  std::mt19937 random(static_cast<unsigned>(s.queries * 1000003 + s.keys * 1009 + s.head_dim));
  Tensor query(s.batch, s.heads, s.queries, s.head_dim, storage), key(s.batch, s.kv_heads, s.keys, s.head_dim, storage);
  Tensor value = key, out = query, grad_out = query, grad_query = query, grad_key = key, grad_value = key;
  for (Tensor* tensor : {&query, &key, &value, &grad_out}) tensor->fill_normal(random);
  const std::vector<char> mask = draw_mask(problem, random);
  const bool* keep = mask.empty() ? nullptr : reinterpret_cast<const bool*>(mask.data());
  std::vector<float> log_sum_exp(s.batch * s.heads * s.queries, std::numeric_limits<float>::quiet_NaN());
  const float scale = 1 / std::sqrt(static_cast<float>(s.head_dim));
  const Pool pool = thread_pool(problem.threads);

  attention_forward({s, storage, query.heads(), key.heads(), value.heads(), out.heads(), log_sum_exp.data(), keep, problem.causal, scale}, pool);
  attention_backward({s, storage, grad_out.heads(), query.heads(), key.heads(), value.heads(), out.heads(), grad_query.heads(),
                      grad_key.heads(), grad_value.heads(), log_sum_exp.data(), keep, problem.causal, scale},
                     pool);
  const Definition truth = define(s, query, key, value, grad_out, keep, problem.causal, scale);
  int faults = differs(problem, "out", out.values(), truth.out, bound) +
               differs(problem, "log_sum_exp", {log_sum_exp.begin(), log_sum_exp.end()}, truth.log_sum_exp, 4e-6) +
               differs(problem, "grad_query", grad_query.values(), truth.grad_query, bound) +
               differs(problem, "grad_key", grad_key.values(), truth.grad_key, bound) +
               differs(problem, "grad_value", grad_value.values(), truth.grad_value, bound);
  if (s.queries == 1 && problem.mask != "holes") {
    std::vector<int64_t> lengths(s.batch, s.keys);
    for (int64_t b = 0; b < s.batch && keep; b++) lengths[b] = std::count(keep + b * s.keys, keep + (b + 1) * s.keys, true);
    Tensor decoded = query;
    attention_decode({s, storage, query.heads(), key.heads(), value.heads(), decoded.heads(), lengths.data(), scale}, pool);
    faults += differs(problem, "decoded", decoded.values(), truth.out, bound);
  }
  return faults;
}

}  // namespace

int main() {
  int faults = 0, problems = 0;
  for (std::string line; std::getline(std::cin, line); problems++) {
    Problem p;
    std::istringstream words(line);
    words >> p.shape.batch >> p.shape.heads >> p.shape.kv_heads >> p.shape.queries >> p.shape.keys >> p.shape.head_dim >> p.causal >>
        p.mask >> p.storage >> p.threads;
    if (!words) {
      std::fprintf(stderr, "line %d cannot be read: %s\n", problems + 1, line.c_str());
      return 2;
    }
    faults += run(p);
  }
  for (int threads : {1, 3}) faults += sublayer_faults(thread_pool(threads));
  std::printf("%d problems\n", problems);
  return faults ? 1 : 0;
}
