// Fills pieces that begin at a unit of the disk, and passes each on when it is full.
#include "hub/sequential_output.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "io/memory_advice.h"

namespace stagedtrain::hub {

void SequentialOutput::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  ST_CHECK(offset >= end_, "bytes at {} are written behind {}", offset, end_);
  while (end_ < offset) advance(std::min<std::uint64_t>(space().size(), offset - end_));
  while (!bytes.empty()) {
    const std::span<std::byte> to = space();
    const std::size_t count = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), count);
    bytes = bytes.subspan(count);
    advance(count);
  }
}

void SequentialOutput::finish() {
  pass_on();
  stream_.drain();
}

std::span<std::byte> SequentialOutput::space() {
  if (!piece_) piece_ = large_memory(kPiece);
  return std::span(piece_.get(), kPiece).subspan(static_cast<std::size_t>(end_ - begin_));
}

void SequentialOutput::advance(std::size_t bytes) {
  end_ += bytes;
  if (end_ - begin_ == kPiece) pass_on();
}

void SequentialOutput::pass_on() {
  if (end_ == begin_) return;
  const std::span<const std::byte> bytes(piece_.get(), static_cast<std::size_t>(end_ - begin_));
  stream_.write_at({.offset = begin_, .bytes = bytes, .owner = std::move(piece_)});
  piece_ = nullptr;
  begin_ = end_;
}

}  // namespace stagedtrain::hub
