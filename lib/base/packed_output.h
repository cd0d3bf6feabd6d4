// Small stretches of a file that lie one after another, gathered so that a disk gets them as one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/stream_output.h"

namespace stagedtrain {

// Errors are those of StreamOutput. Used from one thread. What was not flushed is dropped.
class PackedOutput {
 public:
  PackedOutput(OutputFile& file, StreamOutput& stream) : file_(file), stream_(stream) {}

  // Copies the bytes, at most half a piece of the stream. follows: they lie behind those given
  // last, and nothing that is to stay lies between; zeros are written there.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes, bool follows);
  // Gives all to the stream.
  void flush();

 private:
  void begin(std::uint64_t offset);

  OutputFile& file_;
  StreamOutput& stream_;
  std::shared_ptr<std::byte[]> room_;  // null: nothing gathered
  std::uint64_t start_ = 0;            // place in the file of the room's first byte, a whole unit
  std::uint64_t begin_ = 0, end_ = 0;  // what was gathered
};

}  // namespace stagedtrain
