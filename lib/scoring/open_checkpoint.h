// Opens checkpoints for scoring, on one process or on all ranks of a run.
#pragma once

#include "dist/ranks.h"
#include "engine/engine.h"
#include "runfolder/device_state.h"

namespace stagedtrain::train {

// Loads a checkpoint in the precision in which it was saved. ema: with the moving average in place
// of the weights. Throws Error(usage) if there is no such average, and as load_live does.
DeviceState open_checkpoint(const Path& path, const DeviceRequest& device, bool ema = false);

// Returns the ranks of this process for work that saves nothing: a signal ends the rank that it
// reaches, and so all of them.
dist::Ranks& scoring_ranks(const DeviceRequest& device);

// What a rank scores. shown is what a message says of it if the values of two ranks differ.
struct ScoredFact {
  std::string name, value, shown;
};
// A fact about a file, by its checksum. Ranks may have the same file in different places.
ScoredFact file_fact(const std::string& name, const Path& path, const std::string& checksum);
// Compares program and facts of all ranks. Throws Error(usage), the same on every rank, that names
// both sides. Does nothing on a single rank.
void refuse_other_work(dist::Ranks& ranks, std::vector<ScoredFact> facts);

}  // namespace stagedtrain::train
