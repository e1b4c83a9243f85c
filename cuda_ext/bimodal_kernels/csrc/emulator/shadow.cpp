#include "shadow.hpp"

#include <algorithm>
#include <cstdio>

#include "simt.hpp"

namespace bimodal::simt {
namespace {

constexpr size_t kCellBytes = 2;
constexpr long kShown = 5;  // reports written out; all are counted
long shown = 0;

void show(const char* what, const char* memory, size_t offset, long long thread, long long other) {
  if (shown++ >= kShown) return;
  std::fprintf(stderr, "%s: %s memory +%zu, block (%u, %u, %u), thread %lld", what, memory, offset,
               blockIdx.x, blockIdx.y, blockIdx.z, thread);
  if (other >= 0) std::fprintf(stderr, " and thread %lld", other);
  std::fprintf(stderr, "\n");
}

}  // namespace

void SharedShadow::reset(const void* memory, size_t bytes) {
  memory_ = static_cast<const unsigned char*>(memory);
  bytes_ = bytes;
  cells_.assign((bytes + kCellBytes - 1) / kCellBytes, Cell{});
}

void SharedShadow::access(const Accessor& who, const void* address, size_t bytes, Access kind) {
  const size_t offset = static_cast<size_t>(static_cast<const unsigned char*>(address) - memory_);
  if (offset >= bytes_) return;  // unsigned: also what lies below
  const size_t end = std::min(offset + bytes, bytes_);
  bool reported = false;  // once per access is enough
  for (size_t i = offset / kCellBytes; i * kCellBytes < end; i++) {
    Cell& cell = cells_[i];
    if (!reported) {
      if (const char* what = judge(who, cell, kind)) {
        show(what, "shared", i * kCellBytes, who.thread, cell.writer);
        reported = true;
      }
    }
    remember(who, cell, kind);
  }
}

const char* SharedShadow::judge(const Accessor& who, const Cell& cell, Access kind) const {
  const bool by_other_writer = cell.writer >= 0 && cell.writer != who.thread;
  const bool same_warp = cell.writer / 32 == who.warp();
  if (by_other_writer && cell.write_barriers == who.barriers &&
      (!same_warp || cell.write_warp_barriers == who.warp_barriers)) {
    counters.races++;
    return kind == Access::kRead ? "race, read after write" : "race, write after write";
  }
  if (kind == Access::kRead) {
    if (cell.copy_pending) {
      counters.unwaited++;
      return "unwaited copy is read";
    }
    if (!cell.initialised) {
      counters.uninitialised++;
      return "uninitialised read";
    }
    return nullptr;
  }
  if (cell.reader_warps && cell.read_barriers == who.barriers) {
    const bool other_warp = cell.reader_warps & ~(1u << who.warp());
    const bool other_lane = cell.reader_warp == who.warp() && cell.read_warp_barriers == who.warp_barriers &&
                            (cell.reader_lanes & ~(1u << who.lane()));
    if (other_warp || other_lane) {
      counters.races++;
      return "race, write after read";
    }
  }
  return nullptr;
}

void SharedShadow::remember(const Accessor& who, Cell& cell, Access kind) {
  if (kind != Access::kRead) {
    cell.initialised = true;
    cell.copy_pending = kind == Access::kCopyStarts;
    cell.writer = static_cast<int16_t>(who.thread);
    cell.write_barriers = who.barriers;
    cell.write_warp_barriers = who.warp_barriers;
    return;
  }
  if (cell.read_barriers != who.barriers) cell.reader_warps = 0;
  if (cell.reader_warps == 0 || cell.reader_warp != who.warp() || cell.read_warp_barriers != who.warp_barriers)
    cell.reader_lanes = 0;
  cell.read_barriers = who.barriers;
  cell.reader_warps |= 1u << who.warp();
  cell.reader_warp = static_cast<int16_t>(who.warp());
  cell.reader_lanes |= 1u << who.lane();
  cell.read_warp_barriers = who.warp_barriers;
}

void GlobalShadow::watch(const void* data, size_t bytes) {
  ranges_.push_back({static_cast<const unsigned char*>(data), bytes,
                     std::vector<Cell>((bytes + kCellBytes - 1) / kCellBytes)});
}

void GlobalShadow::access(int64_t thread, const void* address, size_t bytes, bool write) {
  for (Range& range : ranges_) {
    const size_t offset = static_cast<size_t>(static_cast<const unsigned char*>(address) - range.data);
    if (offset >= range.bytes) continue;
    bool reported = false;
    const size_t end = std::min(offset + bytes, range.bytes);
    for (size_t i = offset / kCellBytes; i * kCellBytes < end; i++) {
      Cell& cell = range.cells[i];
      const bool written_by_other = cell.write_launch == launch_ && cell.writer != thread;
      const bool read_by_other = cell.read_launch == launch_ && cell.reader != thread;
      if (!reported && (written_by_other || (write && read_by_other))) {
        counters.global_races++;
        show("race", "global", i * kCellBytes, thread, written_by_other ? cell.writer : cell.reader);
        reported = true;
      }
      if (write) {
        cell.write_launch = launch_;
        cell.writer = thread;
      } else {
        cell.read_launch = launch_;
        cell.reader = thread;
      }
    }
    return;
  }
}

}  // namespace bimodal::simt
