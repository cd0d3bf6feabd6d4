// A room as long as a piece of the stream, laid over the file on whole units.
#include "base/packed_output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/memory_advice.h"

namespace stagedtrain {
namespace {

constexpr std::uint64_t kUnit = OutputFile::kDirectUnit;
constexpr std::size_t kRoom = StreamOutput::kPiece;
static_assert(kRoom % kHugePage == 0);

}  // namespace

void PackedOutput::begin(std::uint64_t offset) {
  room_ = large_memory(kRoom);
  start_ = offset / kUnit * kUnit;
  begin_ = end_ = offset;
}

void PackedOutput::write_at(std::uint64_t offset, std::span<const std::byte> bytes, bool follows) {
  ST_CHECK(bytes.size() <= kRoom / 2, "{} bytes to pack", bytes.size());
  const bool fits = room_ && follows && offset >= end_ && offset + bytes.size() <= start_ + kRoom;
  if (!fits) {
    flush();
    begin(offset);
  }
  std::memset(room_.get() + (end_ - start_), 0, offset - end_);
  std::memcpy(room_.get() + (offset - start_), bytes.data(), bytes.size());
  end_ = offset + bytes.size();
}

// The unit in which it begins may hold other things, and goes through the page cache.
void PackedOutput::flush() {
  if (!room_) return;
  const auto room = std::exchange(room_, nullptr);
  const std::uint64_t whole = std::min((begin_ + kUnit - 1) / kUnit * kUnit, end_);
  if (begin_ < whole) file_.write_at(begin_, {room.get() + (begin_ - start_), whole - begin_});
  stream_.write_at(whole, {room.get() + (whole - start_), end_ - whole}, nullptr, room);
}

}  // namespace stagedtrain
