// The bytes of a new file from several threads, written past the page cache in large pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "io/memory_advice.h"
#include "io/stream_output.h"

namespace stagedtrain::hub {

// Gathers bytes in pieces that begin at a unit of the disk, because tensors of foreign formats
// begin anywhere: written one by one, each would need two writes through the page cache, for which
// all others wait. A piece is passed on to the disk when its last byte is there; so write about in
// order, and every byte exactly once. Memory of written pieces is used again. Errors are those of
// OutputFile, thrown by a later call.
class PieceOutput {
 public:
  // The file will have this many bytes, which are reserved on the disk.
  PieceOutput(OutputFile& file, std::uint64_t bytes);

  // Several threads may call these at the same time. fill gets memory for [offset, offset + size)
  // and must overwrite all of it; if it throws, the file stays incomplete.
  using Fill = std::function<void(std::span<std::byte>)>;
  void write(std::uint64_t offset, std::size_t size, const Fill& fill);
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  void write_zeros(std::uint64_t offset, std::uint64_t end);
  // Returns how many bytes from this offset on are in the same piece. A write of more is copied.
  static std::uint64_t contiguous(std::uint64_t offset) { return kPiece - offset % kPiece; }
  // Returns when everything is written (not synced). Requires that every byte was given.
  void finish();

 private:
  static constexpr std::uint64_t kPiece = StreamOutput::kPiece;
  struct Piece {
    LargeMemory memory;
    std::uint64_t missing = 0;  // bytes
  };
  std::uint64_t size_of(std::uint64_t piece) const;
  std::byte* memory_of(std::uint64_t piece);
  void came(std::uint64_t piece, std::uint64_t bytes);
  void pass_on(std::uint64_t piece, LargeMemory memory);

  const std::uint64_t bytes_;
  std::mutex mutex_;                       // guards pieces_ and free_
  std::map<std::uint64_t, Piece> pieces_;  // begun and not complete
  std::vector<LargeMemory> free_;
  std::mutex passing_;   // guards calls of stream_
  StreamOutput stream_;  // the last member: its threads give memory back to free_
};

}  // namespace stagedtrain::hub
