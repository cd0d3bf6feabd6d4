// Small stretches of a file that lie one after another, gathered so that a disk gets them as one.
#pragma once

#include <cstdint>
#include <vector>

#include "base/stream_output.h"

namespace stagedtrain {

// Errors are those of StreamOutput. Used from one thread. What was not flushed is dropped.
class PackedOutput {
 public:
  explicit PackedOutput(StreamOutput& stream) : stream_(stream) {}

  // At most half a piece of the stream. follows: it lies behind the one given last, and nothing
  // that is to stay lies between; zeros are written there.
  void add(StreamOutput::Stretch stretch, bool follows);
  // Gives all to the stream.
  void flush();

 private:
  StreamOutput& stream_;
  std::vector<StreamOutput::Stretch> gathered_;
};

}  // namespace stagedtrain
