// Gathered as long as they fit into a piece of the stream.
#include "base/packed_output.h"

#include <utility>

#include "base/error.h"

namespace stagedtrain {

void PackedOutput::add(StreamOutput::Stretch stretch, bool follows) {
  ST_CHECK(stretch.bytes.size() <= StreamOutput::kPiece / 2, "{} bytes to pack",
           stretch.bytes.size());
  const bool fits = !gathered_.empty() && follows && stretch.offset >= gathered_.back().end() &&
                    stretch.end() <= gathered_.front().offset + StreamOutput::kPiece;
  if (!fits) flush();
  gathered_.push_back(std::move(stretch));
}

void PackedOutput::flush() {
  if (!gathered_.empty()) stream_.write_together(std::exchange(gathered_, {}));
}

}  // namespace stagedtrain
