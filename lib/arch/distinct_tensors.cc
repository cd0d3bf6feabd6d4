// Builds the table of a model with one layer and one expert, and multiplies.
#include "arch/distinct_tensors.h"

#include <algorithm>

#include "arch/architectures.h"
#include "arch/routed_layers.h"

namespace stagedtrain::arch {

std::vector<DistinctTensor> distinct_tensors(const ModelConfig& config) {
  ModelConfig sample = config;
  sample.layers = 1;
  sample.experts = std::min<std::int64_t>(config.experts, 1);
  sample.routed_every = std::min<std::int64_t>(config.routed_every, 1);
  std::vector<DistinctTensor> tensors;
  for (const ParamSpec& spec : param_table(sample)) {
    DistinctTensor tensor{spec};
    for (AxisSize& axis : tensor.spec.axes)
      if (axis.axis == Axis::experts && config.experts > 0) axis.size = config.experts;
    if (spec.layer >= 0) tensor.copies = tensor.active = config.layers;
    if (is_token_router(spec)) tensor.copies = tensor.active = routed_layers(config);
    if (spec.expert >= 0) {
      tensor.copies *= config.experts;
      tensor.active *= std::min(config.experts, config.experts_per_token);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace stagedtrain::arch
