// At which frequencies do the entries of queries and keys rotate?
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// Returns how many leading entries of a query or key rotate: floor(head_dim * rotary_share).
std::int64_t rotary_entries(const ModelConfig& config);
// Returns the frequency of each pair i, in radians per position. Entries i and i + rotary_entries /
// 2 rotate together.
std::vector<double> rotary_frequencies(const ModelConfig& config);

}  // namespace stagedtrain::arch
