// From an axis growth to a step.
#include "grow/axis_operator.h"

#include <algorithm>

#include "base/error.h"

namespace stagedtrain::grow {
namespace {

// More blocks than any real growth has; it would take minutes to write them down.
constexpr std::size_t kMostBlocks = 1 << 18;

void check_blocks(const AxisGrowth& growth) {
  std::size_t most = 0;
  for (const AxisMap& map : growth.maps) most = std::max(most, map.pieces.size());
  if (most * most > kMostBlocks)
    throw usage_error("this growth has matrices of {} blocks, expected at most {}", most * most,
                      kMostBlocks)
        .with_hint("grow by a smaller factor");
}

}  // namespace

GrowthStep step_by_axes(const AxisGrowth& growth, const GrowthContext& context, bool exact,
                        bool equivariant, const StateRule& rule) {
  check_blocks(growth);
  GrowthStep step;
  step.exact = exact;
  const bool balanced = growth.noise == 0 && growth.mixing.balanced();
  const bool tells_apart = !balanced && growth.duplicates();
  step.equivariant =
      equivariant && !tells_apart && !growth.pads() && growth.of(arch::Axis::residual).even();
  step.symmetric = growth.duplicates() && balanced && !growth.pads();
  for (const arch::ParamSpec& target : arch::param_table(context.to)) {
    const std::int64_t source = context.sources.index(target.name);
    ST_CHECK(source >= 0, "{}: the smaller model has no such tensor", target.name);
    step.tensors.push_back(tensor_by_axes(growth, target, context.sources,
                                          static_cast<std::size_t>(source), context.from.tied));
  }
  apply_rule(rule, step);
  return step;
}

bool turns_positions(const arch::ParamTable& table) {
  return std::none_of(table.begin(), table.end(), [](const arch::ParamSpec& spec) {
    return spec.axes[0].axis == arch::Axis::position;
  });
}

bool centers_norms(const arch::ParamTable& table) {
  return std::any_of(table.begin(), table.end(), [](const arch::ParamSpec& spec) {
    return spec.role == arch::Role::final_norm && spec.init.value == 0;
  });
}

}  // namespace stagedtrain::grow
