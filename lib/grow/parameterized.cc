// Divides the scales of the larger model by those of the smaller one.
#include "grow/parameterized.h"

#include "arch/architectures.h"

namespace stagedtrain::grow {

void follow_parameterization(GrowthStep& step) {
  if (!step.to.parameterization.scales_width()) return;
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    TensorRecipe& made = step.tensors[i];
    const arch::StepScales from = made.heir_of ? sources[*made.heir_of].scales : arch::StepScales{};
    const arch::StepScales& to = targets[i].scales;
    made.lr_scale = to.lr / from.lr;
    made.decay_scale = to.decay / from.decay;
    made.eps_scale = to.eps / from.eps;
  }
}

}  // namespace stagedtrain::grow
