// How do upcycle and experts name the tensors that they copy into experts, and add noise to them?
#pragma once

#include <string>

#include "arch/param_table.h"
#include "base/rng.h"
#include "grow/recipe.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

// Returns the name of an expert's tensor with `other` in place of "experts.E.", where E is the
// expert's index. Returns the names of other tensors unchanged.
inline std::string named_instead(const arch::ParamSpec& target, const std::string& other) {
  std::string name = target.name;
  const std::string part = fmt::format("experts.{}.", target.expert);
  return target.expert < 0 ? name : name.replace(name.find(part), part.size(), other);
}

// Returns the block that adds noise of size symmetry.noise to the entries of the block `copied`.
// The noise is a pure function of the target's name and the seed.
inline TensorBlock noise_on(TensorBlock copied, const arch::ParamSpec& target,
                            const Symmetry& symmetry) {
  copied.kind = TensorBlock::Kind::noise;
  copied.scale = symmetry.noise;
  copied.stream = hash_name(fmt::format("{} {}", target.name, symmetry.seed));
  copied.noise_columns = copied.extent[1];
  return copied;
}

}  // namespace stagedtrain::grow
