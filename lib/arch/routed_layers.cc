// Counts the tokens and the costs of routed layers, and checks their configuration.
#include "arch/routed_layers.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::arch {
namespace {

std::string keys_text(const ModelConfig& c) {
  return fmt::format("share {}, labels {}, loss {}, base {}, gain {}",
                     format_number(c.routed_share), c.routed_labels, format_number(c.routed_loss),
                     format_number(c.routed_base), format_number(c.routed_gain));
}

}  // namespace

std::int64_t chosen_tokens(const ModelConfig& config, std::int64_t tokens) {
  // The product may be a little above the whole number that it should be.
  const auto all = static_cast<double>(tokens);
  const double chosen = std::ceil(config.routed_share * all - 1e-9 * all);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(chosen));
}

bool compares_tokens(const ModelConfig& config) {
  return has_routed_layers(config) && config.routed_labels == "similarity" &&
         config.routed_loss > 0;
}

ModelConfig without_routing(ModelConfig config) {
  const ModelConfig plain;
  config.routed_every = plain.routed_every;
  config.routed_share = plain.routed_share;
  config.routed_labels = plain.routed_labels;
  config.routed_loss = plain.routed_loss;
  config.routed_base = plain.routed_base;
  config.routed_gain = plain.routed_gain;
  return config;
}

// Attention is counted as if all sequences had the same number of tokens that pass. A forward pass
// without gradients is a third of a step.
RoutedCost mean_routed_cost(const ModelConfig& c) {
  if (!has_routed_layers(c)) return {};
  const double again = compares_tokens(c) ? 1.0 / 3 : 0;
  const double routed = static_cast<double>(routed_layers(c)) /
                        static_cast<double>(std::max<std::int64_t>(1, c.layers));
  return {1 - routed * (1 - c.routed_share - again),
          1 - routed * (1 - c.routed_share * c.routed_share - again)};
}

void check_routed(const ModelConfig& c) {
  if (!has_routed_layers(c)) {
    if (c == without_routing(c)) return;
    throw usage_error(
        "model: found routed_share {}, routed_labels {}, routed_loss {}, routed_base {} and "
        "routed_gain {} without routed layers, expected model.routed_every above 0 or the defaults "
        "of these keys",
        format_number(c.routed_share), c.routed_labels, format_number(c.routed_loss),
        format_number(c.routed_base), format_number(c.routed_gain));
  }
  if (c.routed_labels != "own" && c.routed_labels != "similarity")
    throw usage_error("model.routed_labels is '{}'{}", c.routed_labels,
                      suggestion(c.routed_labels, {"own", "similarity"}));
  if (c.routed_every > c.layers)
    throw usage_error(
        "model.routed_every is {}, expected at most model.layers {}: no layer would be routed",
        c.routed_every, c.layers);
  if (c.experts > 0)
    throw usage_error(
        "model: found routed_every {} with {} experts, expected only one of them: a layer has one "
        "router",
        c.routed_every, c.experts);
  if (c.core > 0)
    throw usage_error(
        "model: found routed_every {} with a looped core, expected core 0: routed layers run once",
        c.routed_every);
}

void check_routing_kept(const ModelConfig& from, const ModelConfig& to,
                        const std::function<std::int64_t(std::int64_t)>& source) {
  for (std::int64_t layer = 0; layer < to.layers; ++layer) {
    const std::int64_t old = source(layer);
    const bool was = is_routed(from, old), is = is_routed(to, layer);
    if (old >= 0 && was != is)
      throw usage_error(
          "found routed_every {} and layer {} of the larger model {}, made of layer {}, which {}; "
          "expected layers that stay routed, or not routed",
          to.routed_every, layer, is ? "routed" : "not routed", old, was ? "is" : "is not")
          .with_hint(
              "order: append copies all layers in their order; or add layers first and routers "
              "then: grow: [{operator: depth, ...}, {operator: route, ...}]");
  }
}

std::string routed_text(const ModelConfig& c) {
  if (!has_routed_layers(c)) return "";
  return fmt::format(", 1 of {} layers routed ({})", c.routed_every, keys_text(c));
}

}  // namespace stagedtrain::arch
