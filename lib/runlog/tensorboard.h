// The numbers of a run for TensorBoard: event files made from the events of run.jsonl.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/file.h"
#include "base/json.h"

namespace stagedtrain::runlog {

// Writes one event file for each process, beside which those of earlier processes stay. A record is
//   u64 size, u32 masked crc of these 8 bytes, the bytes, u32 masked crc of the bytes
// (crc32c, little endian), and its bytes are an Event in protocol buffers' encoding. Every record is
// one write: a crash loses at most the one being written, which readers ignore.
//
// After a resume a session begins at the step behind it; readers then drop what older files hold
// from there on, as a `resume` in run.jsonl voids it.
class TensorboardWriter {
 public:
  // folder: made with the first event.
  explicit TensorboardWriter(Path folder) : folder_(std::move(folder)) {}
  // An event as docs/run-log.md describes it. Kinds that have no numbers for TensorBoard are
  // ignored. Throws Error(resource) if it cannot be written.
  void add(const Json& event);

 private:
  void open();
  void record(std::string_view event);
  void scalar(const char* tag, const Json& event, const char* key);
  void growth(const Json& event);
  Path folder_;
  std::unique_ptr<OutputFile> out_;
  std::int64_t evaluated_ = -1;  // the step of the last validation loss
};

}  // namespace stagedtrain::runlog
