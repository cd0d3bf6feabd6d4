// Trains the maps of a learned growth before it is applied (grow/dense_map.h): the weights of the
// smaller model stay as they are, and so does everything else of its state.
#pragma once

#include <optional>

#include "replicas/run_context.h"

namespace stagedtrain::train {

// Fits the maps of `recipe`, which is changed, if it needs a fit; `stage` is the one that the
// growth leads into. Each step takes the next batch of the run's data, the loss and the gradient of
// the larger model on it, and moves the maps by Adam. Adds the tokens, FLOPs and seconds to the
// progress of `from`, and moves its place in the data. All ranks make the call together and get the
// same maps, to the bit. Returns the event "fit" of run.jsonl, or nothing if no map needs a fit:
// the costs, the mean losses of the first and the last training batch, and the loss on one batch of
// validation windows with the maps before and after.
//
// Throws Error(diverged) if a loss is not a number, and Error(interrupted) on a stop request; the
// fit then begins anew when the run continues, with the same result.
std::optional<Json> fit_maps(RunContext& run, const plan::StagePlan& stage, DeviceState& from,
                             grow::GrowthRecipe& recipe);

}  // namespace stagedtrain::train
