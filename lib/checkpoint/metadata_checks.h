// Refuses values of a checkpoint's metadata that contradict one another.
#pragma once

#include <cstdint>
#include <string>

#include "arch/param_table.h"
#include "checkpoint/checkpoint.h"

namespace stagedtrain::state {

// Each throws Error(input) that names the key; `path` is its beginning.

// The model must be complete, and in a form that its architecture accepts.
void check_model(const arch::ModelConfig& model, const std::string& path);
// Moments cannot have been zeroed after the state's last step.
void check_age(const TensorHistory& history, std::int64_t step, const std::string& path);
// `index` is that of the state's place in its data.
void check_selection(const WindowSelection& selection, std::int64_t index);
// Adapters must be ones that a model with this table can have.
void check_adapters(const StateHeader& header, const arch::ParamTable& table);

}  // namespace stagedtrain::state
