// The policy train_last: trains only the last layers, as a cheap trial of hyperparameters (Frozen
// Layers, arXiv 2504.10735).
//
// The first L - z layers and the embeddings keep the weights that they have when the stage begins,
// which in a run from scratch are random. The last z layers, the final norm and the head are
// trained. A frozen layer costs its forward pass, a third of a trained one. A tied head is the
// token embedding, so that is trained too, and the backward pass then goes down to it.
#include "policies/policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

std::int64_t count_frozen(const PolicyStage& stage) {
  return stage.model.layers - *stage.keys.train_last;
}

bool is_frozen(const PolicyStage& stage, const arch::ParamSpec& spec) {
  if (spec.layer >= 0) return spec.layer < count_frozen(stage);
  if (spec.role != arch::Role::embed) return false;
  return !(stage.model.tied && spec.name == "embed.token");
}

std::vector<bool> frozen(const PolicyStage& stage, const arch::ParamTable& table, std::int64_t) {
  if (count_frozen(stage) == 0) return {};
  std::vector<bool> frozen;
  for (const arch::ParamSpec& spec : table) frozen.push_back(is_frozen(stage, spec));
  return frozen;
}

arch::TokenFlops mean_flops(const PolicyStage& stage, std::int64_t length) {
  arch::TrainedParts trained;
  if (count_frozen(stage) > 0) {
    trained.below_layers = stage.model.tied;
    for (std::int64_t layer = 0; layer < stage.model.layers; ++layer)
      trained.layers.push_back(layer < count_frozen(stage) ? 0 : 1);
  }
  return arch::step_flops_per_token(stage.model, {}, trained, length);
}

std::string refusal(const PolicyStage& stage) {
  if (count_frozen(stage) >= 0) return "";
  return fmt::format("found {}, expected at most {}, the layers of this stage's model",
                     *stage.keys.train_last, stage.model.layers);
}

std::string description(const PolicyStage& stage) {
  return fmt::format("only the last {} of {} layers, the final norm and the head are trained",
                     *stage.keys.train_last, stage.model.layers);
}

}  // namespace

const Policy& train_last() {
  static const Policy policy = {
      .key = "train_last",
      .is_on = [](const schedule::Policies& keys) { return keys.train_last.has_value(); },
      .mean_flops = mean_flops,
      .chance = [](const PolicyStage& stage, std::int64_t layer,
                   std::int64_t) { return layer < count_frozen(stage) ? 0.0 : 1.0; },
      .refusal = refusal,
      .description = description,
      .frozen = frozen};
  return policy;
}

}  // namespace stagedtrain::plan
