// How is a model's size named among other models of its family?
#pragma once

#include <string>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// Returns the layers and width, such as "4x128", followed by every size that is not in the
// reference's proportion to the width, such as "4x128-ffn256". Models of one architecture that
// differ in layers, width, heads, kv_heads, ffn, head_dim, value_dim or experts have different
// names.
std::string size_text(const ModelConfig& config, const ModelConfig& reference);

// Returns layers and width, such as "4 x 128"; where tied cores run several times, with the number
// of layers that a pass executes: "3 x 128 (5 run)".
std::string layers_by_width(const ModelConfig& config);

}  // namespace stagedtrain::arch
