// How many FLOPs a training pass costs if it runs only some layers or trains only some tensors.
#pragma once

#include <vector>

#include "arch/model_config.h"
#include "arch/step_work.h"

namespace stagedtrain::arch {

// What a stage trains, as far as FLOPs depend on it. The default is everything.
struct TrainedParts {
  // For each layer, the share of its active matrix weights that is trained. Empty: 1 for all
  // layers.
  std::vector<double> layers;
  bool below_layers = true;  // the embeddings are trained
  bool head = true;          // the output head is trained; a tied head is the token embedding
  double share(std::int64_t layer) const {
    return layers.empty() ? 1 : layers[static_cast<std::size_t>(layer)];
  }
  bool operator==(const TrainedParts&) const = default;
};
// `frozen` is indexed like param_table(config).
TrainedParts trained_parts(const ModelConfig& config, const std::vector<bool>& frozen);

struct TokenFlops {
  double total = 0;
  double attention = 0;  // the part of `total` that full attention costs
};

// Returns the FLOPs per token of a pass, forward and backward, of all matrix products. With n
// weights in the matrices of a layer and `a` FLOPs of attention in the forward pass,
//   F = sum over running layers of [2 n (1 + b + w) + a (1 + 2 b)] + 2 vocab width (1 + b + w),
// where w is the share of the weights that is trained (frozen weights need no gradient product),
// and b is 1 if the backward pass reaches the layer, that is, if anything in it or below it is
// trained, and 0 otherwise. A layer that runs several times counts as often. Where only some
// hidden units run, n counts their weights alone; where a share k of the tokens passes through a
// layer, n is multiplied by k and a by k^2. Routed layers (arch/routed_layers.h) have the share
// k = routed_share, their router counts with n, and they cost 2 n + a more if they run a second
// time on all tokens. With all layers running and everything trained, the result equals
// flops_per_token bit by bit. A length of 0 means the whole context.
TokenFlops step_flops_per_token(const ModelConfig& config, const StepWork& work = {},
                                const TrainedParts& trained = {}, std::int64_t length = 0);

// Returns the same for a mean number of runs of a layer, with everything trained and as if all
// tokens passed through routed layers, too.
TokenFlops mean_flops_per_token(const ModelConfig& config, double layers, std::int64_t length = 0);

}  // namespace stagedtrain::arch
