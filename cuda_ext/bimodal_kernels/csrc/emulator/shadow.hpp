// Who touched which byte last: the detector of races, uninitialised reads and unwaited copies.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bimodal::simt {

/// A thread of the block, and how many barriers it has passed: two accesses are ordered if a block barrier lies between
/// them, or, inside one warp, a warp barrier. (All threads of a block pass the same block barriers, so one number will do.)
struct Accessor {
  int thread;
  uint32_t barriers;       // of the block
  uint32_t warp_barriers;  // of the thread's warp

  int warp() const { return thread / 32; }
  int lane() const { return thread % 32; }
};

enum class Access {
  kRead,
  kWrite,
  kCopyStarts,  // cp.async: the destination may change at any time from now on
  kCopyLands,   // its wait: the destination has changed
};

/// Shadow of one block's shared memory, in cells of 2 bytes. Reports go to `counters`, the first few also to stderr.
class SharedShadow {
 public:
  void reset(const void* memory, size_t bytes);

  /// Judges an access and remembers it; ignores what lies outside the shared memory.
  void access(const Accessor& who, const void* address, size_t bytes, Access kind);

 private:
  struct Cell {
    bool initialised = false, copy_pending = false;
    int16_t writer = -1;
    uint32_t write_barriers = 0, write_warp_barriers = 0;
    // Readers since the last block barrier: which warps, and of the warp that read last, which lanes since its barrier.
    uint32_t read_barriers = 0, reader_warps = 0, reader_lanes = 0, read_warp_barriers = 0;
    int16_t reader_warp = -1;
  };

  const char* judge(const Accessor& who, const Cell& cell, Access kind) const;
  static void remember(const Accessor& who, Cell& cell, Access kind);

  const unsigned char* memory_ = nullptr;
  size_t bytes_ = 0;
  std::vector<Cell> cells_;
};

/// Shadow of the global memory that a launch writes: no byte may be written by two threads, or be read by one and written
/// by another.
class GlobalShadow {
 public:
  void watch(const void* data, size_t bytes);
  void new_launch() { launch_++; }
  void access(int64_t thread, const void* address, size_t bytes, bool write);

 private:
  struct Cell {
    uint32_t write_launch = 0, read_launch = 0;
    int64_t writer = -1, reader = -1;
  };
  struct Range {
    const unsigned char* data;
    size_t bytes;
    std::vector<Cell> cells;
  };

  uint32_t launch_ = 0;
  std::vector<Range> ranges_;
};

}  // namespace bimodal::simt
