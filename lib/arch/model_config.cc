// Checks the rules for a model's sizes and fills in the derived ones.
#include "arch/model_config.h"

#include <algorithm>

#include "arch/architectures.h"
#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "base/error.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::arch {
namespace {

void require(std::int64_t value, const char* key) {
  if (value <= 0) throw usage_error("model.{} is {}, expected at least 1", key, value);
}

// Checks the ranges in the fields list. Sizes that come from a schedule have passed this check
// already; those of grown and of foreign models have not.
struct RangeCheck {
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    if constexpr (std::same_as<T, std::int64_t> || std::same_as<T, double>) {
      const auto size = static_cast<double>(value);
      const bool inside =
          size >= info.min && size <= info.max && !(info.above_min && size == info.min);
      if (!inside)
        throw usage_error("model.{} is {}, expected {}{} to {}", key, value,
                          info.above_min ? "above " : "", format_number(info.min),
                          format_number(info.max));
    }
  }
};

// Rejects sizes whose parameter count could overflow. The limit is far above that of any real
// model.
void check_size(const ModelConfig& c) {
  constexpr double kMost = 1e15;
  const double sizes = static_cast<double>(c.head_dim) + static_cast<double>(c.value_dim);
  const double attention = static_cast<double>(c.heads + c.kv_heads) * sizes;
  const auto experts = static_cast<double>(std::max<std::int64_t>(c.experts, 1));
  const double per_layer = attention + experts * (3.0 * static_cast<double>(c.ffn) + 1);
  const double params = static_cast<double>(c.width) *
                        (static_cast<double>(c.layers) * per_layer +
                         2.0 * static_cast<double>(c.vocab) + static_cast<double>(c.context));
  if (params > kMost)
    throw usage_error("model: about {} parameters, expected at most {:.0e}", short_count(params),
                      kMost);
}

void check_experts(const ModelConfig& c) {
  if (c.experts > 0 && c.experts_per_token > c.experts)
    throw usage_error("model.experts_per_token is {}, expected at most model.experts {}",
                      c.experts_per_token, c.experts);
  if (c.experts == 0 && !c.norm_topk)
    throw usage_error("model.norm_topk is false, expected true: the model has no experts");
}

// Requires the rope keys that the chosen scaling does not read to keep their defaults, so that
// equal models have equal configurations.
void check_rope(const ModelConfig& c) {
  const ModelConfig plain;
  const bool llama3 = c.rope_scaling == "llama3";
  const std::vector<std::string> kinds{"none", "linear", "llama3"};
  if (std::find(kinds.begin(), kinds.end(), c.rope_scaling) == kinds.end())
    throw usage_error("model.rope_scaling is '{}'{}", c.rope_scaling,
                      suggestion(c.rope_scaling, kinds));
  if (c.rope_scaling == "none" && c.rope_factor != 1)
    throw usage_error("model.rope_factor is {}, expected 1: rope_scaling is none",
                      format_number(c.rope_factor));
  if (!llama3 && (c.rope_low != plain.rope_low || c.rope_high != plain.rope_high ||
                  c.rope_original != plain.rope_original))
    throw usage_error(
        "model.rope_low, rope_high and rope_original are read with rope_scaling: llama3 only, "
        "found {}",
        c.rope_scaling);
  if (llama3 && c.rope_high <= c.rope_low)
    throw usage_error("model.rope_high is {}, expected above rope_low {}",
                      format_number(c.rope_high), format_number(c.rope_low));
}

void check_parameterization(const Parameterization& p) {
  if (p.base_width < 0 || p.base_layers < 0 || p.final_layers < 0)
    throw usage_error("parameterization: found {}, {} and {}, expected no number below 0",
                      p.base_width, p.base_layers, p.final_layers);
  if (p.base_layers > 0 && (p.base_width == 0 || p.final_layers == 0))
    throw usage_error(
        "parameterization: found base_layers {} with base_width {} and final_layers {}, expected "
        "both above 0",
        p.base_layers, p.base_width, p.final_layers);
}

// Describes a parameterization as ", scaled from 64 x 2 layers for 12 layers".
std::string scaling(const Parameterization& p) {
  if (!p.scales_width()) return "";
  if (!p.scales_depth()) return fmt::format(", scaled from width {}", p.base_width);
  return fmt::format(", scaled from {} x {}, for {} layers", p.base_layers, p.base_width,
                     p.final_layers);
}

// Describes every field that differs from its default, each with a leading comma.
std::string particulars(const ModelConfig& c) {
  const ModelConfig plain;
  std::string text = c.tied ? "" : ", untied head";
  if (c.norm_eps != plain.norm_eps) text += ", norm eps " + format_number(c.norm_eps);
  if (c.value_dim != c.head_dim) text += fmt::format(", values of {}", c.value_dim);
  if (c.rope_theta != plain.rope_theta) text += ", rope theta " + format_number(c.rope_theta);
  if (c.rotary_share != 1) text += ", rotary share " + format_number(c.rotary_share);
  if (c.rope_scaling != "none")
    text += fmt::format(", rope scaling {} {}", c.rope_scaling, format_number(c.rope_factor));
  if (c.logit_scale != plain.logit_scale) text += ", logit scale " + format_number(c.logit_scale);
  text += loops_text(c) + routed_text(c) + scaling(c.parameterization);
  if (c.experts == 0) return text;
  text += fmt::format(", {} ({} a token", counted(c.experts, "expert"), c.experts_per_token);
  if (!c.norm_topk) text += ", gates as the router gives them";
  if (c.router_loss != plain.router_loss) text += ", router loss " + format_number(c.router_loss);
  return text + ")";
}

}  // namespace

ModelConfig resolved(ModelConfig config) {
  require(config.width, "width");
  require(config.heads, "heads");
  require(config.vocab, "vocab");
  require(config.context, "context");
  RangeCheck ranges;
  config.fields(ranges);
  const Architecture& architecture = find_architecture(config.architecture);
  if (config.head_dim == 0) {
    if (config.width % config.heads != 0)
      throw usage_error("model.heads {} does not divide model.width {}", config.heads, config.width)
          .with_hint("choose heads that divide width, or give head_dim");
    config.head_dim = config.width / config.heads;
  }
  if (config.value_dim == 0) config.value_dim = config.head_dim;
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  if (config.ffn == 0) config.ffn = architecture.default_ffn(config.width);
  check_size(config);
  check_experts(config);
  check_rope(config);
  check_parameterization(config.parameterization);
  check_loops(config);
  check_routed(config);
  architecture.check(config);
  return config;
}

std::string describe(const ModelConfig& c) {
  const std::string key_values =
      c.kv_heads == c.heads ? "" : fmt::format(" ({} of keys and values)", c.kv_heads);
  return fmt::format("{}, {} x {}, {} of {}{}, ffn {}, context {}, vocab {}{}", c.architecture,
                     counted(c.layers, "layer"), c.width, counted(c.heads, "head"), c.head_dim,
                     key_values, c.ffn, c.context, c.vocab, particulars(c));
}

}  // namespace stagedtrain::arch
