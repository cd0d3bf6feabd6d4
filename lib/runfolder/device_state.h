// Defines a training state on the device: everything that a checkpoint holds, as a model that runs.
//
// Loading, saving and growing move one tensor at a time between file, host and device, so they
// never hold a second copy of a whole state. A growth holds the smaller and the larger state until
// it ends. With shards (model/shards.h), a rank holds its parts of a state, and all ranks make the
// calls of this file together.
//
// Invariant: header and model belong together. The model's parameters are the tensors of the state
// (weights with their adapters merged), the header holds everything else, and the model's mask and
// histories follow the header. In bf16, the copy of the weights is updated after tensors have been
// set.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "adapters/adapters.h"
#include "checkpoint/checkpoint.h"
#include "grow/recipe.h"
#include "io/file.h"
#include "model/model.h"

namespace stagedtrain::train {

// The tensors are those of model->params(). The header is everything else.
struct DeviceState {
  state::StateHeader header;
  std::unique_ptr<model::Model> model;
  model::ModelOptions options;  // requested; under a mask, a GPU uses reference kernels
  // while a mask rises: the model that it leaves unchanged
  std::optional<arch::ModelConfig> before_mask;
  std::unique_ptr<Adapters> adapters;  // null unless header.adapters lists some
};

// Returns the model that a rising mask leaves unchanged: the model before the operator `mask`,
// which is the last operator of the newest growth. The operators before it are not masked. Requires
// header.mask.steps > 0. Throws Error(input) if the lineage has no such growth.
arch::ModelConfig model_before_mask(const state::StateHeader& header);

// Returns freshly initialized weights (state::fresh), with zero moments.
DeviceState fresh_live(const arch::ModelConfig& config, std::uint64_t seed,
                       const model::ModelOptions& options);
// Loads a checkpoint and verifies every checksum. Throws Error(input) if the file is bad, and
// Error(usage) if its number type is not that of options.precision.
DeviceState load_live(const Path& path, const model::ModelOptions& options);
// Sets the model's tensors of these kinds to those of a checkpoint, and verifies their checksums.
void load_tensors(const state::CheckpointReader& reader, std::span<const state::TensorKind> kinds,
                  model::Model& model);
// Begins an exponential moving average of the weights with their present values.
void average_from_now_on(DeviceState& live);
// Sets the mask to its value at a step. Does nothing without a mask.
void show_through_mask(DeviceState& live, std::int64_t step);
// Removes the mask after it has risen to 1. The model may then use other kernels. Holds a second
// model until it returns.
void end_mask(DeviceState& live);
// Begins adapters on the present weights, whose moments become zero: their memory goes back to the
// system on a CPU, since the optimizer does not touch them until the adapters end.
void begin_adapters(DeviceState& live, arch::AdapterSet set);
// Ends the adapters that there may be. The weights contain them.
void end_adapters(DeviceState& live);
// Writes a checkpoint, as a whole or not at all. Throws as refuse_not_finite does. Not for a model
// with shards (model/shards.h), which replicas/shared_save.h saves.
void save_live(const Path& path, DeviceState& live);
// Throws Error(diverged) that names stage, step and tensor.
[[noreturn]] void refuse_not_finite(const DeviceState& live, state::TensorKind kind,
                                    std::size_t index);
// Returns the larger state. The smaller one is freed when this returns. source names the file of
// the smaller state, and source_crc is its identity. Polls for a stop request.
DeviceState grow_live(const grow::GrowthRecipe& recipe, DeviceState from, const std::string& source,
                      const std::string& source_crc);

}  // namespace stagedtrain::train
