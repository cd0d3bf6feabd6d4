// Compares the sizes of both models.
#include "policies/transplant.h"

#include <algorithm>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "text/text.h"

namespace stagedtrain::plan {

bool transplants(const schedule::Policies& keys) {
  return keys.adapters && !keys.adapters->from.empty();
}

std::int64_t sample_length(const arch::ModelConfig& larger, const arch::ModelConfig& model) {
  return std::min(larger.context, model.context);
}

arch::TokenFlops sensitivity_flops(const schedule::AdaptersSpec& keys,
                                   const arch::ModelConfig& larger,
                                   const arch::ModelConfig& model) {
  const std::int64_t length = sample_length(larger, model);
  const auto tokens = static_cast<double>(keys.samples * length);
  return {tokens * arch::flops_per_token(larger, length),
          tokens * arch::attention_flops_per_token(larger, length)};
}

std::string transplant_refusal(const PolicyStage& stage, const arch::ParamTable& table,
                               const std::vector<std::size_t>& matrices) {
  const arch::ModelConfig &larger = *stage.larger, &model = stage.model;
  const auto refused = [&](const std::string& expected) {
    return fmt::format("from: found {} in {}, expected {}", describe(larger),
                       stage.keys.adapters->from, expected);
  };
  if (larger.architecture != model.architecture)
    return refused("a model of the architecture " + model.architecture);
  if (larger.vocab != model.vocab) return refused(fmt::format("vocab {}", grouped(model.vocab)));
  if (larger.layers < model.layers)
    return refused(fmt::format("at least the {} layers of this stage", model.layers));
  const arch::ParamTable theirs = arch::param_table(larger);
  for (const std::size_t i : matrices) {
    const std::int64_t at = theirs.index(arch::layer_name(0, table[i].key));
    if (at < 0) return refused("a model with matrices " + table[i].key);
    const auto& axes = theirs[static_cast<std::size_t>(at)].axes;
    if (axes[0].size < table[i].axes[0].size || axes[1].size < table[i].axes[1].size)
      return refused(fmt::format("matrices {} of at least {} x {}, not {} x {}", table[i].key,
                                 table[i].axes[0].size, table[i].axes[1].size, axes[0].size,
                                 axes[1].size));
  }
  return "";
}

}  // namespace stagedtrain::plan
