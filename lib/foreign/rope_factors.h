// How does a GGUF store the rope scaling of Llama 3? As a tensor of factors, without its
// parameters.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::hub {

// The tensor's name in a GGUF: float32, one number for each pair of entries that rotate.
inline constexpr const char* kRopeFactors = "rope_freqs.weight";

// Returns by what the scaling divides each pair's frequency.
std::vector<float> rope_factors(const arch::ModelConfig& model);

// Sets rope_scaling and its parameters so that rope_factors(model) are these, up to 1e-5 of each.
// Several sets of parameters can have the same factors: those of Llama 3.1 are taken if they fit,
// and otherwise rope_original is at most 8192. Factors that are all 1 set nothing. Requires a
// resolved model without scaling. Throws Error(input), which begins with `where`, if no parameters
// fit.
void set_rope_factors(std::span<const float> factors, arch::ModelConfig& model,
                      const std::string& where);

}  // namespace stagedtrain::hub
