// Tells what a run has achieved, from its log, or from its checkpoints where the log does not say.
#pragma once

#include <optional>

#include "engine/engine.h"
#include "eval/evaluate.h"
#include "replicas/run_context.h"
#include "runlog/run_log.h"

namespace stagedtrain::train {

// Returns the log of the folder, or nothing if there is none. An unreadable log is set aside, and a
// message is added to messages.
std::optional<runlog::Run> read_own_log(const RunFolder& folder,
                                        std::vector<std::string>& messages);

// Writes the events that are missing from the log because a crash cut it or somebody moved it: the
// ends of the stages before `live`, with the positions of their checkpoints, and, if the last stage
// has ended, the end of the run, which is evaluated again. log is what the log holds; a complete
// log is not changed. start is this process's start event, which is written first if there is no
// log. log_started: it has been written already.
void repair_log(RunContext& run, DeviceState& live, const std::optional<runlog::Run>& log,
                const Json& start, bool log_started);

// Returns the event of a run's end.
Json end_event(const RunContext& run, const state::Progress& at, const eval::EvalReport& report);

// Returns the stages that have ended, from the log and the files of the folder. at is where the run
// stands.
RunResult outcome(const plan::RunPlan& plan, const RunFolder& folder, const state::Progress& at);

}  // namespace stagedtrain::train
