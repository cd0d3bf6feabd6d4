// A Hugging Face folder: its weights, in one safetensors file or in shards that an index lists.
#pragma once

#include <string>

#include "hub/stored_tensors.h"

namespace stagedtrain::hub {

inline constexpr const char* kHfConfig = "config.json";
inline constexpr const char* kHfWeights = "model.safetensors";
inline constexpr const char* kHfIndex = "model.safetensors.index.json";

// All tensors of the folder. A file that the index names must lie in the folder itself, and must
// hold exactly the tensors that the index says. Throws Error(input).
StoredTensors read_hf_weights(const Path& folder);

// "model-00002-of-00005.safetensors"; number counts from 1.
std::string shard_name(std::size_t number, std::size_t shards);

}  // namespace stagedtrain::hub
