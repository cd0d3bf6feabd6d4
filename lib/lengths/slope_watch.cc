// Fits the stage's logged curve at every check, and compares its slope with the threshold.
#include "lengths/slope_watch.h"

#include <algorithm>
#include <cmath>

#include "fit/fit_laws.h"
#include "statistics/bootstrap.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

constexpr int kResamples = 100;

double slope_at(const scaling::StageCurve& law, double x) {
  const double power = law.B * std::pow(x + law.x0, -law.b);
  return -law.b * power / (law.E + power);
}

// Returns the curve with its steps up to `step` only.
LoggedCurve until(LoggedCurve curve, double step) {
  std::erase_if(curve.steps, [&](const scaling::LoggedStep& s) { return s.step > step; });
  return curve;
}

}  // namespace

std::optional<SlopeReading> read_slope(const LoggedCurve& curve) {
  try {
    const FittedCurve fit = fit_logged_curve(curve, {.resamples = kResamples});
    SlopeReading reading{
        .law = fit.law, .step = fit.last_step, .slope = slope_at(fit.law, fit.last_x)};
    std::vector<double> slopes;
    for (const scaling::StageCurve& sample : fit.samples)
      slopes.push_back(slope_at(sample, fit.last_x));
    const scaling::Interval interval = scaling::interval(std::move(slopes));
    reading.low = interval.low;
    reading.high = interval.high;
    return reading;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    return {};
  }
}

bool is_hit(const std::optional<SlopeReading>& reading, double threshold) {
  return reading && reading->slope >= threshold &&
         reading->high - reading->low < std::fabs(threshold);
}

std::string SlopeDecision::why() const {
  return fmt::format(
      "the fitted curve's slope d ln loss / d ln tokens has risen to {:.4f} (80%: {:.4f} to "
      "{:.4f}) at step {} and was {:.4f} at step {}; the threshold is {:.4f}",
      now.slope, now.low, now.high, grouped_number(now.step), before.slope,
      grouped_number(before.step), threshold);
}

SlopeWatch::SlopeWatch(double threshold, LoggedCurve so_far, std::int64_t last_check)
    : threshold_(threshold), curve_(std::move(so_far)) {
  ST_CHECK(threshold < 0, "the threshold is {}", threshold);
  before_ = read_slope(until(curve_, static_cast<double>(last_check)));
}

void SlopeWatch::add(const scaling::LoggedStep& step) { curve_.steps.push_back(step); }

std::optional<SlopeDecision> SlopeWatch::check() {
  const std::optional<SlopeReading> now = read_slope(curve_);
  const std::optional<SlopeReading> before = std::exchange(before_, now);
  if (!is_hit(before, threshold_) || !is_hit(now, threshold_)) return {};
  return SlopeDecision{*before, *now, threshold_};
}

LoggedCurve curve_so_far(const Path& log, const std::string& stage, std::int64_t begin,
                         std::int64_t step) {
  LoggedCurve curve;
  curve.name = stage;
  curve.begin = static_cast<double>(begin);
  for (const runlog::StepPoint& point : runlog::read_log(log, log.string()).steps)
    if (point.stage == stage && point.at.step > curve.begin &&
        point.at.step <= static_cast<double>(step))
      curve.steps.push_back({point.at.step, point.lr, point.loss, point.loss_steps});
  return curve;
}

}  // namespace stagedtrain::plan
