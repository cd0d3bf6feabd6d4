// The frequencies of rotary positions.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// How many entries of a query or key are turned, from the first on: floor(head_dim * rotary_share).
std::int64_t rotary_entries(const ModelConfig& config);
// Radians per position of pair i: entries i and i + rotary_entries / 2 turn together.
std::vector<double> rotary_frequencies(const ModelConfig& config);

}  // namespace stagedtrain::arch
