// How are the weights of a Hugging Face folder found? In one safetensors file, or in shards that an
// index lists.
#pragma once

#include <string>

#include "modelfiles/stored_tensors.h"

namespace stagedtrain::hub {

inline constexpr const char* kHfConfig = "config.json";
inline constexpr const char* kHfWeights = "model.safetensors";
inline constexpr const char* kHfIndex = "model.safetensors.index.json";

// Returns all tensors of the folder. A file that the index names must be in the folder itself and
// hold exactly the tensors that the index assigns to it. Throws Error(input) otherwise.
StoredTensors read_hf_weights(const Path& folder);

// Returns, for instance, "model-00002-of-00005.safetensors"; number starts at 1.
std::string shard_name(std::size_t number, std::size_t shards);

}  // namespace stagedtrain::hub
