// A room in which parts of a file are laid as they lie there, to be written by a disk's whole
// units.
#pragma once

#include <cstdint>
#include <span>

#include "base/file.h"
#include "base/memory_advice.h"

namespace stagedtrain {

// Multiples of a disk's unit.
constexpr std::uint64_t down_to_unit(std::uint64_t offset) {
  return offset / OutputFile::kDirectUnit * OutputFile::kDirectUnit;
}
constexpr std::uint64_t up_to_unit(std::uint64_t offset) {
  return down_to_unit(offset + OutputFile::kDirectUnit - 1);
}

// What becomes of the rest of the unit in which the last byte lies. Where it is kept that unit goes
// through the page cache, and such a write waits for all others of the file, and they for it.
enum class Rest { kept, zeroed };

class UnitRoom {
 public:
  explicit UnitRoom(std::size_t most);  // bytes from the first to the last

  void begin(std::uint64_t offset);
  // Copies the bytes; the parts come in the file's order. What lies between them becomes zeros.
  void add(std::uint64_t offset, std::span<const std::byte> bytes);
  // Whole units past the page cache. The one in which the first byte lies, if not at its beginning,
  // may hold other things and goes through the cache. Errors are those of OutputFile.
  void write(OutputFile& file, Rest rest);

 private:
  std::byte* at(std::uint64_t offset) const { return bytes_.get() + (offset - start_); }

  std::size_t size_;
  LargeMemory bytes_;
  std::uint64_t start_ = 0;            // place in the file of the room's first byte, a whole unit
  std::uint64_t begin_ = 0, end_ = 0;  // what was laid
};

}  // namespace stagedtrain
