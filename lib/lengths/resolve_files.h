// What does a plan take from the files that a schedule names? Also opens the token files of a run.
#pragma once

#include <memory>

#include "checkpoint/checkpoint.h"
#include "data/token_file.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Calls resolve() with what the schedule's files contain: the models of the checkpoints `from` and
// adapters.from (where the latter exist), and the number of tokens and the vocabulary of
// data.train. First it replaces every auto by numbers, using the caches of this user;
// `measurements`, if not empty, names a file to use instead of the cache of measurements.
// data.train may be missing if model.vocab is given; then only durations in epochs are refused.
// Throws as resolve() and choose() do, Error(usage) at the key if `from` does not exist, and
// Error(input) for a damaged file.
RunPlan resolve_files(const schedule::Schedule& schedule, const std::string& measurements = "");

// The token files of a run, both long enough for one window. Paths are relative to the current
// folder.
struct DataFiles {
  std::shared_ptr<const data::TokenFile> train, validation;
};
// Throws Error(usage) at the key for a file that does not exist; Error(input) for a damaged or too
// short file, and for one whose tokenizer has more ids than model.vocab.
DataFiles open_data(const schedule::Schedule& schedule);

// Whether the path of a growth's second state is in the run's own folder: it begins with "stages/".
bool in_run_folder(const std::string& path);
// Checks the other states that growths into the plan's first `stages` stages read, except those
// that the run itself makes, so that a wrong one fails now and not at the growth. Throws
// Error(usage) if a file is missing or has another model, and Error(input) if it is damaged.
void check_other_states(const RunPlan& plan, std::size_t stages);
// Reads the other checkpoints that these stages still need after the state of `header`: those that
// growths merge, and the weights of those that adapters begin from. So a missing or damaged one is
// noticed now and not at its stage. Throws Error(usage) or Error(input).
void read_later_files(const RunPlan& plan, const state::StateHeader& header, std::size_t stages);

}  // namespace stagedtrain::plan
