// How well does each window of the training data represent the others, to a model as it is now?
#pragma once

#include <functional>
#include <vector>

#include "data/selected_windows.h"
#include "eval/evaluate.h"
#include "model/model.h"

namespace stagedtrain::eval {

struct GainsRequest {
  const data::CandidateWindows& windows;
  const data::WindowPartitions& partitions;
  std::int64_t layers;  // that run for the features
  std::int64_t rows;    // windows at a time
};

// Returns the gain of each window: by how much it raised the facility location of its partition
// when the greedy algorithm took it (data/facility_location.h), given the mean features of the
// windows (Model::mean_features). The partitions are shared by the processes of `share`, which all
// get the same result as a single process would, to the bit. Polls for a stop request and then
// throws Error(interrupted); throws Error(diverged) if a feature is not finite.
std::vector<float> window_gains(model::Model& model, const GainsRequest& request,
                                const EvalShare& share = {});

}  // namespace stagedtrain::eval
