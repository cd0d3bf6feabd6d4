// Joins this process to the ranks of its run, and tells them when it ends.
#pragma once

#include <functional>

#include "dist/ranks.h"
#include "engine/ranks_interface.h"
#include "model/model.h"
#include "plan/processes.h"

namespace stagedtrain::train {

// Returns the ranks that the environment describes. Joins them at the first call. Throws as
// dist::Ranks does.
dist::Ranks& ranks_of_process(const at::Device& device);
// Returns what ranks divide among themselves, as --sharding asks through the environment. In fp64
// optimizer means none, because LibTorch's AdamW rounds differently on parts of a tensor.
plan::Sharding sharding_of_process(model::Precision precision);
// These three are functions of the module's interface (engine/ranks_interface.h).
Joined join_ranks(const DeviceRequest& request);
void on_first_rank(const std::function<void()>& f);
Error ending_of(const Error& error);

}  // namespace stagedtrain::train
