// Computes learning rates, and lists the curves in one table.
#include "schedule/lr_curves.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::schedule {
namespace {

double constant(double, double, double) { return 1; }
double linear(double progress, double span, double) { return 1 - progress / span; }
double cosine(double progress, double span, double) {
  return 0.5 * (1 + std::cos(std::numbers::pi * progress / span));
}
// The curve of Cramming (Geiping and Goldstein, arXiv 2212.14034), which has no warm-up of its own:
// from a quarter of the peak to the peak after three quarters of the steps, then to the floor.
double triangle(double progress, double span, double) {
  return std::min(0.25 + progress / span, 4 - 4 * progress / span);
}
// Warm-up, stable, decay (Hu et al., arXiv 2404.06395), with a linear decay.
double wsd(double progress, double span, double decay) {
  const double left = span - progress;
  return decay > 0 && left < decay ? left / decay : 1;
}

}  // namespace

const std::vector<LrCurve>& lr_curves() {
  static const std::vector<LrCurve> curves = {
      {"constant", "the peak, after the warm-up", constant, false},
      {"linear", "a straight line from the peak to the floor, over all steps after the warm-up",
       linear, true},
      {"cosine", "half a cosine from the peak to the floor, over all steps after the warm-up",
       cosine, true},
      {"triangle",
       "a line from a quarter of the peak to the peak after 75% of the steps, then one to the "
       "floor (use warmup: 0 steps)",
       triangle, true},
      {"wsd", "warm-up, stable at the peak, linear decay to the floor at the end", wsd, true},
  };
  return curves;
}

std::vector<std::string> lr_curve_names() {
  std::vector<std::string> names;
  for (const LrCurve& curve : lr_curves()) names.push_back(curve.name);
  return names;
}

const LrCurve& find_lr_curve(const std::string& name) {
  for (const LrCurve& curve : lr_curves())
    if (curve.name == name) return curve;
  throw usage_error("unknown learning-rate curve '{}'{}", name, suggestion(name, lr_curve_names()));
}

double lr_at(const LrShape& s, std::int64_t step) {
  if (step < s.warmup)
    return s.peak * static_cast<double>(step + 1) / static_cast<double>(s.warmup);
  const double span = static_cast<double>(std::max<std::int64_t>(1, s.total - s.warmup));
  const double progress = std::min(span, static_cast<double>(step - s.warmup));
  const double low = s.peak * s.floor;
  // A decay that is longer than the steps after the warm-up starts at the peak, directly after it.
  const double decay = std::min(span, static_cast<double>(s.decay));
  return low + (s.peak - low) * find_lr_curve(s.curve).factor(progress, span, decay);
}

double rewarm_factor(std::int64_t stage_step, std::int64_t rewarm) {
  return stage_step < rewarm ? static_cast<double>(stage_step + 1) / static_cast<double>(rewarm)
                             : 1.0;
}

}  // namespace stagedtrain::schedule
