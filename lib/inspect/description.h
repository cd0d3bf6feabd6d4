// Describes a checkpoint, as text for people and as JSON for programs.
#pragma once

#include <string>

#include "checkpoint/checkpoint.h"
#include "text/json_fwd.h"

namespace stagedtrain::state {

// Both functions verify every checksum first, so what they describe is undamaged. If `tensors` is
// true, each tensor is listed with its shape and the mean, standard deviation, smallest and largest
// value of its weights. Throws Error(input).
std::string to_text(const Path& path, const CheckpointReader& reader, bool tensors);
Json to_json(const Path& path, const CheckpointReader& reader, bool tensors);

}  // namespace stagedtrain::state
