// Where -fsanitize=thread sends every load and store of the kernels: instead of that sanitizer's own runtime (which knows
// nothing of GPU barriers), these few functions are linked. Only the kernels are compiled with it, nothing else.
#include "simt.hpp"

using bimodal::simt::on_access;

extern "C" {
#define BIMODAL_HOOKS(bytes)                                                                              \
  void __tsan_read##bytes(void* address) { on_access(address, bytes, false); }                            \
  void __tsan_write##bytes(void* address) { on_access(address, bytes, true); }                            \
  void __tsan_unaligned_read##bytes(void* address) { on_access(address, bytes, false); }                  \
  void __tsan_unaligned_write##bytes(void* address) { on_access(address, bytes, true); }
BIMODAL_HOOKS(1)
BIMODAL_HOOKS(2)
BIMODAL_HOOKS(4)
BIMODAL_HOOKS(8)
BIMODAL_HOOKS(16)
void __tsan_read_range(void* address, size_t bytes) { on_access(address, bytes, false); }
void __tsan_write_range(void* address, size_t bytes) { on_access(address, bytes, true); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
void __tsan_vptr_read(void*) {}
void __tsan_vptr_update(void*, void*) {}
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  on_access(from, bytes, false);
  on_access(to, bytes, true);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  on_access(to, bytes, true);
  return std::memset(to, value, bytes);
}
}
