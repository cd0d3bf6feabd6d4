// Deciding, while a stage trains, whether its curve has become so flat that the model should grow.
// Pure arithmetic on what the run's log holds, so that a run that was stopped and resumed decides
// at the same step.
#pragma once

#include <optional>
#include <string>

#include "law/stage_curve.h"
#include "plan/curves.h"

namespace stagedtrain::plan {

// The curve of a stage as fitted to its logged losses so far.
struct SlopeReading {
  law::StageCurve law;
  double step = 0, slope = 0;  // d ln loss / d ln tokens at the end of the points
  double low = 0, high = 0;    // 80% of the bootstraps of the noise lie between
};

// Nothing while the log does not carry a fit (plan::fit_logged_curve says when).
std::optional<SlopeReading> read_slope(const LoggedCurve& curve);

// A hit: the slope has risen to the threshold, and its interval is narrower than the threshold is
// far from 0, so that the fit knows where it is.
bool is_hit(const std::optional<SlopeReading>& reading, double threshold);

// Two hits one after the other.
struct SlopeDecision {
  SlopeReading before, now;
  double threshold = 0;
  std::string why() const;
};

// Checks whenever the validation loss is measured.
class SlopeWatch {
 public:
  // so_far: what the log holds of the stage up to where the run stands. last_check: the step of the
  // check before the next one (plan::last_due); a run that resumes at a check makes it again.
  SlopeWatch(double threshold, LoggedCurve so_far, std::int64_t last_check);
  // A logged step, in order.
  void add(const law::LoggedStep& step);
  // At a step at which a check is due.
  std::optional<SlopeDecision> check();

 private:
  double threshold_;
  LoggedCurve curve_;
  std::optional<SlopeReading> before_;
};

// What a run's log holds of a stage up to a step. begin: the step where the stage began.
LoggedCurve curve_so_far(const Path& log, const std::string& stage, std::int64_t begin,
                         std::int64_t step);

}  // namespace stagedtrain::plan
