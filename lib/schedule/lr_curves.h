// Which learning-rate curves are there? They are pure functions of the step and the planned length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stagedtrain::schedule {

// A curve with its parameters. `floor` is a fraction of the peak; warmup, decay and total are in
// optimizer steps.
struct LrShape {
  std::string curve = "wsd";
  double peak = 0, floor = 0;
  std::int64_t warmup = 0, decay = 0, total = 0;
};

// One row of the table of curves.
struct LrCurve {
  const char* name;
  const char* help;  // one line
  // Returns the share of (peak - floor) that is left `progress` steps after the warm-up, if `span`
  // steps follow the warm-up and the last `decay` of them decay. 1 is the peak, 0 the floor.
  double (*factor)(double progress, double span, double decay);
  bool decays;  // whether the curve ends at the floor
};
const std::vector<LrCurve>& lr_curves();
// Returns the curve of this name. Throws Error(usage) with the nearest name if there is none.
const LrCurve& find_lr_curve(const std::string& name);
std::vector<std::string> lr_curve_names();

// Returns the learning rate of optimizer step `step`, which lies in [0, total). The linear warm-up
// reaches the peak at step warmup - 1. A decay would reach the floor at step `total`, so the last
// step is one step above it.
double lr_at(const LrShape& shape, std::int64_t step);
// Returns the factor of a re-warm-up of `rewarm` steps at step `stage_step` of a grown stage. It
// reaches 1 at stage step rewarm - 1.
double rewarm_factor(std::int64_t stage_step, std::int64_t rewarm);

}  // namespace stagedtrain::schedule
