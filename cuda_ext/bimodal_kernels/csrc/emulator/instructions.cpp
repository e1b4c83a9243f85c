// The instructions of prim.cuh. Those of a whole warp are executed by the lane that arrives last, for all lanes at once.
#include <cstdio>
#include <cstring>

#include "machine.hpp"

namespace bimodal::simt {
namespace {

/// A kernel that went wrong for good: the scheduler gives up.
void give_up() {
  machine.stuck = true;
  Fiber::yield();
}

/// Waits until all lanes of the warp are here; the last one executes `all_lanes(warp)`. `arguments` stays on the lane's own
/// stack, where the last one reads and writes it.
template <class AllLanes>
void warp_instruction(const char* name, void* arguments, const AllLanes& all_lanes) {
  Thread& thread = *machine.running;
  Warp& warp = machine.warp(thread);
  thread.at = name;
  if (warp.arrived > 0 && std::strcmp(warp.instruction, name) != 0) {
    counters.divergent++;
    std::fprintf(stderr, "divergence: thread %d at %s, its warp at %s\n", machine.number(thread), name,
                 warp.instruction);
    give_up();
  }
  warp.instruction = name;
  warp.arguments[machine.lane(thread)] = arguments;
  if (++warp.arrived == kLanes) {
    all_lanes(warp);
    warp.arrived = 0;
    warp.instructions_done++;
    return;
  }
  thread.waits_for = warp.instructions_done;
  thread.state = State::kAtWarpInstruction;
  Fiber::yield();
}

/// The lane's arguments, as the type they were passed with.
template <class Arguments>
Arguments& of_lane(Warp& warp, int lane) {
  return *static_cast<Arguments*>(warp.arguments[lane]);
}

Thread& thread_of(const Warp& warp, int lane) {
  return machine.threads[static_cast<size_t>(&warp - machine.warps.data()) * kLanes + static_cast<size_t>(lane)];
}

bool is_aligned(const void* pointer) {
  if (reinterpret_cast<uintptr_t>(pointer) % 16 == 0) return true;
  if (counters.misaligned++ == 0) std::fprintf(stderr, "misaligned: %s\n", machine.running->at);
  return false;
}

bool in_shared_memory(const void* pointer) {
  const size_t offset = static_cast<size_t>(static_cast<const unsigned char*>(pointer) - machine.shared);
  if (offset < machine.shared_bytes && offset + 16 <= machine.shared_bytes) return true;
  if (counters.out_of_bounds++ == 0)
    std::fprintf(stderr, "out of bounds: %s at shared memory %+lld of %zu bytes\n", machine.running->at,
                 static_cast<long long>(offset), machine.shared_bytes);
  return false;
}

void watch(const Thread& thread, const void* address, Access kind) {
  if (machine.watching) machine.shared_shadow.access(machine.accessor(thread), address, 16, kind);
}

/// Extra passes for 8 rows of 16 bytes: different rows whose addresses share the same 4 of the 32 banks.
int extra_passes(const void* const (&rows)[8]) {
  int most = 1;
  for (int i = 0; i < 8; i++) {
    int same_banks = 1;
    for (int j = 0; j < i; j++) {
      const auto a = reinterpret_cast<uintptr_t>(rows[i]), b = reinterpret_cast<uintptr_t>(rows[j]);
      if (a != b && a / 16 % 8 == b / 16 % 8) same_banks++;
    }
    if (same_banks > most) most = same_banks;
  }
  return most - 1;
}

float from_bits(Format format, uint32_t bits) {
  return format == Format::kHalf ? from_half(static_cast<uint16_t>(bits)) : from_bfloat16(static_cast<uint16_t>(bits));
}

void land(const Thread& thread, const Copy& copy) {
  if (copy.valid)
    std::memcpy(copy.shared, copy.global, 16);
  else
    std::memset(copy.shared, 0, 16);
  watch(thread, copy.shared, Access::kCopyLands);
}

}  // namespace

unsigned char* shared_memory() { return machine.shared; }

void load_matrix_x4(uint32_t (&registers)[4], const void* row, bool transposed) {
  struct Arguments {
    uint32_t (&registers)[4];
    const void* row;
  } arguments{registers, row};
  warp_instruction(transposed ? "ldmatrix.trans" : "ldmatrix", &arguments, [transposed](Warp& warp) {
    uint16_t matrices[4][8][8] = {};
    for (int m = 0; m < 4; m++) {
      const void* rows[8];
      for (int i = 0; i < 8; i++) {
        rows[i] = of_lane<Arguments>(warp, m * 8 + i).row;
        if (!is_aligned(rows[i]) || !in_shared_memory(rows[i])) continue;
        watch(thread_of(warp, m * 8 + i), rows[i], Access::kRead);
        std::memcpy(matrices[m][i], rows[i], 16);
      }
      const int extra = extra_passes(rows);
      if (extra > 0 && counters.bank_conflicts == 0)
        std::fprintf(stderr, "bank conflict: ldmatrix needs %d passes for 8 rows\n", extra + 1);
      counters.bank_conflicts += extra;
    }
    for (int lane = 0; lane < kLanes; lane++)
      for (int m = 0; m < 4; m++) {
        const int row = lane / 4, column = lane % 4 * 2;
        const uint16_t low = transposed ? matrices[m][column][row] : matrices[m][row][column];
        const uint16_t high = transposed ? matrices[m][column + 1][row] : matrices[m][row][column + 1];
        of_lane<Arguments>(warp, lane).registers[m] = low | static_cast<uint32_t>(high) << 16;
      }
  });
}

void mma_m16n8k16(Format format, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Arguments {
    float (&d)[4];
    const uint32_t (&a)[4];
    uint32_t b[2];
  } arguments{d, a, {b0, b1}};
  warp_instruction(format == Format::kHalf ? "mma.f16" : "mma.bf16", &arguments, [format](Warp& warp) {
    counters.mma++;
    float left[16][16], right[16][8], sums[16][8];
    for (int lane = 0; lane < kLanes; lane++) {
      const Arguments& own = of_lane<Arguments>(warp, lane);
      const int group = lane / 4, pair = lane % 4 * 2;
      for (int r = 0; r < 4; r++)
        for (int half = 0; half < 2; half++)
          left[group + r % 2 * 8][pair + r / 2 * 8 + half] = from_bits(format, own.a[r] >> (16 * half));
      for (int r = 0; r < 2; r++)
        for (int half = 0; half < 2; half++)
          right[pair + r * 8 + half][group] = from_bits(format, own.b[r] >> (16 * half));
      for (int e = 0; e < 4; e++) sums[group + e / 2 * 8][pair + e % 2] = own.d[e];
    }
    for (int row = 0; row < 16; row++)
      for (int k = 0; k < 16; k++)
        for (int column = 0; column < 8; column++) sums[row][column] += left[row][k] * right[k][column];
    for (int lane = 0; lane < kLanes; lane++)
      for (int e = 0; e < 4; e++)
        of_lane<Arguments>(warp, lane).d[e] = sums[lane / 4 + e / 2 * 8][lane % 4 * 2 + e % 2];
  });
}

void copy_async_16(void* shared, const void* global, bool valid) {
  Thread& thread = *machine.running;
  thread.at = "cp.async";
  if (!is_aligned(shared) || !is_aligned(global) || !in_shared_memory(shared)) return;
  if (valid) {  // an address that may not be read faults here, not at the wait
    volatile char end = static_cast<const volatile char*>(global)[0];
    end = static_cast<const volatile char*>(global)[15];
    static_cast<void>(end);
  }
  watch(thread, shared, Access::kCopyStarts);
  const Copy copy{shared, global, valid};
  if (schedule.copies_land_early) {  // the bytes are there, but nobody may rely on it
    if (valid)
      std::memcpy(shared, global, 16);
    else
      std::memset(shared, 0, 16);
  }
  thread.copies.open.push_back(copy);
}

void commit_copies() {
  Copies& copies = machine.running->copies;
  copies.groups.push_back(std::move(copies.open));
  copies.open.clear();
}

void wait_copies(int pending) {
  auto& groups = machine.running->copies.groups;
  while (groups.size() > static_cast<size_t>(pending)) {
    for (const Copy& copy : groups.front()) land(*machine.running, copy);
    groups.pop_front();
  }
}

float shuffle_xor(float value, int lane_mask) {
  struct Arguments {
    float value, received;
  } arguments{value, 0.f};
  warp_instruction("shfl.bfly", &arguments, [lane_mask](Warp& warp) {
    for (int lane = 0; lane < kLanes; lane++)
      of_lane<Arguments>(warp, lane).received = of_lane<Arguments>(warp, lane ^ lane_mask).value;
  });
  return arguments.received;
}

uint32_t ballot(bool predicate) {
  struct Arguments {
    bool predicate;
    uint32_t votes;
  } arguments{predicate, 0};
  warp_instruction("vote.ballot", &arguments, [](Warp& warp) {
    uint32_t votes = 0;
    for (int lane = 0; lane < kLanes; lane++)
      votes |= static_cast<uint32_t>(of_lane<Arguments>(warp, lane).predicate) << lane;
    for (int lane = 0; lane < kLanes; lane++) of_lane<Arguments>(warp, lane).votes = votes;
  });
  return arguments.votes;
}

void warp_barrier() {
  warp_instruction("__syncwarp", nullptr, [](Warp& warp) { warp.barriers_passed++; });
}

void barrier(const char* file, int line) {
  Thread& thread = *machine.running;
  thread.at = "__syncthreads";
  if (machine.at_barrier > 0 && (machine.barrier_line != line || std::strcmp(machine.barrier_file, file) != 0)) {
    counters.divergent++;
    std::fprintf(stderr, "divergence: thread %d at the barrier of %s:%d, its block at that of %s:%d\n",
                 machine.number(thread), file, line, machine.barrier_file, machine.barrier_line);
    give_up();
  }
  machine.barrier_file = file;
  machine.barrier_line = line;
  thread.waits_for = machine.barriers_passed;
  machine.at_barrier++;
  if (machine.release_barrier_if_complete()) return;
  thread.state = State::kAtBarrier;
  Fiber::yield();
}

}  // namespace bimodal::simt
