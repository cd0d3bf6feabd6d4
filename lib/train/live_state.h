// A training state on the device: everything that a checkpoint holds, in a form that runs.
#pragma once

#include <memory>
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
};

// Freshly initialised weights (state::fresh), moments zero.
LiveState fresh_live(const arch::ModelConfig& config, std::uint64_t seed,
                     const model::ModelOptions& options);
// A checkpoint, every checksum verified. Throws Error(input) if it is bad, Error(usage) if its
// numbers are of another type than options.precision keeps.
LiveState load_live(const Path& path, const model::ModelOptions& options);
// Writes a checkpoint, whole or not at all.
void save_live(const Path& path, LiveState& live);
// The larger state; the smaller one is freed at the end. source names the file it was, source_crc
// that file's identity. Polls for a stop request.
LiveState grow_live(const grow::GrowthRecipe& recipe, LiveState from, const std::string& source,
                    const std::string& source_crc);

}  // namespace stagedtrain::train
