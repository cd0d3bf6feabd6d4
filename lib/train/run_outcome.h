// What a run has come to: from its log, and where the log does not say, from its checkpoints.
#pragma once

#include <optional>

#include "runlog/run_log.h"
#include "train/engine.h"
#include "train/stage.h"

namespace stagedtrain::train {

// The log of the folder; nothing if there is none, or none that can be read: that one is then set
// aside, and words says so.
std::optional<runlog::Run> read_own_log(const RunFolder& folder, std::vector<std::string>& words);

// Writes the lines that the log should have and has not, after a crash took its tail or somebody
// moved it away: the ends of the stages that lie behind `live`, by the places in their checkpoints,
// and if the last stage has ended the end of the run, measured again. `log`: what the log holds.
// A log that is complete is left as it is. start: this process's start event, written first where
// there is no log at all; log_started: it has been written.
void repair_log(RunContext& run, LiveState& live, const std::optional<runlog::Run>& log,
                const Json& start, bool log_started);

// The event of a run's end.
Json end_event(const RunContext& run, const state::Progress& at, const eval::EvalReport& report);

// The stages that have ended, by the log and the files of the folder. at: where the run stands.
RunResult outcome(const plan::RunPlan& plan, const RunFolder& folder, const state::Progress& at);

}  // namespace stagedtrain::train
