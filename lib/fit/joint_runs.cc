// Computes the points of whole runs: learning spent and annealing area at each logged loss.
#include "fit/joint_runs.h"

#include <cmath>
#include <map>
#include <tuple>

#include "base/error.h"
#include "scaling/annealing.h"

namespace stagedtrain::plan {
namespace {

constexpr std::size_t kMostPoints = 60;
// The law does not hold soon after the warm-up, so points begin after this many warm-ups and this
// share of the run.
constexpr double kWarmups = 2, kFirstShare = 0.1;

// The learning spent and the annealing area at every step of a log.
struct Sums {
  std::vector<double> spent, areas;
  double warmup = 0, decay = 0;  // steps; those after the peak times how far the rate had fallen
  Sums(const LoggedCurve& curve, const scaling::RateResponse& response) {
    const std::vector<double> rates = scaling::rates_of(curve.steps, 0);
    spent = scaling::learning_spent(rates, 1, response.rate_exponent);
    areas = scaling::annealing_areas(rates, response);
    warmup = scaling::near_peak(curve.steps, 0).warmup;
    for (std::size_t i = 0; i < rates.size(); ++i)
      if (areas[i] > 0) decay += 1 - rates[i];
  }
  scaling::JointPoint at(const scaling::LoggedStep& step, double tokens_per_step,
                         bool training) const {
    // The mean over several steps stands at their middle.
    const auto i = static_cast<std::size_t>(std::llround(step.step - (step.steps - 1) / 2)) - 1;
    return {spent[i] * tokens_per_step, areas[i], step.loss, training};
  }
};

// Returns means over bins of steps that are evenly spaced in the logarithm, as scaling::thinned
// makes them. The bins do not depend on the response to the rate, so fits with different responses
// have the same points.
std::vector<scaling::JointPoint> means(const std::vector<scaling::LoggedStep>& steps,
                                       const Sums& sums, double tokens_per_step) {
  std::vector<scaling::CurvePoint> losses, spent, areas;
  for (const scaling::LoggedStep& step : steps) {
    const scaling::JointPoint point = sums.at(step, tokens_per_step, true);
    losses.push_back({step.step, point.loss});
    spent.push_back({step.step, point.x});
    areas.push_back({step.step, point.area});
  }
  losses = scaling::thinned(losses, kMostPoints);
  spent = scaling::thinned(spent, kMostPoints);
  areas = scaling::thinned(areas, kMostPoints);
  std::vector<scaling::JointPoint> result;
  for (std::size_t i = 0; i < losses.size(); ++i)
    result.push_back({spent[i].loss, areas[i].loss, losses[i].loss, true});
  return result;
}

std::string why_not(const LoggedCurve& curve) {
  if (curve.begin > 0)
    return "it was grown from a smaller model, and the law needs runs from fresh weights";
  if (!(curve.non_embedding > 0)) return "its number of parameters is not known";
  if (!(curve.tokens_per_step > 0)) return "its tokens per step are not known";
  if (curve.steps.empty() || !(scaling::near_peak(curve.steps, 0).peak > 0))
    return "it has no steps";
  return "";
}

using Seen = std::map<std::tuple<double, double, double>, std::size_t>;  // size, step, loss: run

// Returns the run whose steps a log repeats, or else a new one.
std::size_t run_of(const LoggedCurve& curve, const Seen& seen, JointRuns& found) {
  for (const scaling::LoggedStep& step : curve.steps) {
    const auto known = seen.find({curve.non_embedding, step.step, step.loss});
    if (known == seen.end()) continue;
    found.names[known->second] += ", " + curve.name;
    return known->second;
  }
  found.runs.push_back({curve.non_embedding, {}});
  found.names.push_back(curve.name);
  found.most_tokens.push_back(0);
  return found.runs.size() - 1;
}

void add(const LoggedCurve& curve, const scaling::RateResponse& response, Seen& seen,
         JointRuns& found) {
  const Sums sums(curve, response);
  const double last = curve.steps.back().step;
  const double first = std::max(kWarmups * sums.warmup, kFirstShare * last);
  const std::size_t run = run_of(curve, seen, found);
  const auto is_new = [&](const scaling::LoggedStep& step) {
    return seen.try_emplace({curve.non_embedding, step.step, step.loss}, run).second &&
           step.step > first && step.step <= last;
  };
  std::vector<scaling::LoggedStep> training;
  for (const scaling::LoggedStep& step : curve.steps)
    if (is_new(step)) training.push_back(step);
  std::vector<scaling::JointPoint>& points = found.runs[run].points;
  if (!training.empty())
    for (const scaling::JointPoint& point : means(training, sums, curve.tokens_per_step))
      points.push_back(point);
  for (const scaling::LoggedStep& step : curve.validations)
    if (is_new(step)) points.push_back(sums.at(step, curve.tokens_per_step, false));
  if (!curve.validations.empty() && curve.validations.back().step == last) {
    const scaling::LoggedStep& end = curve.validations.back();
    const scaling::JointPoint point = sums.at(end, curve.tokens_per_step, false);
    found.ends.push_back({{curve.non_embedding, last * curve.tokens_per_step, sums.decay / last},
                          point.x,
                          point.area,
                          end.loss});
  }
  found.most_tokens[run] = std::max(found.most_tokens[run], last * curve.tokens_per_step);
  if (sums.decay > 0) found.decays.push_back(sums.decay * curve.tokens_per_step);
  found.warmup_tokens = std::max(found.warmup_tokens, sums.warmup * curve.tokens_per_step);
}

}  // namespace

JointRuns joint_runs(const std::vector<LoggedCurve>& curves,
                     const scaling::RateResponse& response) {
  JointRuns found;
  Seen seen;
  for (const LoggedCurve& curve : curves)
    if (const std::string why = why_not(curve); why.empty())
      add(curve, response, seen, found);
    else
      found.left_out.push_back(fmt::format("{}: {}", curve.name, why));
  return found;
}

}  // namespace stagedtrain::plan
