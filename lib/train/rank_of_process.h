// This process as a rank of its run: joined once, told of at the end.
#pragma once

#include "dist/ranks.h"
#include "model/model.h"
#include "train/engine.h"

namespace stagedtrain::train {

// The ranks that the environment tells of; this process joins them at the first call. Throws as
// dist::Ranks does.
dist::Ranks& ranks_of_process(const at::Device& device);
// Whether ranks share out moments and the work of AdamW: --sharding, through the environment. Not
// in fp64, where LibTorch's AdamW has other last digits in parts than in one go.
bool shards_optimizer(model::Precision precision);
// With several ranks on a host, "auto" and "cuda" mean the GPU of this rank's number.
DeviceRequest device_of_rank(DeviceRequest request);
// What the user is to be told of an error that ends this process: the error, with the rank in front
// where there are several; without a message if another rank tells it. Ends the others.
Error ending_of(const Error& error);

}  // namespace stagedtrain::train
