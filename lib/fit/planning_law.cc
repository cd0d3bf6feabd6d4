// Makes a PlanningLaw of each published law and of fitted laws, with the parameters that it counts.
#include "fit/planning_law.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "fit/law_of_contexts.h"
#include "statistics/discrepancy.h"
#include "statistics/fit_joint.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// The factor by which the gain of a decay grows for four times the size. This is an assumption.
constexpr double kGainBySize = 1.15;

CurveOf curves_of(const scaling::Chinchilla& chinchilla) {
  return [chinchilla](double parameters) {
    return std::make_shared<scaling::PowerCurve>(chinchilla.curve(parameters));
  };
}

double all_parameters(const arch::ParamCount& count) { return static_cast<double>(count.total); }

PlanningLaw chinchilla_law(const scaling::ChinchillaConstants& constants, const std::string& name) {
  PlanningLaw planning;
  planning.name = name;
  planning.published = true;
  planning.source = constants.source;
  planning.end = kDecayedEnds;
  planning.least_parameters = 44e6;
  planning.most_parameters = 16e9;
  planning.parameters = all_parameters;
  planning.curve = curves_of(constants.law);
  planning.endless = [chinchilla = constants.law](double parameters) {
    return scaling::endless_stages(chinchilla, parameters);
  };
  return planning;
}

PlanningLaw kaplan_law() {
  PlanningLaw planning;
  planning.name = "kaplan";
  planning.published = true;
  planning.source = "Kaplan et al. 2020 (arXiv 2001.08361), at the critical batch";
  planning.end = kConstantRate;
  planning.least_parameters = 768;
  planning.most_parameters = 1.5e9;
  planning.parameters = [](const arch::ParamCount& count) {
    return static_cast<double>(count.non_embedding);
  };
  planning.curve = [](double parameters) {
    return std::make_shared<scaling::KaplanCurve>(scaling::Kaplan(), parameters);
  };
  planning.endless = [](double parameters) {
    return scaling::endless_stages(scaling::Kaplan(), parameters);
  };
  return planning;
}

constexpr double kChinchillaParameters = 5;

// Returns the half-width of the 80% interval of one run. Its standard deviation is known with
// `freedom` degrees of freedom.
double run_scatter(double deviation, double freedom) {
  return scaling::kNormal80 * scaling::student_widening(freedom) * deviation;
}

// Returns the curves of a law, with the tilt of one sample beyond the largest size.
template <class Law>
CurveOf tilted_curves_of(const Law& law, double tilt, double largest) {
  return [law, tilt, largest](double parameters) {
    const scaling::PowerCurve curve = law.curve(parameters);
    const double factor = scaling::tilt_factor(tilt, parameters, largest);
    return std::make_shared<scaling::PowerCurve>(factor * curve.floor(), factor * curve.scale(),
                                                 curve.exponent(), curve.offset());
  };
}

template <class Fitted>
double tilt_of(const Fitted& fitted, std::size_t sample) {
  return fitted.tilts ? (*fitted.tilts)[sample] : 0;
}

LawSample sample_of(const scaling::JointLaw& joint, bool decayed) {
  LawSample sample;
  sample.curve = [joint](double parameters) {
    return std::make_shared<scaling::PowerCurve>(joint.curve(parameters));
  };
  sample.response = joint.response;
  if (decayed) sample.annealing = [joint](double n) { return joint.annealing(n); };
  return sample;
}

void add_ends(const FittedJoint& joint, PlanningLaw& planning) {
  if (!joint.ends) return;
  std::vector<scaling::RunShape> shapes;
  for (const FittedJoint::End& end : *joint.ends) {
    shapes.push_back(end.shape);
    planning.misses.push_back(end.miss);
    for (std::size_t i = 0; i < planning.samples.size(); ++i)
      planning.samples[i].misses.push_back(end.misses[i]);
  }
  planning.end_correction = scaling::EndCorrection(std::move(shapes), joint.scatter);
}

PlanningLaw fitted_joint(const FittedJoint& joint) {
  PlanningLaw planning;
  for (const FittedJoint::Size& size : joint.sizes)
    planning.trained_sizes.push_back(size.parameters);
  planning.source = "one law of " + runs_text(joint);
  planning.end = kConstantRate;
  planning.counts_rate = true;
  planning.least_parameters = joint.sizes.front().parameters;
  planning.most_parameters = joint.sizes.back().parameters;
  planning.parameters = [](const arch::ParamCount& count) {
    return static_cast<double>(count.non_embedding);
  };
  const LawSample best = sample_of(joint.law, joint.decayed);
  planning.curve = best.curve;
  planning.annealing = best.annealing;
  planning.response = best.response;
  planning.least_decay = joint.least_decay;
  planning.most_decay = joint.most_decay;
  for (std::size_t i = 0; i < joint.samples.size(); ++i) {
    planning.samples.push_back(sample_of(joint.samples[i], joint.decayed));
    planning.samples.back().curve =
        tilted_curves_of(joint.samples[i], tilt_of(joint, i), planning.most_parameters);
  }
  add_ends(joint, planning);
  planning.run_scatter = run_scatter(joint.scatter, joint.freedom);
  planning.known_tokens = [sizes = joint.sizes](double) {
    double most = 0;
    for (const FittedJoint::Size& size : sizes) most = std::max(most, size.most_tokens);
    return most;
  };
  return planning;
}

PlanningLaw fitted_chinchilla(const FittedChinchilla& fitted) {
  PlanningLaw planning;
  planning.source =
      fmt::format("Chinchilla's law, fitted to {} finished runs of {}", fitted.points, fitted.name);
  planning.end = kDecayedEnds;
  planning.most_parameters = fitted.largest_parameters;
  planning.parameters = all_parameters;
  planning.curve = curves_of(fitted.law);
  for (std::size_t i = 0; i < fitted.samples.size(); ++i)
    planning.samples.push_back(
        {tilted_curves_of(fitted.samples[i], tilt_of(fitted, i), fitted.largest_parameters), {}});
  if (fitted.noise && fitted.points > kChinchillaParameters)
    planning.run_scatter =
        run_scatter(*fitted.noise, fitted.points - kChinchillaParameters);
  planning.known_tokens = [most = fitted.most_tokens](double) { return most; };
  planning.endless = [chinchilla = fitted.law](double parameters) {
    return scaling::endless_stages(chinchilla, parameters);
  };
  return planning;
}

// Returns the curve of validation losses from scratch: raised by the gap between validation and
// training losses, and without the head start of a grown stage.
scaling::StageCurve own_curve(scaling::StageCurve curve, const FittedCurve& fitted) {
  if (fitted.begin > 0) curve.x0 = 0;
  curve.E = std::max(0.0, curve.E + fitted.validation_gap.value_or(0));
  return curve;
}

using CurveTable = std::map<double, FittedCurve>;  // keyed by parameters

// Selects one curve for each size: from fresh weights rather than grown, then with more steps.
CurveTable best_curves(const std::vector<FittedCurve>& curves) {
  const auto rank = [](const FittedCurve& c) { return std::pair(c.begin == 0, c.last_x); };
  CurveTable table;
  for (const FittedCurve& curve : curves) {
    if (!(curve.model_parameters > 0 && curve.tokens_per_step > 0)) continue;
    const auto [at, is_new] = table.try_emplace(curve.model_parameters, curve);
    if (!is_new && rank(at->second) < rank(curve)) at->second = curve;
  }
  return table;
}

CurveOf curves_of(std::shared_ptr<const CurveTable> table, std::optional<std::size_t> sample) {
  return [table, sample](double parameters) -> std::shared_ptr<const scaling::LossCurve> {
    const auto found = table->find(parameters);
    if (found == table->end()) return nullptr;
    const FittedCurve& fitted = found->second;
    const scaling::StageCurve& law =
        sample ? fitted.samples[*sample % fitted.samples.size()] : fitted.law;
    return std::make_shared<scaling::PowerCurve>(
        own_curve(law, fitted).curve(fitted.tokens_per_step));
  };
}

// Returns the annealing strength as a function of parameters: that of the nearest size, scaled by
// kGainBySize.
std::function<double(double)> annealing_of(const std::vector<FittedCurve>& curves) {
  std::map<double, double> known;
  for (const FittedCurve& curve : curves)
    if (curve.annealing && curve.model_parameters > 0)
      known[std::log(curve.model_parameters)] = *curve.annealing;
  if (known.empty()) return {};
  return [known](double parameters) {
    const double at = std::log(parameters);
    auto nearest = known.begin();
    for (auto i = known.begin(); i != known.end(); ++i)
      if (std::fabs(i->first - at) < std::fabs(nearest->first - at)) nearest = i;
    return nearest->second * std::pow(kGainBySize, (at - nearest->first) / std::log(4.0));
  };
}

void note_curves(const CurveTable& table, PlanningLaw& planning) {
  for (const auto& [parameters, curve] : table) {
    planning.source += fmt::format("{}{} ({} parameters)", planning.source.empty() ? "" : ", ",
                                   curve.name, short_count(parameters));
    if (curve.begin > 0)
      planning.notes.push_back(
          fmt::format("{}: the curve of a grown stage is used for its size, without its head start",
                      curve.name));
  }
  planning.source = "fitted curves: " + planning.source;
}

PlanningLaw fitted_curves(const FittedLaws& laws, const std::string& name) {
  const auto table = std::make_shared<const CurveTable>(best_curves(laws.curves));
  if (table->empty())
    throw input_error("{}: for none of its {} curves are parameters and tokens per step known",
                      name, laws.curves.size())
        .with_hint("fit run folders, not CSV files of steps and losses alone");
  PlanningLaw planning;
  planning.end = kConstantRate;
  planning.counts_rate = true;
  planning.least_parameters = table->begin()->first;
  planning.most_parameters = table->rbegin()->first;
  planning.parameters = all_parameters;
  planning.curve = curves_of(table, std::nullopt);
  planning.annealing = annealing_of(laws.curves);
  std::size_t samples = SIZE_MAX;
  for (const auto& [parameters, curve] : *table) samples = std::min(samples, curve.samples.size());
  for (std::size_t i = 0; i < samples; ++i) planning.samples.push_back({curves_of(table, i), {}});
  planning.known_tokens = [table](double parameters) {
    const auto found = table->find(parameters);
    return found == table->end() ? 0.0 : found->second.last_x * found->second.tokens_per_step;
  };
  note_curves(*table, planning);
  return planning;
}

}  // namespace

bool names_law_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".json");
}

PlanningLaw planning_law(const FittedLaws& laws, const std::string& name) {
  PlanningLaw planning = laws.joint        ? fitted_joint(*laws.joint)
                         : laws.chinchilla ? fitted_chinchilla(*laws.chinchilla)
                                           : fitted_curves(laws, name);
  planning.name = name;
  planning.recipe = laws.recipe;
  return planning;
}

PlanningLaw find_planning_law(const std::string& name) {
  if (trim(name).empty())
    throw usage_error("law: found an empty name, expected a law such as chinchilla, or a law file");
  std::error_code ignored;
  const bool is_list = name.find(',') != std::string::npos;
  if (is_list && !std::filesystem::exists(name, ignored)) return find_law_of_contexts(name);
  if (names_law_file(name)) return planning_law(read_law_file(name), name);
  if (name == "kaplan") return kaplan_law();
  std::vector<std::string> names = {"chinchilla", "kaplan"};
  for (const scaling::ChinchillaConstants& constants : scaling::chinchilla_constants()) {
    if (name == constants.name || name == "chinchilla") return chinchilla_law(constants, name);
    names.push_back(constants.name);
  }
  throw usage_error("unknown law '{}'{}", name, suggestion(name, names))
      .with_hint("the name of a file of stagedtrain plan --fit must contain '/' or end in .json");
}

double guess_loss(const arch::ModelConfig& model) {
  return std::log(static_cast<double>(model.vocab));
}

std::string not_covered(const PlanningLaw& law, const arch::ModelConfig& model, double loss) {
  return fmt::format(
      "the {} law {} does not cover this model (it predicts {:.2f} nats for {} x {}; guessing "
      "among "
      "{} ids is {:.2f})",
      law.published ? "published" : "fitted", law.name, loss, model.layers, model.width,
      grouped(model.vocab), guess_loss(model));
}

void refuse_nonsense(const PlanningLaw& law, const scaling::Size& size,
                     const arch::ModelConfig& model, double tokens) {
  const double loss = size.curve->loss(tokens);
  if (loss >= guess_loss(model))
    throw usage_error("{}", not_covered(law, model, loss)).with_hint(kFitOwnRuns);
}

}  // namespace stagedtrain::plan
