// How are the axes of the report's figures scaled? Their ranges, and units that keep the numbers
// short.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "compare/comparison.h"
#include "figures/figure.h"

namespace stagedtrain::report {

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return !(low <= high); }
};

// The values of a cost axis are divided by size; title names the unit.
struct Unit {
  double size;
  std::string title;
};
// Returns the largest unit in which `most` is at least 1.
Unit unit_of(CostKind kind, double most);
// The same for FLOPs, with the unit's name as in "12.3 TFLOPs".
struct FlopsUnit {
  double size;
  const char* name;
};
FlopsUnit flops_unit(double most);
// Returns a log axis over these costs. Its title says that the scale is logarithmic.
Axis cost_axis(const Unit& unit, double low, double high);
// Returns a linear axis over the range, with margins given as shares of the range's span.
Axis loss_axis(const char* title, Range range, double margin_below, double margin_above);

}  // namespace stagedtrain::report
