// The step of an operator that grows axes: shared by width, clone, lemon, expand and others.
#pragma once

#include <vector>

#include "grow/axis_growth.h"
#include "grow/operator.h"
#include "grow/state_rule.h"

namespace stagedtrain::grow {

// What a growth may be asked to leave as it is.
enum class GrowingAxis { residual, heads, ffn };

// Every tensor by the growth of axes, with what such a growth promises, less what `rule` breaks.
// exact: it keeps the loss. equivariant: nothing but noise, a rest or unbalanced mixing would break
// the gradient's law.
GrowthStep step_by_axes(const AxisGrowth& growth, const GrowthContext& context, bool exact,
                        bool equivariant, const StateRule& rule);

// True where positions are turned into queries and keys (RoPE) rather than learned.
bool turns_positions(const arch::ParamTable& table);
// True where norms subtract the mean (LayerNorm), so that only mean padding keeps them.
bool centers_norms(const arch::ParamTable& table);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::GrowingAxis> {
  static constexpr std::array names{"residual", "heads", "ffn"};
};
}  // namespace stagedtrain
