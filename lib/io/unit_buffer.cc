// Collects parts of a file in a buffer and writes them in whole units of the disk.
#include "io/unit_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace stagedtrain {

UnitBuffer::UnitBuffer(std::size_t most)
    : size_(up_to_unit(most) + OutputFile::kDirectUnit), bytes_(large_memory(size_)) {}

void UnitBuffer::begin(std::uint64_t offset) {
  start_ = down_to_unit(offset);
  begin_ = end_ = offset;
}

void UnitBuffer::add(std::uint64_t offset, std::span<const std::byte> bytes) {
  ST_CHECK(offset >= end_ && offset + bytes.size() <= start_ + size_,
           "{} bytes at {}, after {}, in a buffer of {} from {}", bytes.size(), offset, end_, size_,
           start_);
  std::memset(at(end_), 0, offset - end_);
  std::memcpy(at(offset), bytes.data(), bytes.size());
  end_ = offset + bytes.size();
}

void UnitBuffer::write(OutputFile& file, Rest rest) {
  const std::uint64_t first = std::min(up_to_unit(begin_), end_);
  if (begin_ < first) file.write_at(begin_, {at(begin_), first - begin_});
  if (first == end_) return;
  const std::uint64_t last = rest == Rest::zeroed ? up_to_unit(end_) : down_to_unit(end_);
  if (last > end_) std::memset(at(end_), 0, last - end_);
  if (first < last) file.write_direct(first, {at(first), last - first});
  if (last < end_) file.write_at(last, {at(last), end_ - last});
}

}  // namespace stagedtrain
