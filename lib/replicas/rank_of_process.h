// Joins this process to the ranks of its run, and tells them when it ends.
#pragma once

#include "dist/ranks.h"
#include "engine/engine.h"
#include "model/model.h"
#include "plan/processes.h"

namespace stagedtrain::train {

// Returns the ranks that the environment describes. Joins them at the first call. Throws as
// dist::Ranks does.
dist::Ranks& ranks_of_process(const at::Device& device);
// Returns what ranks divide among themselves, as --sharding asks through the environment. In fp64
// optimizer means none, because LibTorch's AdamW rounds differently on parts of a tensor.
plan::Sharding sharding_of_process(model::Precision precision);
// With several ranks, replaces "auto" and "cuda" by the GPU whose number is this rank's local rank.
DeviceRequest device_of_rank(DeviceRequest request);
// Ends the other ranks. Returns the error to print: with this rank's number if there are several
// ranks, and without a message if another rank prints it.
Error ending_of(const Error& error);

}  // namespace stagedtrain::train
