// Applies the rule for moments and dynamics to the recipes of a step.
#include "grow/state_rule.h"

#include <algorithm>
#include <map>
#include <utility>

namespace stagedtrain::grow {
namespace {

// Returns the blocks of `moments: copy`. Where a weight is a sum of a_i w_i over old entries w_i
// with moments m_i, its moments are (sum of a_i m_i) / (sum of a_i). So a copy gets the old moments
// unscaled, whatever its weight is multiplied by. The terms of one sum are blocks with the same
// place and extent.
std::vector<TensorBlock> carried_moments(const std::vector<TensorBlock>& weights) {
  std::map<std::pair<Corner, Corner>, double> totals;
  std::vector<TensorBlock> blocks;
  for (const TensorBlock& block : weights)
    if (reads_source(block)) {
      blocks.push_back(block);
      totals[{block.to, block.extent}] += block.scale;
    }
  for (TensorBlock& block : blocks) block.scale /= totals[{block.to, block.extent}];
  return blocks;
}

void set_moments(Moments moments, TensorRecipe& made) {
  switch (moments) {
    case Moments::equivariant:
      if (made.is_new) made.gradient.clear();
      return;
    case Moments::reset_new:
      if (made.is_new) made.gradient.clear();
      std::erase_if(made.gradient, [](const TensorBlock& b) { return b.tile != Corner{}; });
      return;
    case Moments::reset:
      made.gradient.clear();
      return;
    case Moments::copy:
      made.gradient = carried_moments(made.value);
      made.moments_copied = true;
      return;
  }
}

}  // namespace

void apply_rule(const StateRule& rule, GrowthStep& step) {
  for (TensorRecipe& made : step.tensors) {
    const std::vector<TensorBlock> grown = made.gradient;
    set_moments(rule.moments, made);
    if (!made.is_new && made.gradient != grown) {
      step.equivariant = false;
      if (rule.moments == Moments::reset_new) step.symmetric = false;
    }
    made.ramp_steps = rule.ramp;
    if (rule.dynamics == Dynamics::plain) made.lr_scale = made.decay_scale = made.eps_scale = 1;
  }
}

}  // namespace stagedtrain::grow
