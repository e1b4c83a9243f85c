// What the driver is given and gives back: a small binary file that Python writes (check/emulate.py has the other half).
//
// Little-endian. "BIMODAL1", int64 count of settings, settings (name[16], double), int64 count of tensors, tensors
// (name[24], int64 writable, bytes, offset, batch_stride, head_stride, row_stride, then `bytes` of content unless writable).
// Results: the content of the writable tensors, one after another.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../cuda/params.hpp"

namespace bimodal {

struct Tensor {
  std::unique_ptr<unsigned char, decltype(&std::free)> memory{nullptr, &std::free};  // of exactly `bytes`
  int64_t writable = 0, bytes = 0, offset = 0, batch_stride = 0, head_stride = 0, row_stride = 0;
};

struct CaseFile {
  std::map<std::string, double> settings;
  std::map<std::string, Tensor> tensors;
  std::vector<std::string> order;  // of the tensors in the file

  /// Throws std::runtime_error.
  static CaseFile read(const char* path);
  void write_results(const char* path) const;

  /// Throws std::out_of_range.
  int integer(const std::string& name) const { return static_cast<int>(settings.at(name)); }
  float number(const std::string& name) const { return static_cast<float>(settings.at(name)); }

  /// The first element of a dense tensor; null: there is none of this name.
  template <class Element>
  Element* dense(const std::string& name) const {
    const auto found = tensors.find(name);
    if (found == tensors.end()) return nullptr;
    return reinterpret_cast<Element*>(found->second.memory.get() + found->second.offset);
  }
  Input input(const std::string& name) const;
  Output output(const std::string& name) const;
  KeyPaddingMask mask() const;
};

}  // namespace bimodal
