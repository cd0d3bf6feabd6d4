// A training state on the device: everything that a checkpoint holds, in a form that runs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "grow/recipe.h"
#include "model/model.h"
#include "state/checkpoint.h"

namespace stagedtrain::train {

// The tensors are the model's own (model->params()); the header is all the rest. Movable. Tensors
// are read, written and grown one at a time: no second copy of the whole state is ever made.
struct LiveState {
  state::StateHeader header;
  std::unique_ptr<model::Model> model;
  model::ModelOptions options;  // as asked for; behind a mask the model has reference kernels
  std::optional<arch::ModelConfig> before_mask;  // while a mask rises: what it does not cover
};

// The model that a rising mask leaves as it is: the one before the operator `mask`, which stands
// last in the newest growth; other operators of that growth come before it and are not masked.
// Requires header.mask.steps > 0. Throws Error(input) if the lineage tells of no such growth.
arch::ModelConfig model_before_mask(const state::StateHeader& header);

// Freshly initialised weights (state::fresh), moments zero.
LiveState fresh_live(const arch::ModelConfig& config, std::uint64_t seed,
                     const model::ModelOptions& options);
// A checkpoint, every checksum verified. Throws Error(input) if it is bad, Error(usage) if its
// numbers are of another type than options.precision keeps.
LiveState load_live(const Path& path, const model::ModelOptions& options);
// Sets how much of what is behind the mask of the growth before, if there is one, shows at a step.
void show_through_mask(LiveState& live, std::int64_t step);
// Takes the mask away when it has risen to 1; the kernels may then be others.
void end_mask(LiveState& live);
// Writes a checkpoint, whole or not at all. Throws as refuse_not_finite does.
void save_live(const Path& path, LiveState& live);
// Throws Error(diverged) that names the state's place and the tensor.
[[noreturn]] void refuse_not_finite(const LiveState& live, state::Kind kind, std::size_t index);
// The larger state; the smaller one is freed at the end. source names the file it was, source_crc
// that file's identity. Polls for a stop request.
LiveState grow_live(const grow::GrowthRecipe& recipe, LiveState from, const std::string& source,
                    const std::string& source_crc);

}  // namespace stagedtrain::train
