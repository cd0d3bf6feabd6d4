// Making the larger state: the very function of the `grow` command and of the trainer.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "grow/recipe.h"
#include "state/checkpoint.h"
#include "state/training_state.h"

namespace stagedtrain::grow {

// The bytes of a tensor of the smaller state, of its dtype; valid until the next call at least.
using SourceView = std::function<std::span<const std::byte>(state::Kind, std::size_t)>;

// Makes every tensor of the larger state, kind after kind, and hands each to `use` before the next
// is made; polls for a stop request.
using TensorUse = std::function<void(state::Kind, std::size_t, const state::HostTensor&)>;
void grow_tensors(const GrowthRecipe& recipe, state::DType dtype, const SourceView& source,
                  const TensorUse& use);

// Everything but the tensors: the larger model, the moments' ages, the lineage. source and
// source_crc name the ancestor.
state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc);

// The larger state; each tensor of the smaller one is freed after its last use.
state::TrainingState apply(const GrowthRecipe& recipe, state::TrainingState from,
                           const std::string& source = "in memory",
                           const std::string& source_crc = "");

// The same from file to file, one tensor in memory at a time; polls for a stop request.
void apply_file(const GrowthRecipe& recipe, const state::CheckpointReader& from,
                const Path& source_path, const Path& target);

}  // namespace stagedtrain::grow
