// Lists which optimizers have which options, and fills in their defaults.
#include "schedule/optimizer_spec.h"

#include <algorithm>
#include <string_view>

namespace stagedtrain::schedule {
namespace {

using enum OptimizerName;

// An option, and the optimizers that have it.
struct Option {
  std::string_view key;
  std::vector<OptimizerName> of;
};
// Lists the options that not every optimizer has. weight_decay and clip belong to all.
const std::vector<Option>& options() {
  static const std::vector<Option> all{{"betas", {adamw, muon, lion}}, {"eps", {adamw, muon}},
                                       {"momentum", {muon, sgd}},      {"nesterov", {muon, sgd}},
                                       {"update_scale", {muon}},       {"adamw_lr", {muon}}};
  return all;
}

bool has(OptimizerName name, std::string_view key) {
  const auto option = std::ranges::find(options(), key, &Option::key);
  return option == options().end() || std::ranges::find(option->of, name) != option->of.end();
}

void refuse_options_of_others(OptimizerName name, const Tree& written) {
  for (const TreeEntry& entry : written.entries) {
    if (has(name, entry.key)) continue;
    std::vector<std::string> owners;
    for (const OptimizerName owner : std::ranges::find(options(), entry.key, &Option::key)->of)
      owners.push_back(enum_name(owner));
    throw Error(ErrorKind::usage,
                to_string(entry.mark) +
                    fmt::format("optimizer.{}: found an option that {} does not have, expected it "
                                "only if optimizer.name is {}; remove it, or change optimizer.name",
                                entry.key, enum_name(name), join(owners, ", ")));
  }
}

}  // namespace

void settle(OptimizerSpec& spec, const Tree* written) {
  const OptimizerName name = spec.name;
  const bool is_map = written && written->kind == Tree::Kind::map;
  if (is_map) refuse_options_of_others(name, *written);
  if (name == lion && !(is_map && written->find("betas"))) spec.betas = {0.9, 0.99};
  if (!has(name, "betas")) spec.betas.clear();
  if (!has(name, "eps")) spec.eps.reset();
  if (has(name, "eps") && !spec.eps) spec.eps = 1e-8;
  if (has(name, "momentum") && !spec.momentum) spec.momentum = name == muon ? 0.95 : 0.9;
  if (has(name, "nesterov") && !spec.nesterov) spec.nesterov = name == muon;
  if (has(name, "update_scale") && !spec.update_scale) spec.update_scale = UpdateScale::spectral;
  if (has(name, "adamw_lr") && !spec.adamw_lr) spec.adamw_lr = 3e-3;
}

}  // namespace stagedtrain::schedule
