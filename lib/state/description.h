// What a checkpoint is, in words for people and as JSON for programs.
#pragma once

#include <string>

#include "base/json.h"
#include "state/checkpoint.h"

namespace stagedtrain::state {

// Verifies every checksum first: what is described is whole. With tensors, each is listed with its
// shape and the mean, deviation, smallest and largest value of its weights. Throws Error(input).
std::string to_text(const Path& path, const CheckpointReader& reader, bool tensors);
Json to_json(const Path& path, const CheckpointReader& reader, bool tensors);

}  // namespace stagedtrain::state
