// Fits laws to logged curves and finished runs, with intervals, and refuses data that do not
// suffice.
#include "fit/fit_laws.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <ranges>

#include "fit/fit_joint_law.h"
#include "fit/recipe.h"
#include "scaling/annealing.h"
#include "statistics/bootstrap.h"
#include "statistics/held_out.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr std::size_t kFewestPoints = 30;
constexpr std::size_t kMostNames = 4, kFewestValidations = 3;
constexpr double kLeastWarmups = 3;

// Returns the likely distance of x0 from 0. x counts half of the warm-up, which may be too little
// or too much. A grown model has all the steps before its growth as a possible head start.
double offset_spread(const LoggedCurve& curve, const scaling::CurvePoints& points) {
  return curve.begin > 0 ? curve.begin : points.warmup / 4;
}

// Refuses curves that do not fall: B must be positive, and the law must fall by more than 1e-4 of
// the last loss.
void check_falls(const LoggedCurve& curve, const scaling::CurveFit& fit) {
  const std::vector<scaling::CurvePoint>& points = fit.points;
  const double first = points.front().loss, last = points.back().loss;
  if (fit.law.B > 0 && fit.law.loss(points.front().x) - fit.law.loss(points.back().x) > 1e-4 * last)
    return;
  throw input_error(
      "{}: the losses do not fall: {:.4f} at step {}, {:.4f} at step {}; expected a falling curve",
      curve.name, first, format_number(curve.steps.front().step), last,
      format_number(curve.steps.back().step))
      .with_hint("check that the column has training losses in the order of the steps");
}

void check_length(const LoggedCurve& curve, const scaling::CurvePoints& points) {
  if (curve.steps.empty())
    throw input_error("{}: its log has no steps, expected their losses and learning rates",
                      curve.name);
  if (!(points.peak > 0))
    throw input_error("{}: the learning rate is 0 at every logged step, expected one above 0",
                      curve.name);
  const double seen = points.last_step - curve.begin;
  if (points.points.size() < kFewestPoints)
    throw input_error(
        "{}: found {} logged steps near the peak learning rate ({} in warm-up, {} from where it "
        "falls), expected at least {}",
        curve.name, points.points.size(), points.in_warmup, points.in_decay, kFewestPoints)
        .with_hint("log more often, train longer, or fit a run at constant learning rate");
  if (seen < kLeastWarmups * points.warmup)
    throw input_error(
        "{}: found {} steps, {} of them until the learning rate reached its peak (or was first "
        "logged); expected at least {} times as many",
        curve.name, format_number(seen), format_number(points.warmup), kLeastWarmups)
        .with_hint("train longer before fitting, or shorten lr.warmup");
}

// Computes the 80% interval of each member over the samples.
template <class Law, class... Members>
void intervals(const std::vector<Law>& samples, Law& low, Law& high, Members... member) {
  const auto one = [&](double Law::*m) {
    std::vector<double> values;
    for (const Law& sample : samples) values.push_back(sample.*m);
    const scaling::Interval found = scaling::interval(std::move(values));
    low.*m = found.low;
    high.*m = found.high;
  };
  (one(member), ...);
}

void check_converged(const std::string& name, bool converged, std::size_t samples) {
  if (!converged || samples == 0)
    throw input_error("{}: the fit does not converge: these losses do not follow the law", name)
        .with_hint("plot the curve; more points or a longer log may help");
}

// Drops resamples whose losses do not fall. Many of them mean that the log does not show a fall.
void drop_flat(const std::string& name, std::vector<scaling::StageCurve>& samples) {
  const std::size_t all = samples.size();
  const std::size_t flat =
      std::erase_if(samples, [](const scaling::StageCurve& s) { return !(s.B > 0 && s.b > 0); });
  if (10 * flat > all)
    throw input_error("{}: {} of {} fits to resampled losses do not fall, expected at most a tenth",
                      name, flat, all)
        .with_hint("the losses scatter too much for a curve; a longer log may help");
}

std::vector<PrefixRefit> prefix_refits(const scaling::CurvePoints& points,
                                       const scaling::CurveFitOptions& options) {
  std::vector<PrefixRefit> refits;
  for (const scaling::PrefixFit& prefix : scaling::prefix_fits(points.points, options))
    refits.push_back({prefix.share, prefix.fit.law, prefix.error});
  return refits;
}

// Returns the median difference between validation losses and the curve, or nothing if there are
// too few. Near the peak one step advances x by 1. A median ignores an evaluation at a spike.
std::optional<double> validation_gap(const LoggedCurve& curve, const scaling::CurvePoints& points,
                                     const scaling::StageCurve& law) {
  std::vector<double> gaps;
  for (const scaling::LoggedStep& v : curve.validations)
    if (v.step >= points.first_step && v.step <= points.last_step)
      gaps.push_back(v.loss - law.loss(points.last_x - (points.last_step - v.step)));
  if (gaps.size() < kFewestValidations) return {};
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::ranges::nth_element(gaps, middle);
  return *middle;
}

void note_curve(const FittedCurve& curve, FittedLaws& laws) {
  if (curve.agreeing_starts < 2)
    laws.notes.push_back(fmt::format("{}: only {} of {} starts reached the best fit", curve.name,
                                     curve.agreeing_starts, curve.starts));
}

// Notes which curves have no law of their own. If there is a joint law, plans use it instead, and
// one line suffices.
void note_refusals(const std::vector<Error>& refusals, std::size_t curves, FittedLaws& laws) {
  if (laws.joint && !refusals.empty()) {
    laws.notes.push_back(fmt::format(
        "{} of {} runs could not be fitted by a curve of their own, which plans do not need beside "
        "the "
        "law of all sizes ({}{})",
        refusals.size(), curves, refusals.size() > 1 ? "the first: " : "", refusals[0].what()));
    return;
  }
  constexpr std::size_t kMostNamed = 3;
  for (const Error& error : refusals | std::views::take(kMostNamed))
    laws.notes.push_back(fmt::format("not fitted: {}", error.what()));
  if (refusals.size() > kMostNamed)
    laws.notes.push_back(fmt::format("{} more runs could not be fitted by a curve of their own",
                                     refusals.size() - kMostNamed));
}

void note_ends(const FittedChinchilla& ends, FittedLaws& laws) {
  if (ends.pulled)
    laws.notes.push_back(
        fmt::format("{}: {} runs do not fix Chinchilla's law: a parameter was held within its "
                    "bounds; trust the law only between these sizes and lengths, and add runs",
                    ends.name, ends.points));
  if (ends.held_out == 0)
    laws.notes.push_back(fmt::format(
        "{}: {} runs are too few to hold the larger ones out, so the error of the law beyond them is "
        "assumed, not measured; intervals of larger sizes are wide",
        ends.name, ends.points));
}

// Joins all finished runs into one set, with a short name.
LoggedEnds joined_ends(const std::vector<LoggedEnds>& several) {
  LoggedEnds all{several.size() > kMostNames ? fmt::format("{} and {} more", several[0].name,
                                                           several.size() - 1)
                                             : "",
                 {}, true};
  for (const LoggedEnds& ends : several) {
    if (several.size() <= kMostNames) all.name += (all.name.empty() ? "" : ", ") + ends.name;
    all.points.insert(all.points.end(), ends.points.begin(), ends.points.end());
    all.of_runs = all.of_runs && ends.of_runs;
  }
  return all;
}

// Fits the finished runs. Run folders may have been given for their curves alone, so too few
// finished runs in them are a note and no error.
void fit_ends(const LoggedEnds& ends, const FitOptions& options, FittedLaws& laws) {
  try {
    laws.chinchilla = fit_logged_ends(ends, options);
    note_ends(*laws.chinchilla, laws);
  } catch (const Error& error) {
    if (!ends.of_runs || error.kind() != ErrorKind::input) throw;
    laws.notes.push_back(fmt::format("no law of finished runs: {}", error.what()));
  }
}

}  // namespace

FittedCurve fit_logged_curve(const LoggedCurve& curve, const FitOptions& options) {
  const scaling::CurvePoints points = scaling::near_peak(curve.steps, curve.begin);
  check_length(curve, points);
  const scaling::CurveFitOptions fit_options{.huber = options.huber,
                                             .offset_spread = offset_spread(curve, points)};
  const scaling::CurveFit fit = scaling::fit_curve(points.points, fit_options);
  check_falls(curve, fit);
  if (options.needs_floor && !fit.floor_found)
    throw input_error("{}: the losses do not bend towards a floor (E went to 0)", curve.name)
        .with_hint("the log is too short for a forecast: train longer before fitting");
  FittedCurve result;
  result.name = curve.name;
  result.model_parameters = curve.parameters;
  result.tokens_per_step = curve.tokens_per_step;
  result.law = fit.law;
  result.samples = scaling::bootstrap_curve(fit, fit_options.offset_spread,
                                            {.resamples = options.resamples, .seed = options.seed});
  drop_flat(curve.name, result.samples);
  check_converged(curve.name, fit.converged, result.samples.size());
  using scaling::StageCurve;
  intervals(result.samples, result.low, result.high, &StageCurve::E, &StageCurve::B, &StageCurve::b,
            &StageCurve::x0);
  result.huber = fit.huber;
  result.noise = fit.noise;
  result.objective = fit.objective;
  result.gradient = fit.gradient;
  result.points = static_cast<double>(fit.points.size());
  result.spikes = static_cast<double>(fit.spikes);
  result.agreeing_starts = fit.agreeing;
  result.starts = fit.starts;
  result.begin = curve.begin;
  result.first_step = points.first_step;
  result.last_step = points.last_step;
  result.last_x = points.last_x;
  result.warmup_steps = points.warmup;
  result.peak_rate = points.peak;
  result.prefixes = prefix_refits(points, fit_options);
  const double strength = scaling::annealing_strength(fit.law, curve.steps, curve.begin);
  if (std::isfinite(strength)) result.annealing = strength;
  result.validation_gap = validation_gap(curve, points, fit.law);
  return result;
}

FittedChinchilla fit_logged_ends(const LoggedEnds& ends, const FitOptions& options) {
  std::vector<scaling::RunPoint> points = ends.points;
  std::ranges::stable_sort(points, {}, &scaling::RunPoint::loss);
  points.resize(points.size() - std::min(options.drop_highest, points.size()));
  const scaling::ChinchillaFit fit = scaling::fit_chinchilla(points, options.huber);
  FittedChinchilla result;
  result.name = ends.name;
  result.law = fit.law;
  result.samples = scaling::bootstrap_chinchilla(
      points, fit, {.resamples = options.resamples, .seed = options.seed});
  check_converged(ends.name, fit.converged, result.samples.size());
  result.noise = fit.noise;
  result.pulled = fit.pulled;
  const auto tilts = scaling::held_out_tilts(points, options.huber, options.seed);
  result.held_out = tilts.size();
  result.tilts = scaling::tilt_draws(tilts, result.samples.size(), options.seed);
  using scaling::Chinchilla;
  intervals(result.samples, result.low, result.high, &Chinchilla::E, &Chinchilla::A, &Chinchilla::B,
            &Chinchilla::a, &Chinchilla::b);
  result.huber = fit.huber;
  result.objective = fit.objective;
  result.gradient = fit.gradient;
  result.points = static_cast<double>(points.size());
  result.dropped = static_cast<double>(ends.points.size() - points.size());
  result.agreeing_starts = fit.agreeing;
  result.starts = fit.starts;
  for (const scaling::RunPoint& p : points) {
    result.largest_parameters = std::max(result.largest_parameters, p.parameters);
    result.most_tokens = std::max(result.most_tokens, p.tokens);
  }
  return result;
}

FittedLaws fit_laws(const LoggedRuns& logged, const FitOptions& options) {
  FittedLaws laws;
  std::vector<Error> refusals;
  for (const LoggedCurve& curve : logged.curves) {
    try {
      laws.curves.push_back(fit_logged_curve(curve, options));
      note_curve(laws.curves.back(), laws);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      refusals.push_back(error);
    }
  }
  laws.recipe = recipe_of(logged.curves);
  laws.joint = fit_joint_law(logged.curves, options, laws.notes);
  note_refusals(refusals, logged.curves.size(), laws);
  if (!logged.ends.empty()) fit_ends(joined_ends(logged.ends), options, laws);
  if (laws.curves.empty() && !laws.joint && !laws.chinchilla) {
    if (!refusals.empty()) throw refusals.front();
    throw input_error("found no curves and no finished runs to fit");
  }
  return laws;
}

}  // namespace stagedtrain::plan
