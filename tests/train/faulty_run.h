// What tests of faults around a run share: a tiny run in TINY/run that is stopped, damaged, looked
// at.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "base/signals.h"
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"
#include "train/run.h"

namespace stagedtrain::test {

using Edits = std::vector<std::string>;

inline train::RunResult run_in(const TinyRun& tiny, const std::string& name,
                               const Edits& edits = {}, const std::string& stage = "") {
  return train::run(tiny.plan(edits), {.out = tiny / name, .stage = stage});
}

inline void run_to_end(const TinyRun& tiny, const std::string& name, const Edits& edits) {
  REQUIRE(run_in(tiny, name, edits).done);
}

// A state at the end of a stage, without what the clock, the folder's name and the schedule's text
// put into it.
inline state::TrainingState end_of(const TinyRun& tiny, const std::string& name,
                                   const std::string& stage = "full") {
  state::TrainingState state = state::load(tiny / name / "stages" / (stage + ".h5"));
  state.progress.seconds = 0;
  state.run.schedule.clear();
  for (state::LineageEntry& entry : state.lineage) entry.source_crc.clear();
  return state;
}

// While it lives, the line'th line of a log asks the run to stop.
class StopAtLine {
 public:
  explicit StopAtLine(int line)
      : fault_([line, seen = 0](FileOperation operation, const Path& path) mutable {
          if (operation == FileOperation::write && path.filename() == "run.jsonl" && ++seen == line)
            reset_stop_request(15);
          return 0;
        }) {}
  ~StopAtLine() { reset_stop_request(); }

 private:
  Fault fault_;
};

inline Path step_file(const TinyRun& tiny, int step) {
  return tiny / fmt::format("run/checkpoints/step-{:08}.h5", step);
}

// Runs until the run has logged this many lines, then asks it to stop.
inline void run_until_line(const TinyRun& tiny, int line, const Edits& edits = {}) {
  const StopAtLine stop(line);
  refusal(ErrorKind::interrupted, [&] { run_in(tiny, "run", edits); });
}

// `part`: in which part of the file, 2 for the middle, 4 for the end of the first quarter.
inline void flip_a_byte(const Path& file, std::size_t part = 2) {
  std::string bytes = read_text(file);
  bytes[bytes.size() / part] ^= 1;
  write_text(file, bytes);
}

inline std::vector<Json> events(const TinyRun& tiny, const std::string& kind) {
  std::vector<Json> found;
  std::istringstream lines(read_text(tiny / "run/run.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (const Json event = Json::parse(line, nullptr, false);
        !event.is_discarded() && event["event"] == kind)
      found.push_back(event);
  return found;
}

inline std::size_t count_aside(const TinyRun& tiny, const std::string& ending) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tiny / "run"))
    count += entry.path().string().ends_with(ending);
  return count;
}

inline bool same_end(const TinyRun& tiny) {
  const auto a = state::load(tiny / "whole/stages/full.h5"),
             b = state::load(tiny / "run/stages/full.h5");
  if (a.has_ema() != b.has_ema()) return false;
  for (const state::TensorKind kind : state::tensor_kinds(a.has_ema()))
    for (std::size_t i = 0; i < a.of(kind).size(); ++i)
      if (!std::ranges::equal(a.of(kind)[i].bytes(), b.of(kind)[i].bytes())) return false;
  return true;
}

}  // namespace stagedtrain::test
