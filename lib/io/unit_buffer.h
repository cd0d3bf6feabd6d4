// UnitBuffer is a buffer for parts of a file. They are aligned in it as in the file, so that they
// can be written in whole units of the disk.
#pragma once

#include <cstdint>
#include <span>

#include "io/file.h"
#include "io/memory_advice.h"

namespace stagedtrain {

// Round an offset to a multiple of a disk's unit.
constexpr std::uint64_t down_to_unit(std::uint64_t offset) {
  return offset / OutputFile::kDirectUnit * OutputFile::kDirectUnit;
}
constexpr std::uint64_t up_to_unit(std::uint64_t offset) {
  return down_to_unit(offset + OutputFile::kDirectUnit - 1);
}

// What happens to the remainder of the unit that holds the last byte. If it is kept, that unit is
// written through the page cache. Such a write waits for all others of the file, and they wait for
// it.
enum class Rest { kept, zeroed };

class UnitBuffer {
 public:
  explicit UnitBuffer(std::size_t most);  // the largest distance from the first byte to the last

  void begin(std::uint64_t offset);
  // Copies bytes into the buffer. Parts must come in the file's order; the gaps between them become
  // zeros.
  void add(std::uint64_t offset, std::span<const std::byte> bytes);
  // Writes whole units past the page cache. The unit that holds the first byte may hold other data
  // before it; in that case it is written through the cache. Errors are those of OutputFile.
  void write(OutputFile& file, Rest rest);

 private:
  std::byte* at(std::uint64_t offset) const { return bytes_.get() + (offset - start_); }

  std::size_t size_;
  LargeMemory bytes_;
  std::uint64_t start_ = 0;            // the file offset of the buffer's first byte, a whole unit
  std::uint64_t begin_ = 0, end_ = 0;  // the range that was added
};

}  // namespace stagedtrain
