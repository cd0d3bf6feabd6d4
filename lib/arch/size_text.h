// Names the size of a model among others of its family.
#pragma once

#include <string>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// "4x128": layers and width, and what else of its shape is not in proportion to the width as it is
// in the reference: "4x128-ffn256". Models of one architecture that differ
// in layers, width, heads, ffn, head_dim or experts have different names.
std::string size_text(const ModelConfig& config, const ModelConfig& reference);

}  // namespace stagedtrain::arch
