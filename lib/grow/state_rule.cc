// Moments and scales, tensor by tensor.
#include "grow/state_rule.h"

#include <algorithm>

namespace stagedtrain::grow {
namespace {

std::vector<Block> as_weights(const TensorRecipe& made) {
  std::vector<Block> blocks;
  for (const Block& block : made.value) {
    if (block.kind != Block::Kind::copy) continue;
    blocks.push_back(block);
    if (!block.add) blocks.back().scale = 1;
  }
  return blocks;
}

void set_moments(Moments moments, TensorRecipe& made) {
  switch (moments) {
    case Moments::equivariant:
      if (made.is_new) made.gradient.clear();
      return;
    case Moments::reset_new:
      if (made.is_new) made.gradient.clear();
      std::erase_if(made.gradient, [](const Block& b) { return b.tile != Corner{}; });
      return;
    case Moments::reset:
      made.gradient.clear();
      return;
    case Moments::copy:
      if (!made.is_new) made.gradient = as_weights(made);
      return;
  }
}

}  // namespace

void apply_rule(const StateRule& rule, GrowthStep& step) {
  for (TensorRecipe& made : step.tensors) {
    const std::vector<Block> grown = made.gradient;
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
