// Which distinct tensors does a model have, and how often does each occur? Its whole table is not
// built.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::arch {

// One tensor of the table. `copies` counts all layers and experts that have such a tensor, with the
// same shape; `active` counts only those that one token uses, which leaves out experts that are not
// chosen.
struct DistinctTensor {
  ParamSpec spec;
  std::int64_t copies = 1, active = 1;
};

// A model of 65,536 layers has a million tensors, but only about twenty distinct ones. Parameter,
// FLOP and byte counts are sums over these, so they take microseconds for any model. Requires all
// layers of an architecture to be alike but for the routers of routed layers, and all experts;
// tests/arch compares the counts with those of the whole table.
std::vector<DistinctTensor> distinct_tensors(const ModelConfig& config);

}  // namespace stagedtrain::arch
