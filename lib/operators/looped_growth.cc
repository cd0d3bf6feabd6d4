// Builds the maps of layers of looped cores.
#include "operators/looped_growth.h"

#include "arch/loops.h"
#include "base/error.h"

namespace stagedtrain::grow {

LayerMap untied_layers(const arch::ModelConfig& from) {
  LayerMap layers;
  for (const arch::LayerWork& one : arch::whole_work(from).list(from.layers))
    layers.push_back({one.layer, false});
  return layers;
}

LayerMap layers_of_passes(const arch::ModelConfig& from, const arch::ModelConfig& to,
                          LayerOrder order) {
  if (from.tied_cores) return ordered_layers(from.layers, from.layers, LayerOrder::alternate);
  LayerMap layers;
  for (std::int64_t i = 0; i < from.prelude; ++i) layers.push_back({i, false});
  for (const LayerSource& core : ordered_layers(from.passes, to.passes, order))
    for (std::int64_t i = 0; i < from.core; ++i)
      layers.push_back({from.prelude + core.layer * from.core + i, core.is_new});
  for (std::int64_t i = from.layers - from.coda; i < from.layers; ++i) layers.push_back({i, false});
  return layers;
}

void check_boundaries_kept(const std::string& name, const GrowthStep& step) {
  if (!arch::is_looped(step.from)) return;
  const bool copies_stream = name == "width" || name == "clone";
  if (step.mask_steps > 0)
    throw usage_error("{}: found a model with a looped core, expected one without (model.core 0)",
                      name);
  if (step.from.boundary && step.to.width != step.from.width && !copies_stream)
    throw usage_error(
        "{}: found width {} to {} in a model with boundaries, expected the operator width or clone",
        name, step.from.width, step.to.width)
        .with_hint(
            "the norm of a boundary has no gain, so only whole copies of the residual stream keep "
            "what it computes");
}

}  // namespace stagedtrain::grow
