// Learning-rate curves are pure functions of the step and of the planned length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stagedtrain::schedule {

// A curve whose lengths are in steps. floor is a fraction of the peak.
struct LrShape {
  std::string curve = "wsd";
  double peak = 0, floor = 0;
  std::int64_t warmup = 0, decay = 0, total = 0;
};

struct LrCurve {
  const char* name;
  const char* help;
  // Returns the factor of (peak - floor) at `progress` steps after the warm-up, out of `span`
  // steps. decay is in steps.
  double (*factor)(double progress, double span, double decay);
  bool decays;  // whether its last step is fully decayed
};
const std::vector<LrCurve>& lr_curves();
const LrCurve& find_lr_curve(const std::string& name);
std::vector<std::string> lr_curve_names();

// Returns the learning rate of optimizer step `step`, which lies in [0, total). Linear warm-up
// reaches the peak at step warmup - 1. A decay ends one step above its floor.
double lr_at(const LrShape& shape, std::int64_t step);
// Returns the factor of a re-warm-up at the start of a grown stage. It is 1 from stage step rewarm
// - 1 on.
double rewarm_factor(std::int64_t stage_step, std::int64_t rewarm);

}  // namespace stagedtrain::schedule
