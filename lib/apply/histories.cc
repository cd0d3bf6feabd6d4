// Finds the age of each tensor's moments after a growth, and passes on its scales and generation.
#include "apply/histories.h"

#include <algorithm>
#include <optional>

#include "arch/architectures.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

using state::MomentAge;
using state::TensorHistory;

// Returns the age of the youngest moments in the tensor. `fresh` is that of entries which no block
// covers, whose moments have just been zeroed. Blocks that do not add cover every entry once at
// most (check_recipe), so their extents say whether there are such entries.
MomentAge youngest(const TensorRecipe& made, const arch::ParamSpec& target,
                   const std::vector<Histories>& states, const MomentAge& fresh) {
  std::int64_t covered = 0;
  std::optional<MomentAge> age;
  for (const TensorBlock& block : made.gradient) {
    if (!block.add) covered += block.extent[0] * block.extent[1];
    if (block.scale == 0) continue;  // a state whose share in an average is 0
    const MomentAge& source = states[block.state][block.source].age;
    age = std::max(age.value_or(source), source);
  }
  if (!age) return fresh;
  return covered == target.count() ? *age : std::max(*age, fresh);
}

}  // namespace

Histories counted_from(Histories histories, std::int64_t steps, std::int64_t now) {
  for (TensorHistory& history : histories) history.age.start += now - steps;
  return histories;
}

Histories grown_histories(const GrowthStep& step, const std::vector<Histories>& states,
                          std::int64_t now, std::int64_t generation) {
  const Histories& from = states.front();
  const arch::ParamTable targets = arch::param_table(step.to);
  const TensorHistory none;
  Histories histories(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    stop_point("growing");
    const TensorRecipe& made = step.tensors[i];
    TensorHistory& history = histories[i];
    const TensorHistory& source = made.heir_of ? from[*made.heir_of] : none;
    history.generation = made.is_new ? generation : source.generation;
    history.lr_scale = source.lr_scale * made.lr_scale;
    history.decay_scale = source.decay_scale * made.decay_scale;
    history.eps_scale = source.eps_scale * made.eps_scale;
    history.age = youngest(made, targets[i], states, {now, made.ramp_steps});
  }
  return histories;
}

}  // namespace stagedtrain::grow
