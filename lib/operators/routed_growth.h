// Which operators can grow a model with routed layers (arch/routed_layers.h)?
#pragma once

#include <string>

#include "arch/model_config.h"

namespace stagedtrain::grow {

// Throws Error(usage) if the model has routed layers and the operator of this name cannot grow
// them: learned maps and means over layers take a matrix of every layer, of which only some have
// routers; a mask would have to reach what routers read; and of states side by side, a layer would
// have one router for all of them.
void check_routed_source(const std::string& name, const arch::ModelConfig& from);

}  // namespace stagedtrain::grow
