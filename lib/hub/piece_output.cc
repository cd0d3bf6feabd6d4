// Keeps the pieces that have begun, and passes each on when it is complete.
#include "hub/piece_output.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace stagedtrain::hub {
namespace {

constexpr std::uint64_t kMostWaiting = StreamOutput::kThreads * StreamOutput::kPiece;

OutputFile& reserved(OutputFile& file, std::uint64_t bytes) {
  file.allocate(bytes);
  return file;
}

}  // namespace

PieceOutput::PieceOutput(OutputFile& file, std::uint64_t bytes)
    : bytes_(bytes), stream_(reserved(file, bytes), kMostWaiting) {}

void PieceOutput::write(std::uint64_t offset, std::size_t size, const Fill& fill) {
  const std::uint64_t piece = offset / kPiece, inside = offset % kPiece;
  if (inside + size > kPiece) {
    std::vector<std::byte> bytes(size);
    fill(bytes);
    return write(offset, bytes);
  }
  fill({memory_of(piece) + inside, size});
  came(piece, size);
}

void PieceOutput::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::uint64_t>(bytes.size(), kPiece - offset % kPiece);
    write(offset, size,
          [&](std::span<std::byte> to) { std::memcpy(to.data(), bytes.data(), size); });
    bytes = bytes.subspan(size);
    offset += size;
  }
}

void PieceOutput::write_zeros(std::uint64_t offset, std::uint64_t end) {
  while (offset < end) {
    const std::size_t size = std::min(end - offset, kPiece - offset % kPiece);
    write(offset, size, [](std::span<std::byte> to) { std::ranges::fill(to, std::byte{}); });
    offset += size;
  }
}

void PieceOutput::finish() {
  ST_CHECK(pieces_.empty(), "{} pieces of the file are incomplete", pieces_.size());
  stream_.drain();
}

std::uint64_t PieceOutput::size_of(std::uint64_t piece) const {
  return std::min(kPiece, bytes_ - piece * kPiece);
}

std::byte* PieceOutput::memory_of(std::uint64_t piece) {
  const std::lock_guard lock(mutex_);
  ST_CHECK(piece * kPiece < bytes_, "piece {} of a file of {} bytes", piece, bytes_);
  const auto [found, begun] = pieces_.try_emplace(piece);
  if (begun) {
    Piece& made = found->second;
    made.missing = size_of(piece);
    if (free_.empty()) {
      made.memory = large_memory(kPiece);
    } else {
      made.memory = std::move(free_.back());
      free_.pop_back();
    }
  }
  return found->second.memory.get();
}

void PieceOutput::came(std::uint64_t piece, std::uint64_t bytes) {
  LargeMemory memory;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pieces_.find(piece);
    ST_CHECK(found != pieces_.end() && found->second.missing >= bytes,
             "bytes of piece {} were written twice", piece);
    found->second.missing -= bytes;
    if (found->second.missing > 0) return;
    memory = std::move(found->second.memory);
    pieces_.erase(found);
  }
  pass_on(piece, std::move(memory));
}

void PieceOutput::pass_on(std::uint64_t piece, LargeMemory memory) {
  std::byte* const bytes = memory.get();
  const UnmapLarge unmap = memory.get_deleter();
  const auto give_back = [this, unmap](std::byte* used) {
    LargeMemory again(used, unmap);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(again));
  };
  const std::shared_ptr<std::byte> owner(memory.release(), give_back);
  const std::lock_guard lock(passing_);
  stream_.write_at({.offset = piece * kPiece,
                    .bytes = {bytes, static_cast<std::size_t>(size_of(piece))},
                    .owner = owner});
}

}  // namespace stagedtrain::hub
