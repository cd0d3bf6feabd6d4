// Compares the recipe of a law's runs with a plan.
#include "fit/recipe.h"

#include <cmath>

#include "plan/step_tokens.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

// Returns the text that all have; nothing if they differ or one is unknown.
std::optional<std::string> common(const std::vector<LoggedCurve>& curves,
                                  std::string LoggedCurve::*text) {
  const std::string& first = curves.front().*text;
  for (const LoggedCurve& curve : curves)
    if (curve.*text != first) return {};
  return first.empty() ? std::optional<std::string>() : first;
}

// Returns the value that all have; unknown if they differ or one is unknown.
double common(const std::vector<LoggedCurve>& curves, double (*of)(const LoggedCurve&)) {
  const double first = of(curves.front());
  for (const LoggedCurve& curve : curves)
    if (!(of(curve) > 0) || differ(of(curve), first)) return runlog::kUnknown;
  return first;
}

std::optional<double> known(double value) {
  return std::isfinite(value) ? value : std::optional<double>();
}

double peak_rate(const LoggedCurve& curve) {
  double peak = 0;
  for (const scaling::LoggedStep& step : curve.steps) peak = std::max(peak, step.rate);
  return peak;
}

std::string parameterization_of(const schedule::Schedule& schedule) {
  const auto& given = schedule.parameterization;
  return given ? parameterization_text(std::to_string(given->base_width),
                                       std::to_string(given->base_layers))
               : parameterization_text("", "");
}

}  // namespace

bool differ(double a, double b) {
  constexpr double kSame = 1.01;
  return a > 0 && b > 0 && std::fabs(std::log(a / b)) > std::log(kSame);
}

std::string parameterization_text(const std::string& base_width, const std::string& base_layers) {
  if (base_width.empty()) return "none";
  if (base_layers.empty() || base_layers == "0") return "base_width " + base_width;
  return fmt::format("base_width {}, base_layers {}", base_width, base_layers);
}

std::optional<FittedRecipe> recipe_of(const std::vector<LoggedCurve>& curves) {
  if (curves.empty()) return {};
  FittedRecipe recipe{.data = curves.front().data};
  for (const LoggedCurve& curve : curves)
    if (curve.data != recipe.data) recipe.data.clear();
  recipe.tokens_per_step = common(curves, [](const LoggedCurve& c) { return c.tokens_per_step; });
  recipe.peak_rate = common(curves, peak_rate);
  recipe.architecture = common(curves, &LoggedCurve::architecture);
  recipe.optimizer = common(curves, &LoggedCurve::optimizer);
  recipe.parameterization = common(curves, &LoggedCurve::parameterization);
  recipe.vocab = known(common(curves, [](const LoggedCurve& c) { return c.vocab; }));
  recipe.context = known(common(curves, [](const LoggedCurve& c) { return c.context; }));
  return recipe;
}

bool has_other_data(const FittedRecipe& recipe, const RunPlan& plan) {
  const std::string& data = plan.facts.train_fingerprint;
  return !recipe.data.empty() && !data.empty() && recipe.data != data;
}

std::vector<std::string> recipe_warnings(const FittedRecipe& recipe, const RunPlan& plan) {
  std::vector<std::string> lines;
  const double tokens = step_tokens(plan.stages.back());
  if (has_other_data(recipe, plan))
    lines.push_back(fmt::format(
        "the law was fitted on other data, so its losses do not hold here; fit runs on this data "
        "(fingerprint {}, not {})",
        plan.facts.train_fingerprint, recipe.data));
  const arch::ModelConfig& model = plan.final_model;
  if (recipe.vocab && *recipe.vocab != static_cast<double>(model.vocab))
    lines.push_back(fmt::format(
        "the law was fitted to models of {} token ids, this plan has {}: a loss per token depends "
        "on what a token is",
        grouped_number(*recipe.vocab), grouped(model.vocab)));
  if (recipe.architecture && *recipe.architecture != model.architecture)
    lines.push_back(
        fmt::format("the law was fitted to models of the architecture {}, this plan has {}",
                    *recipe.architecture, model.architecture));
  if (const std::string own = enum_name(plan.schedule.optimizer.name);
      recipe.optimizer && *recipe.optimizer != own)
    lines.push_back(
        fmt::format("the law was fitted to runs with the optimizer {}, this plan has {}",
                    *recipe.optimizer, own));
  if (const std::string own = parameterization_of(plan.schedule);
      recipe.parameterization && *recipe.parameterization != own)
    lines.push_back(fmt::format(
        "the law was fitted to runs with the parameterization {}, this plan has {}: the same peak "
        "learning rate means other steps",
        *recipe.parameterization, own));
  if (recipe.context && *recipe.context != static_cast<double>(model.context))
    lines.push_back(
        fmt::format("the law was fitted to runs with a context of {} tokens, this plan has {}: a "
                    "loss per token "
                    "depends on how much text comes before",
                    grouped_number(*recipe.context), grouped(model.context)));
  if (differ(recipe.tokens_per_step, tokens))
    lines.push_back(fmt::format(
        "the law was fitted to runs of {} tokens a step, this plan has {}: losses at equal tokens "
        "depend on the batch",
        short_count(recipe.tokens_per_step), short_count(tokens)));
  if (differ(recipe.peak_rate, plan.schedule.lr.peak))
    lines.push_back(fmt::format(
        "the law was fitted to runs at a peak learning rate of {:.3g}, this plan has {:.3g}",
        recipe.peak_rate, plan.schedule.lr.peak));
  return lines;
}

}  // namespace stagedtrain::plan
