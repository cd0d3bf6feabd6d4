// Routed layers: layers through which only some of the tokens pass (DLO, arXiv 2407.11030).
//
// With routed_every = n, the layers n - 1, 2 n - 1, ... are routed. A routed layer has a router, a
// matrix w of shape (1, width), and gives each token the score s = sigmoid(w . x), where x is the
// layer's input. The output is
//   y = x + c(s) (layer(x) - x),   c(s) = routed_base / 2 + (s - 1/2) routed_gain
// for tokens that pass, and x for the others. Tokens that pass attend to one another only, causally
// and at their own positions.
//
// In training, the chosen_tokens() with the largest scores of a forward pass pass; among equal
// scores, the first ones. This choice compares a token with later ones and with other sequences, so
// it is not causal. In evaluation all tokens with s >= 1/2 pass, whatever the others are.
//
// The routers learn from binary cross-entropy between s and a label, mean over the tokens and over
// the routed layers, times routed_loss. The label is 1
//   own         for the tokens that pass
//   similarity  for as many tokens with the lowest cosine of x and layer(x), where the layer runs a
//               second time, on all tokens and without gradients
//
// The paper's code differs where scores are equal: in training it takes all that equal the last one
// chosen, and in evaluation s > 1/2. Routers begin at zero, so there a fresh model would run no
// routed layer in evaluation; here it runs them on all tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "arch/param_table.h"

namespace stagedtrain::arch {

// The key of a router of tokens within its layer.
inline constexpr const char* kTokenRouter = "token_router.weight";
inline bool is_token_router(const ParamSpec& spec) { return spec.key == kTokenRouter; }

inline bool has_routed_layers(const ModelConfig& config) { return config.routed_every > 0; }
inline bool is_routed(const ModelConfig& config, std::int64_t layer) {
  return has_routed_layers(config) && (layer + 1) % config.routed_every == 0;
}
inline std::int64_t routed_layers(const ModelConfig& config) {
  return has_routed_layers(config) ? config.layers / config.routed_every : 0;
}
// Returns how many of the tokens of a forward pass pass through a routed layer in training.
std::int64_t chosen_tokens(const ModelConfig& config, std::int64_t tokens);
// Whether training runs routed layers on all tokens, too, to see which ones they change most.
bool compares_tokens(const ModelConfig& config);

// Returns the same model with all tokens passing through all layers.
ModelConfig without_routing(ModelConfig config);

// What a training step costs in the matrices and in the attention of a layer, relative to a layer
// that all tokens pass through: the mean over all layers, routers not counted. 1 without routed
// layers.
struct RoutedCost {
  double matrices = 1, attention = 1;
};
RoutedCost mean_routed_cost(const ModelConfig& config);

// Throws Error(usage) if routed layers do not go with the rest of the configuration, or if keys of
// routed layers are given to a model that has none.
void check_routed(const ModelConfig& config);
// Throws Error(usage) unless every layer of `to` is routed if and only if the layer of `from` that
// it comes from is. source(i) is the layer that layer i comes from.
void check_routing_kept(const ModelConfig& from, const ModelConfig& to,
                        const std::function<std::int64_t(std::int64_t)>& source);
// Describes routed layers as ", 1 of 2 layers routed (share 0.5, labels own, loss 0.1, base 1, gain
// 1)"; "" if there are none.
std::string routed_text(const ModelConfig& config);

}  // namespace stagedtrain::arch
