// The bytes of a new file in their order, written past the page cache while the caller goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "io/stream_output.h"

namespace stagedtrain::hub {

// Gathers bytes in whole units of the disk, for tensors of foreign formats begin anywhere: each of
// them alone would need two writes through the page cache, for which all others wait. Errors are
// those of OutputFile, thrown by the next call.
class SequentialOutput {
 public:
  explicit SequentialOutput(OutputFile& file) : stream_(file, kMostWaiting) {}

  // Copies the bytes. offset must not be below the end of what was written; a gap becomes zeros.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  // Returns when everything is written (not synced). Nothing may be written afterwards.
  void finish();

 private:
  static constexpr std::size_t kPiece = StreamOutput::kPiece;
  static constexpr std::uint64_t kMostWaiting = std::uint64_t{StreamOutput::kThreads} * kPiece;
  std::span<std::byte> space();  // what is left of the piece; never empty
  void advance(std::size_t bytes);
  void pass_on();

  StreamOutput stream_;
  std::shared_ptr<std::byte[]> piece_;  // zeros behind what was written
  std::uint64_t begin_ = 0, end_ = 0;   // of the piece's bytes in the file
};

}  // namespace stagedtrain::hub
