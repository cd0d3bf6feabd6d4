// Chooses units and builds the axes of the report's figures.
#include "compare/axes.h"

namespace stagedtrain::report {

FlopsUnit flops_unit(double most) {
  static constexpr FlopsUnit units[] = {{1e24, "YFLOPs"}, {1e21, "ZFLOPs"}, {1e18, "EFLOPs"},
                                        {1e15, "PFLOPs"}, {1e12, "TFLOPs"}, {1e9, "GFLOPs"},
                                        {1e6, "MFLOPs"}};
  for (const FlopsUnit& unit : units)
    if (most >= unit.size) return unit;
  return {1, "FLOPs"};
}

Unit unit_of(CostKind kind, double most) {
  if (kind == CostKind::seconds) {
    if (most < 300) return {1, "training time, seconds"};
    if (most < 18000) return {60, "training time, minutes"};
    return {3600, "training time, hours"};
  }
  if (kind == CostKind::flops) {
    const FlopsUnit unit = flops_unit(most);
    return {unit.size, std::string("training compute, ") + unit.name};
  }
  struct Step {
    double size;
    const char* name;
  };
  static constexpr Step steps[] = {
      {1e12, "trillions"}, {1e9, "billions"}, {1e6, "millions"}, {1e3, "thousands"}};
  for (const Step& step : steps)
    if (most >= step.size) return {step.size, std::string("training tokens, ") + step.name};
  return {1, "training tokens"};
}

Axis cost_axis(const Unit& unit, double low, double high) {
  return {.title = unit.title + " (log scale)",
          .low = low / unit.size,
          .high = high / unit.size,
          .log = true,
          .ticks = log_ticks(low / unit.size, high / unit.size)};
}

Axis loss_axis(const char* title, Range range, double margin_below, double margin_above) {
  const double span = std::max(range.high - range.low, 1e-3 * std::abs(range.high) + 1e-6);
  Axis axis{.title = title,
            .low = range.low - margin_below * span,
            .high = range.high + margin_above * span};
  axis.ticks = linear_ticks(axis.low, axis.high, 6);
  return axis;
}

}  // namespace stagedtrain::report
