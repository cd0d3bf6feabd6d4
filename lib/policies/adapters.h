// Which matrices does a stage adapt?
#pragma once

#include "arch/adapters.h"
#include "policies/policy.h"

namespace stagedtrain::plan {

// Returns the adapters of a stage whose policy `adapters` is on, without the step of their start.
arch::AdapterSet adapters_of(const PolicyStage& stage, const arch::ParamTable& table);
// Returns which tensors of the table the optimizer does not move: all but those that the stage's
// growth added, under train_only: new. The adapters are no tensors of the table.
std::vector<bool> not_moved_with_adapters(const PolicyStage& stage, const arch::ParamTable& table);

}  // namespace stagedtrain::plan
