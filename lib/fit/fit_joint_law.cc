// Fits the joint law with every response to the learning rate, and draws samples from all of them.
#include "fit/fit_joint_law.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "fit/joint_runs.h"
#include "statistics/bootstrap.h"
#include "statistics/held_out.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr std::size_t kFewestOfRun = 10;  // points that a run needs
constexpr std::size_t kFewestSizes = 3;
constexpr int kMostResamples = 200;
// The priors of the logarithm of the relaxation and of the rate exponent, which lies between 0
// (Chinchilla's law) and 1 (annealing laws). Decays of few lengths hardly distinguish the two.
constexpr double kLikelyRelaxation = 0.25, kRelaxationSpread = 2.3;
constexpr double kLikelyRateExponent = 0.6, kRateExponentSpread = 0.25;

std::vector<FittedJoint::Size> sizes_of(const JointRuns& found) {
  std::map<double, FittedJoint::Size> sizes;
  for (std::size_t i = 0; i < found.runs.size(); ++i) {
    FittedJoint::Size& size = sizes[found.runs[i].parameters];
    size.parameters = found.runs[i].parameters;
    ++size.runs;
    size.most_tokens = std::max(size.most_tokens, found.most_tokens[i]);
  }
  std::vector<FittedJoint::Size> list;
  for (const auto& [parameters, size] : sizes) list.push_back(size);
  return list;
}

void leave_out_short(JointRuns& found) {
  for (std::size_t i = found.runs.size(); i-- > 0;) {
    if (found.runs[i].points.size() >= kFewestOfRun) continue;
    found.left_out.push_back(
        fmt::format("{}: it has {} logged losses after the warm-up, expected "
                    "at least {}",
                    found.names[i], found.runs[i].points.size(), kFewestOfRun));
    const auto at = static_cast<std::ptrdiff_t>(i);
    found.runs.erase(found.runs.begin() + at);
    found.names.erase(found.names.begin() + at);
    found.most_tokens.erase(found.most_tokens.begin() + at);
  }
}

void intervals(FittedJoint& joint) {
  using scaling::JointLaw;
  joint.low = joint.high = joint.law;
  for (double JointLaw::*m : {&JointLaw::E, &JointLaw::A, &JointLaw::a, &JointLaw::B, &JointLaw::b,
                              &JointLaw::beta, &JointLaw::C, &JointLaw::gamma, &JointLaw::x0}) {
    std::vector<double> values;
    for (const JointLaw& sample : joint.samples) values.push_back(sample.*m);
    const scaling::Interval found = scaling::interval(std::move(values));
    joint.low.*m = found.low;
    joint.high.*m = found.high;
  }
}

void add_notes(const FittedJoint& joint, const JointRuns& found, std::vector<std::string>& notes) {
  for (const std::string& line : found.left_out) notes.push_back("not in the joint law: " + line);
  if (joint.sizes.size() < kFewestSizes)
    notes.push_back(fmt::format(
        "two sizes do not fix how the loss falls with size: the exponent a is held near {}, that "
        "of "
        "published runs, within a factor of {:.2g}, and how far the law is wrong beyond the larger "
        "one is assumed; train a third size to measure both",
        scaling::kPriorExponent, std::exp(scaling::kPriorExponentSpread)));
  if (joint.freedom < scaling::kPriorScatterFreedom + 1)
    notes.push_back(fmt::format(
        "{} runs of {} sizes do not show how much two seeds of a size differ: {:.2g}% is assumed; "
        "train a size with a second seed to measure it",
        found.runs.size(), joint.sizes.size(), 100 * scaling::kPriorScatter));
}

// The runs as one response to the rate counts them, and the fit to them, without samples.
struct Candidate {
  JointRuns found;
  scaling::JointFitOptions options;
  scaling::JointFit fit;
};

Candidate candidate(const std::vector<LoggedCurve>& curves, const FitOptions& options,
                    const scaling::RateResponse& response) {
  Candidate made{joint_runs(curves, response), {}, {}};
  leave_out_short(made.found);
  made.options = {.offset_spread = made.found.warmup_tokens / 4,
                  .resamples = 0,
                  .seed = options.seed,
                  .response = response};
  return made;
}

// Returns every response to the rate that a fit may choose.
std::vector<scaling::RateResponse> responses() {
  std::vector<scaling::RateResponse> all;
  for (const double exponent : scaling::kRateExponents)
    for (const double relaxation : scaling::kRelaxations) all.push_back({relaxation, exponent});
  return all;
}

// Returns -ln(prior) up to a constant.
double unlikeliness(const scaling::RateResponse& response) {
  const double relaxation = std::log(response.relaxation / kLikelyRelaxation) / kRelaxationSpread;
  const double exponent = (response.rate_exponent - kLikelyRateExponent) / kRateExponentSpread;
  return (relaxation * relaxation + exponent * exponent) / 2;
}

// Fits with every response and returns the likeliest first. Without a decay all responses are the
// same, so the first one suffices.
std::vector<Candidate> candidates(const std::vector<LoggedCurve>& curves,
                                  const FitOptions& options) {
  std::vector<Candidate> all;
  for (const scaling::RateResponse& response : responses()) {
    Candidate made = candidate(curves, options, response);
    if (sizes_of(made.found).size() < 2) return {};
    made.fit = scaling::fit_joint(made.found.runs, made.options);
    const bool decayed = made.fit.decayed;
    made.fit.misfit += unlikeliness(response);
    if (made.fit.converged) all.push_back(std::move(made));
    if (!decayed) break;
  }
  std::ranges::stable_sort(all, {}, [](const Candidate& c) { return c.fit.misfit; });
  return all;
}

// Returns ln(measured / predicted) at the end of a log.
double miss_of(const scaling::JointLaw& law, const JointEnd& end) {
  return std::log(end.loss / law.loss(end.shape.parameters, end.x, end.area));
}

void add_ends(const JointRuns& found, FittedJoint& joint) {
  joint.ends.emplace();
  const std::size_t count = std::min(found.ends.size(), FittedJoint::kMostEnds);
  for (const JointEnd& end : std::span(found.ends).first(count))
    joint.ends->push_back({end.shape, miss_of(joint.law, end), {}});
}

// Draws samples of the law from every response to the rate, in proportion to its likelihood.
void draw_samples(std::vector<Candidate>& all, int count, FittedJoint& joint) {
  std::vector<double> weights;
  double sum = 0;
  for (const Candidate& c : all)
    sum += weights.emplace_back(std::exp(all.front().fit.misfit - c.fit.misfit));
  double given = 0, due = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    due += weights[i] / sum * count;
    all[i].options.resamples = static_cast<int>(std::llround(due) - std::llround(given));
    all[i].options.seed += i;
    given = due;
    if (all[i].options.resamples == 0) continue;
    const scaling::JointFit fit = scaling::fit_joint(all[i].found.runs, all[i].options);
    joint.samples.insert(joint.samples.end(), fit.samples.begin(), fit.samples.end());
    for (const scaling::JointLaw& sample : fit.samples)
      for (std::size_t j = 0; j < joint.ends->size(); ++j)
        (*joint.ends)[j].misses.push_back(miss_of(sample, all[i].found.ends[j]));
  }
}

void add_decays(const std::vector<double>& decays, FittedJoint& joint) {
  if (decays.empty()) return;
  const auto [least, most] = std::ranges::minmax(decays);
  joint.least_decay = least;
  joint.most_decay = most;
}

}  // namespace

std::optional<FittedJoint> fit_joint_law(const std::vector<LoggedCurve>& curves,
                                         const FitOptions& options,
                                         std::vector<std::string>& notes) {
  std::vector<Candidate> all = candidates(curves, options);
  if (all.empty()) {
    if (sizes_of(joint_runs(curves)).size() >= 2)
      notes.push_back("no joint law of the sizes: the fit does not converge");
    return {};
  }
  FittedJoint joint;
  const JointRuns& found = all.front().found;
  const scaling::JointFit& fit = all.front().fit;
  joint.sizes = sizes_of(found);
  joint.law = fit.law;
  add_ends(found, joint);
  draw_samples(all, std::min(options.resamples, kMostResamples), joint);
  const scaling::JointFitOptions& fit_options = all.front().options;
  add_decays(found.decays, joint);
  joint.tilts = scaling::tilt_draws(scaling::held_out_tilts(found.runs, fit_options),
                                    joint.samples.size(), options.seed);
  joint.scatter = fit.scatter;
  joint.freedom = fit.freedom;
  joint.training_noise = fit.training.deviation;
  joint.validation_noise = fit.validation.deviation;
  joint.gap = fit.gap;
  joint.points = static_cast<double>(fit.points);
  joint.objective = fit.objective;
  joint.gradient = fit.gradient;
  joint.decayed = fit.decayed;
  intervals(joint);
  add_notes(joint, found, notes);
  return joint;
}

}  // namespace stagedtrain::plan
