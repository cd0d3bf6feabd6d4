// Counting over the parameter table, so that a new architecture is counted the day it is listed.
#include "arch/cost.h"

#include "arch/architectures.h"

namespace stagedtrain::arch {
namespace {

// A token goes through experts_per_token experts, and all are of one size.
bool is_active(const ParamSpec& spec, const ModelConfig& config) {
  return spec.expert < config.experts_per_token;
}

}  // namespace

ParamCount count_params(const ModelConfig& config) {
  ParamCount count;
  for (const ParamSpec& spec : param_table(config)) {
    count.total += spec.count();
    if (is_active(spec, config)) count.active += spec.count();
    if (spec.role != Role::embed && spec.role != Role::head) count.non_embedding += spec.count();
  }
  return count;
}

double attention_flops_per_token(const ModelConfig& c, std::int64_t length) {
  const double span = static_cast<double>(length > 0 ? length : c.context);
  return 6.0 * static_cast<double>(c.layers * c.heads * (c.head_dim + c.value_dim)) * span;
}

double flops_per_token(const ModelConfig& c, std::int64_t length) {
  double weights = static_cast<double>(c.vocab) * static_cast<double>(c.width);  // the head
  for (const ParamSpec& spec : param_table(c))
    if (spec.layer >= 0 && spec.axes.size() == 2 && is_active(spec, c))
      weights += static_cast<double>(spec.count());
  return 6.0 * weights + attention_flops_per_token(c, length);
}

}  // namespace stagedtrain::arch
