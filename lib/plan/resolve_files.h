// The files that a schedule names: what they know for the plan, and the token files of a run.
#pragma once

#include <memory>

#include "data/token_file.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// resolve() with what the schedule's files know: the model of the checkpoint `from`, and the
// windows and the vocabulary of data.train. What it says is auto is chosen first, with what this
// user has measured and learnt; measurements names another file than the usual one. `from` must be
// there. A plan can be made before there is data: without the file only durations in epochs are
// refused. Throws as resolve does; Error(usage) at the key for a `from` that is not there,
// Error(input) for a file that is bad.
RunPlan resolve_files(const schedule::Schedule& schedule, const std::string& measurements = "");

// The token files of a run, both long enough for one window. Paths are relative to the current
// folder.
struct DataFiles {
  std::shared_ptr<const data::TokenFile> train, validation;
};
// Throws Error(usage) at the key for a file that is not there; Error(input) for a bad or too short
// one, and for one whose tokenizer has more ids than model.vocab.
DataFiles open_data(const schedule::Schedule& schedule);

// A path of a growth's further states: one that begins with "stages/" lies in the run's own folder.
bool in_run_folder(const std::string& path);
// Checks the further states that growths of the plan name, all but those that the run itself makes:
// what would fail at the growth fails now. Throws Error(usage).
void check_other_states(const RunPlan& plan);

}  // namespace stagedtrain::plan
