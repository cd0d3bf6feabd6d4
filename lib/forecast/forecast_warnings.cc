// Writes the warnings of a forecast.
#include "forecast/forecast_warnings.h"

#include <algorithm>

#include "arch/routed_layers.h"
#include "fit/recipe.h"
#include "forecast/annealed_end.h"
#include "forecast/assumption_warnings.h"
#include "plan/stage_policy.h"
#include "plan/step_tokens.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
constexpr double kMostExtrapolation = 3, kMostRepeats = 4, kMostSizeFactor = 4;
constexpr double kMostDecayStretch = 2;

void mixing_warnings(const RunPlan& plan, const Transfer& transfer,
                     std::vector<std::string>& lines) {
  const StagePlan& last = plan.stages.back();
  const std::int64_t before_decay = plan.total_steps - plan.decay_steps - last.first_step;
  if (static_cast<double>(before_decay) * step_tokens(last) < transfer.mixing_tokens)
    lines.push_back(fmt::format(
        "{} grows {} tokens before the decay, less than the {} that mixing takes", last.name,
        short_count(std::max(0.0, static_cast<double>(before_decay) * step_tokens(last))),
        short_count(transfer.mixing_tokens)));
}

// Warns about stages that the law overestimates because it counts their embeddings like layers.
void shape_warnings(const RunPlan& plan, const PlanningLaw& law, std::vector<std::string>& lines) {
  for (const StagePlan& stage : plan.stages) {
    const bool counts_all =
        law.parameters(stage.params) > static_cast<double>(stage.params.non_embedding);
    if (auto line = embedding_warning(stage.name, stage.params); counts_all && line)
      lines.push_back(std::move(*line));
  }
}

// Warns about stages that the law takes for plain ones.
void policy_warnings(const RunPlan& plan, std::vector<std::string>& lines) {
  for (const StagePlan& stage : plan.stages) {
    const std::string what =
        arch::has_routed_layers(stage.model) ? "routed layers" : policy_key(stage);
    if (what.empty()) continue;
    lines.push_back(
        fmt::format("{}: no scaling law models {}, so the forecast takes the stage's losses for "
                    "those of a plain one",
                    stage.name, what));
  }
}

// Warns where the assumption of the first forecast is doubtful.
void assumption_warnings(const RunPlan& plan, const Transfer& transfer, Outlook& outlook) {
  const Forecast& asked = outlook.forecasts[0];
  for (std::size_t i = 1; i < plan.stages.size(); ++i) {
    const StagePlan &from = plan.stages[i - 1], &to = plan.stages[i];
    if (auto line = growth_warning(from.name, to.name, growth_factor(from.params, to.params)))
      outlook.warnings.push_back(std::move(*line));
  }
  const double tokens = asked.scratch_tokens, saved = asked.savings.flops;
  const std::string most = saved > 0
                               ? fmt::format("here it is {:.1f}%, {} tokens of the final model",
                                             100 * saved, short_count(saved * tokens))
                               : std::string("here nothing is saved");
  if (asked.assumption == Assumption::loss_state)
    if (auto line = long_run_warning(tokens, plan.stages.back().params, most))
      outlook.warnings.push_back(std::move(*line));
  if (asked.assumption != Assumption::mixing) return;
  for (std::string& line : mixing_warnings(plan.schedule, transfer))
    outlook.warnings.push_back(std::move(line));
}

// Says how far beyond its sizes a law of several sizes is extrapolated; "" if it is not.
std::string extrapolation(const PlanningLaw& law, const std::string& name, double parameters) {
  if (law.trained_sizes.empty()) return "";
  const double largest = law.trained_sizes.back(), smallest = law.trained_sizes.front();
  if (parameters <= largest && parameters >= smallest) return "";
  std::vector<std::string> sizes;
  for (const double size : law.trained_sizes) sizes.push_back(short_count(size));
  const bool above = parameters > largest;
  const double factor = above ? parameters / largest : smallest / parameters;
  return fmt::format(
      "{}: {} parameters without embeddings were never trained: the forecast extrapolates from {} "
      "to {:.3g} times {}{}",
      name, short_count(parameters), join(sizes, ", "), above ? factor : 1 / factor,
      above ? "the largest" : "the smallest",
      factor > kMostSizeFactor
          ? fmt::format("; beyond {} times it is a guess: train a size in between", kMostSizeFactor)
          : "");
}

}  // namespace

std::vector<std::string> law_warnings(const PlanningLaw& law, const std::string& name,
                                      const arch::ParamCount& params, double tokens) {
  std::vector<std::string> lines;
  const double n = law.parameters(params);
  if (auto line = extrapolation(law, name, n); !line.empty())
    lines.push_back(std::move(line));
  else if (n < law.least_parameters || n > law.most_parameters)
    lines.push_back(
        fmt::format("{}: {} parameters, but the law {} was fitted to {} to {}; fit "
                    "your own runs",
                    name, short_count(n), law.name, short_count(law.least_parameters),
                    short_count(law.most_parameters)));
  const double known = law.known_tokens(n);
  if (known > 0 && tokens > kMostExtrapolation * known)
    lines.push_back(fmt::format(
        "{}: the forecast goes to {} tokens, {:.3g} times the data of the fit; beyond {} times it "
        "is a guess",
        name, short_count(tokens), tokens / known, kMostExtrapolation));
  return lines;
}

std::string other_decay(const PlanningLaw& law, const RunPlan& plan) {
  const auto effect = law.annealing ? decay_effect(plan, law.response) : std::nullopt;
  if (!effect || decay_stretch(*effect, law) <= kMostDecayStretch) return "";
  const bool longer = effect->length > law.most_decay;
  return fmt::format(
      "the decay of this plan is {:.2g} times {} than any that the law's runs had, so what it "
      "gains is uncertain; train a pilot with this learning-rate curve",
      decay_stretch(*effect, law), longer ? "longer" : "shorter");
}

std::string before_decay(const PlanningLaw& law, const RunPlan& plan) {
  if (law.published || law.end != kConstantRate || !plan.decayed) return "";
  if (law.annealing && has_decay_effect(plan)) return "";
  return "these losses and intervals are for the peak rate, before the decay, whose gain the "
         "curves do not show (.06 to .25 nats where it was measured); savings change little";
}

std::vector<std::string> whole_run_warnings(const PlanningLaw& law, const RunPlan& plan) {
  std::vector<std::string> lines;
  if (law.recipe) lines = recipe_warnings(*law.recipe, plan);
  for (const std::string& line : {before_decay(law, plan), other_decay(law, plan)})
    if (!line.empty()) lines.push_back(line);
  return lines;
}

std::string epochs_warning(double times) {
  return fmt::format("the run reads its text {:.3g} times, but laws count fresh tokens{}", times,
                     times > kMostRepeats
                         ? "; beyond about 4 times repeats help much less (arXiv 2305.16264)"
                         : "");
}

void add_warnings(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                  Outlook& outlook) {
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    double tokens = 0;
    for (const Forecast& f : outlook.forecasts)
      tokens =
          std::max(tokens, f.stages[i].resume_tokens + static_cast<double>(plan.stages[i].tokens));
    for (std::string& line : law_warnings(law, plan.stages[i].name, plan.stages[i].params, tokens))
      outlook.warnings.push_back(std::move(line));
  }
  const std::vector<std::string> first = whole_run_warnings(law, plan);
  outlook.warnings.insert(outlook.warnings.begin(), first.begin(), first.end());
  outlook.warnings.insert(outlook.warnings.end(), law.notes.begin(), law.notes.end());
  if (const auto times = epochs(plan); times && *times > 1)
    outlook.warnings.push_back(epochs_warning(*times));
  if (plan.stages.size() > 1 && law.published) shape_warnings(plan, law, outlook.warnings);
  policy_warnings(plan, outlook.warnings);
  if (plan.stages.size() > 1) {
    mixing_warnings(plan, transfer, outlook.warnings);
    assumption_warnings(plan, transfer, outlook);
  }
}

}  // namespace stagedtrain::plan
