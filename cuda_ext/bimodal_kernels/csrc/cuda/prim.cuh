// The machine: every instruction that C++ has no word for, each with a device body (PTX) and a host body (the emulator).
// No other file knows PTX, so the kernels compile unchanged for a GPU (nvcc) and for the emulator (g++).
//
// Source of the instructions and their register layouts: NVIDIA, PTX ISA 9.0, sec. 9.7.9.25 (cp.async), 9.7.14.5
// (mma.m16n8k16, ldmatrix); all of sm_80.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define BIMODAL_PRIMITIVE __device__ __forceinline__
#else
#include "../emulator/simt.hpp"
#define BIMODAL_PRIMITIVE inline
#endif

namespace bimodal::prim {

/// Tags of the two 16-bit formats that tensor cores multiply; elements travel as uint16_t, two to a 32-bit register.
struct Half {};
struct BFloat16 {};

constexpr int kWarp = 32;  // lanes

/// The block's dynamic shared memory, 256-byte aligned.
BIMODAL_PRIMITIVE unsigned char* shared_memory() {
#if defined(__CUDACC__)
  extern __shared__ __align__(256) unsigned char dynamic_shared_memory[];
  return dynamic_shared_memory;
#else
  return simt::shared_memory();
#endif
}

#if defined(__CUDACC__)
BIMODAL_PRIMITIVE uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
#else
inline const void* flip_address(const void* pointer, uint32_t flip) {
  return reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(pointer) ^ flip);
}
#endif

/// Loads four 8x8 matrices of 16-bit elements. Lane i names row i % 8 of matrix i / 8 (16 bytes, aligned); register m of
/// lane i receives elements 2 * (i % 4) and the next of row i / 4 of matrix m. The row is at `row` with the bits of `flip`
/// inverted in its address.
BIMODAL_PRIMITIVE void load_matrix_x4(uint32_t (&registers)[4], const void* row, uint32_t flip = 0) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(shared_address(row) ^ flip)
               : "memory");
#else
  simt::load_matrix_x4(registers, flip_address(row, flip), false);
#endif
}

/// As load_matrix_x4, each matrix transposed: lane i receives elements of column i / 4.
BIMODAL_PRIMITIVE void load_matrix_x4_transposed(uint32_t (&registers)[4], const void* row, uint32_t flip = 0) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(shared_address(row) ^ flip)
               : "memory");
#else
  simt::load_matrix_x4(registers, flip_address(row, flip), true);
#endif
}

/// d += a b on the tensor cores: a is 16x16, b 16x8, d 16x8 in fp32. The layout of the fragments: docs/kernels.md.
template <class Format>
BIMODAL_PRIMITIVE void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

template <>
BIMODAL_PRIMITIVE void mma<Half>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  simt::mma_m16n8k16(simt::Format::kHalf, d, a, b0, b1);
#endif
}

template <>
BIMODAL_PRIMITIVE void mma<BFloat16>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  simt::mma_m16n8k16(simt::Format::kBFloat16, d, a, b0, b1);
#endif
}

/// Starts to copy 16 bytes from global to shared memory, past the registers; writes zeros and reads nothing unless `valid`.
/// The bytes are there for this thread after wait_copies, for others after a barrier that follows it.
BIMODAL_PRIMITIVE void copy_async_16(void* shared, const void* global, bool valid) {
#if defined(__CUDACC__)
  const int bytes_read = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes_read)
               : "memory");
#else
  simt::copy_async_16(shared, global, valid);
#endif
}

/// Closes the group of copies that this thread has started since the last call (possibly none).
BIMODAL_PRIMITIVE void commit_copies() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  simt::commit_copies();
#endif
}

/// Waits until at most `Pending` of this thread's newest groups are still on their way.
template <int Pending>
BIMODAL_PRIMITIVE void wait_copies() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#else
  simt::wait_copies(Pending);
#endif
}

/// The value that the lane with number (own number XOR lane_mask) passed.
BIMODAL_PRIMITIVE float shuffle_xor(float value, int lane_mask) {
#if defined(__CUDACC__)
  return __shfl_xor_sync(0xffffffffu, value, lane_mask);
#else
  return simt::shuffle_xor(value, lane_mask);
#endif
}

/// Bit i: what lane i passed.
BIMODAL_PRIMITIVE uint32_t ballot(bool predicate) {
#if defined(__CUDACC__)
  return __ballot_sync(0xffffffffu, predicate);
#else
  return simt::ballot(predicate);
#endif
}

/// 2^x to about 2 units in the last place; 0 for -inf, subnormal results flushed to 0.
BIMODAL_PRIMITIVE float exp2(float x) {
#if defined(__CUDACC__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return ::exp2f(x);
#endif
}

/// Binary logarithm to about 2^-22 absolute.
BIMODAL_PRIMITIVE float log2(float x) {
#if defined(__CUDACC__)
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return ::log2f(x);
#endif
}

/// Rounds two numbers to the nearest 16-bit ones; `low` takes the lower half of the register (the lower address).
template <class Format>
BIMODAL_PRIMITIVE uint32_t pack(float low, float high);

template <>
BIMODAL_PRIMITIVE uint32_t pack<Half>(float low, float high) {
#if defined(__CUDACC__)
  uint32_t packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return simt::to_half(low) | static_cast<uint32_t>(simt::to_half(high)) << 16;
#endif
}

template <>
BIMODAL_PRIMITIVE uint32_t pack<BFloat16>(float low, float high) {
#if defined(__CUDACC__)
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return simt::to_bfloat16(low) | static_cast<uint32_t>(simt::to_bfloat16(high)) << 16;
#endif
}

struct Pair {
  float low, high;
};

/// The two numbers of a register; exact.
template <class Format>
BIMODAL_PRIMITIVE Pair unpack(uint32_t packed);

template <>
BIMODAL_PRIMITIVE Pair unpack<Half>(uint32_t packed) {
#if defined(__CUDACC__)
  Pair pair;
  asm("{\n .reg .b16 low, high;\n mov.b32 {low, high}, %2;\n cvt.f32.f16 %0, low;\n cvt.f32.f16 %1, high;\n}"
      : "=f"(pair.low), "=f"(pair.high)
      : "r"(packed));
  return pair;
#else
  return {simt::from_half(static_cast<uint16_t>(packed)), simt::from_half(static_cast<uint16_t>(packed >> 16))};
#endif
}

template <>
BIMODAL_PRIMITIVE Pair unpack<BFloat16>(uint32_t packed) {
#if defined(__CUDACC__)
  return {__uint_as_float(packed << 16), __uint_as_float(packed & 0xffff0000u)};
#else
  return {simt::from_bfloat16(static_cast<uint16_t>(packed)), simt::from_bfloat16(static_cast<uint16_t>(packed >> 16))};
#endif
}

}  // namespace bimodal::prim
