// The different tensors of a model and how often each occurs, without building the whole table.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::arch {

// One tensor of the table and its copies in the other layers and experts, which have the same
// shape. `active` counts the copies that a token goes through: of the experts, only those chosen.
struct DistinctTensor {
  ParamSpec spec;
  std::int64_t copies = 1, active = 1;
};

// A model of 65,536 layers has a million tensors but only about twenty different ones. Counts of
// parameters, FLOPs and bytes are sums over these, so they take microseconds for any model.
// Requires that the layers of an architecture are alike, and its experts too; tests/arch compares
// the counts with those of the whole table.
std::vector<DistinctTensor> distinct_tensors(const ModelConfig& config);

}  // namespace stagedtrain::arch
