// Lists the training policies.
#include "policies/policy.h"

namespace stagedtrain::plan {

const std::vector<bool>& PolicyStage::no_tensors() {
  static const std::vector<bool> none;
  return none;
}

const std::vector<const Policy*>& policies() {
  static const std::vector<const Policy*> all = {
      &layer_dropout(), &layer_path(), &ffn_path(), &layer_sharing(), &token_dropping(),
      &train_groups(),  &train_last(), &adapters(), &teacher()};
  return all;
}

const Policy* policy_of(const schedule::Policies& keys) {
  for (const Policy* policy : policies())
    if (policy->is_on(keys)) return policy;
  return nullptr;
}

}  // namespace stagedtrain::plan
