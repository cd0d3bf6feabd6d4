// FLOPs of a training pass that runs some layers of a model, or trains some of its tensors.
#pragma once

#include <vector>

#include "arch/model_config.h"
#include "arch/step_work.h"

namespace stagedtrain::arch {

// What a stage trains, as far as FLOPs depend on it. The default: everything.
struct TrainedParts {
  // For each layer, the share of its matrices' weights (those that a token goes through) that are
  // trained; empty: all.
  std::vector<double> layers;
  bool below_layers = true;  // embeddings are trained
  bool head = true;          // a tied head is the token embedding
  double share(std::int64_t layer) const {
    return layers.empty() ? 1 : layers[static_cast<std::size_t>(layer)];
  }
  bool operator==(const TrainedParts&) const = default;
};
// frozen: by index of param_table(config).
TrainedParts trained_parts(const ModelConfig& config, const std::vector<bool>& frozen);

struct TokenFlops {
  double total = 0;
  double attention = 0;  // of these, the part of full attention
};

// FLOPs for one token of a pass (forward and backward, all matrix products). With n weights in the
// matrices of a layer and a FLOPs of attention forward,
//   F = sum over layers that run of [2 n (1 + b + w) + a (1 + 2 b)] + 2 vocab width (1 + b + w),
// where w is the share of weights that are trained (no product is made for the gradient of the
// others) and b is 1 if the backward pass comes to the layer, that is, if anything in it or below
// it is trained, else 0. With all layers and everything trained it is flops_per_token, to the bit.
// length 0 means the whole context.
TokenFlops step_flops_per_token(const ModelConfig& config, const StepWork& work = {},
                                const TrainedParts& trained = {}, std::int64_t length = 0);

// The same where only the mean number of layers that run is known, and everything is trained.
TokenFlops mean_flops_per_token(const ModelConfig& config, double layers, std::int64_t length = 0);

}  // namespace stagedtrain::arch
