#include "case_file.hpp"

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace bimodal {
namespace {

template <class Number>
Number read_number(std::ifstream& file) {
  Number number{};
  file.read(reinterpret_cast<char*>(&number), sizeof number);
  return number;
}

std::string read_name(std::ifstream& file, size_t bytes) {
  std::string name(bytes, '\0');
  file.read(name.data(), static_cast<std::streamsize>(bytes));
  return name.c_str();
}

Tensor read_tensor(std::ifstream& file) {
  constexpr unsigned char kNaN = 0xff;  // in all formats: what a kernel does not write is not a number
  Tensor tensor;
  for (int64_t* field : {&tensor.writable, &tensor.bytes, &tensor.offset, &tensor.batch_stride, &tensor.head_stride,
                         &tensor.row_stride})
    *field = read_number<int64_t>(file);
  if (!file || tensor.bytes < 0) throw std::runtime_error("case file is cut short");
  void* memory = nullptr;
  // malloc would do but for the alignment; the size is exact, so that AddressSanitizer sees every overrun.
  if (posix_memalign(&memory, 64, static_cast<size_t>(tensor.bytes ? tensor.bytes : 1)) != 0) throw std::bad_alloc();
  tensor.memory.reset(static_cast<unsigned char*>(memory));
  if (tensor.writable)
    std::memset(memory, kNaN, static_cast<size_t>(tensor.bytes));
  else
    file.read(static_cast<char*>(memory), tensor.bytes);
  return tensor;
}

}  // namespace

CaseFile CaseFile::read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || read_name(file, 8) != "BIMODAL1") throw std::runtime_error("not a case file");
  CaseFile result;
  for (auto left = read_number<int64_t>(file); left > 0; left--) {
    const std::string name = read_name(file, 16);
    result.settings[name] = read_number<double>(file);
  }
  for (auto left = read_number<int64_t>(file); left > 0; left--) {
    const std::string name = read_name(file, 24);
    result.order.push_back(name);
    result.tensors[name] = read_tensor(file);
  }
  if (!file) throw std::runtime_error("case file is cut short");
  return result;
}

void CaseFile::write_results(const char* path) const {
  std::ofstream file(path, std::ios::binary);
  for (const std::string& name : order) {
    const Tensor& tensor = tensors.at(name);
    if (tensor.writable) file.write(reinterpret_cast<const char*>(tensor.memory.get()), tensor.bytes);
  }
  file.flush();
  if (!file) throw std::runtime_error("cannot write the results");
}

Input CaseFile::input(const std::string& name) const {
  const Tensor& tensor = tensors.at(name);
  return {dense<const uint16_t>(name), tensor.batch_stride, tensor.head_stride, tensor.row_stride};
}

Output CaseFile::output(const std::string& name) const {
  const Tensor& tensor = tensors.at(name);
  return {dense<uint16_t>(name), tensor.batch_stride, tensor.head_stride, tensor.row_stride};
}

KeyPaddingMask CaseFile::mask() const {
  const auto found = tensors.find("mask");
  if (found == tensors.end()) return {nullptr, 0};
  return {dense<const uint8_t>("mask"), found->second.batch_stride};
}

}  // namespace bimodal
