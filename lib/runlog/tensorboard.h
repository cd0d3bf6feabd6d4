// How do a run's numbers reach TensorBoard? As event files that are made from the events of
// run.jsonl.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/file.h"
#include "text/json_fwd.h"

namespace stagedtrain::runlog {

// Writes one event file per process; the files of earlier processes stay beside it. A record is
//   u64 size, u32 masked crc of these 8 bytes, the event, u32 masked crc of the event
// with crc32c, little endian; the event is an Event in the encoding of protocol buffers. Each
// record is written with one call, so a crash loses at most the last record, and readers ignore an
// incomplete one.
//
// A resume writes a session start for the step after the resumed one. Readers then drop what older
// files hold from that step on, just as `resume` in run.jsonl voids later lines.
class TensorboardWriter {
 public:
  // The folder is created with the first event.
  explicit TensorboardWriter(Path folder) : folder_(std::move(folder)) {}
  // Adds an event as docs/run-log.md describes it. Kinds without numbers for TensorBoard are
  // ignored. Throws Error(resource) if writing fails.
  void add(const Json& event);

 private:
  void open();
  void record(std::string_view event);
  void scalar(const char* tag, const Json& event, const char* key);
  void text(const std::string& tag, const Json& event, const std::string& content);
  void growth(const Json& event);
  void samples(const Json& event);
  Path folder_;
  std::unique_ptr<OutputFile> out_;
  std::int64_t evaluated_ = -1;  // the step of the last validation loss
};

}  // namespace stagedtrain::runlog
