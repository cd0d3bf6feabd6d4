// Has the curve of a training stage become so flat that the model should grow? The decision is a
// function of the run's log alone, so a run that was stopped and resumed decides at the same step.
#pragma once

#include <optional>
#include <string>

#include "fit/curves.h"
#include "scaling/stage_curve.h"

namespace stagedtrain::plan {

// The curve fitted to a stage's logged losses so far, and its slope.
struct SlopeReading {
  scaling::StageCurve law;
  double step = 0, slope = 0;  // the last fitted step, and d ln loss / d ln tokens there
  double low = 0, high = 0;    // the 80% interval of the slope, over bootstraps of the noise
};

// Returns nothing while the log does not suffice for a fit (see plan::fit_logged_curve).
std::optional<SlopeReading> read_slope(const LoggedCurve& curve);

// Whether the slope has risen to the threshold, and is certain enough: its interval must be
// narrower than |threshold|.
bool is_hit(const std::optional<SlopeReading>& reading, double threshold);

// Two hits at successive checks, which end the stage.
struct SlopeDecision {
  SlopeReading before, now;
  double threshold = 0;
  std::string why() const;
};

// Watches a stage. check() is called whenever the validation loss is measured.
class SlopeWatch {
 public:
  // so_far is the stage's log up to the present step. last_check is the step of the check before
  // the next one (plan::last_due); a run that resumes at a check repeats it. Requires a threshold
  // below 0.
  SlopeWatch(double threshold, LoggedCurve so_far, std::int64_t last_check);
  // Adds a logged step. Steps must rise.
  void add(const scaling::LoggedStep& step);
  // Checks the slope; returns the decision if this check and the one before are hits.
  std::optional<SlopeDecision> check();

 private:
  double threshold_;
  LoggedCurve curve_;
  std::optional<SlopeReading> before_;
};

// Reads the curve of a stage up to a step from a run's log. `begin` is the step at which the stage
// began.
LoggedCurve curve_so_far(const Path& log, const std::string& stage, std::int64_t begin,
                         std::int64_t step);

}  // namespace stagedtrain::plan
