// Units and axes.
#include "report/axes.h"

namespace stagedtrain::report {

Unit unit_of(Measure measure, double most) {
  if (measure == Measure::seconds) {
    if (most < 300) return {1, "wall-clock time in training steps, seconds"};
    if (most < 18000) return {60, "wall-clock time in training steps, minutes"};
    return {3600, "wall-clock time in training steps, hours"};
  }
  struct Step {
    double size;
    const char *flops, *tokens;
  };
  static constexpr Step steps[] = {
      {1e24, "YFLOPs (10²⁴)", ""},          {1e21, "ZFLOPs (10²¹)", ""},
      {1e18, "EFLOPs (10¹⁸)", ""},          {1e15, "PFLOPs (10¹⁵)", ""},
      {1e12, "TFLOPs (10¹²)", "trillions"}, {1e9, "GFLOPs (10⁹)", "billions"},
      {1e6, "MFLOPs (10⁶)", "millions"},    {1e3, "", "thousands"}};
  const bool flops = measure == Measure::flops;
  const std::string what = flops ? "training compute, " : "training tokens, ";
  for (const Step& step : steps)
    if (const char* name = flops ? step.flops : step.tokens; most >= step.size && *name)
      return {step.size, what + name};
  return {1, flops ? "training compute, FLOPs" : "training tokens"};
}

Axis cost_axis(const Unit& unit, double low, double high) {
  return {.title = unit.title,
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
