// Collects the warnings about an optimized plan: one for each assumption that is doubtful for it.
#include "optimize/optimize_warnings.h"

#include "forecast/assumption_warnings.h"
#include "forecast/forecast_warnings.h"
#include "optimize/optimize_problem.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
using Lines = std::vector<std::string>;

void about_law(const Optimum& o, Lines& lines) {
  for (const OptimizedStage& stage : o.stages)
    for (std::string& line :
         law_warnings(o.law, stage.name, stage.size.params, stage.resume_tokens + stage.tokens))
      lines.push_back(std::move(line));
  lines.insert(lines.end(), o.law.notes.begin(), o.law.notes.end());
  if (o.law.name == "kaplan")
    lines.push_back("kaplan: the law is for a constant learning rate at the critical batch size");
}

// Returns the time that staging saves at most, if time is known.
std::string worth(const Optimum& o) {
  const double each = o.full.cost.stages.back().seconds_per_token;
  if (each == 0) return "";
  return fmt::format(", {}", short_seconds(o.all_sizes * o.scratch_tokens * each));
}

void about_loss_state(const Optimum& o, Lines& lines) {
  const std::string most =
      fmt::format("here it is at most {:.1f}%, {} tokens of the final model{}", 100 * o.all_sizes,
                  short_count(o.all_sizes * o.scratch_tokens), worth(o));
  if (auto line = long_run_warning(o.scratch_tokens, o.stages.back().size.params, most))
    lines.push_back(std::move(*line));
}

void about_mixing(const Optimum& o, Lines& lines) {
  for (std::string& line : mixing_warnings(o.schedule, o.options.transfer))
    lines.push_back(std::move(line));
}

void about_growths(const Optimum& o, Lines& lines) {
  for (std::size_t i = 1; i < o.stages.size(); ++i) {
    const OptimizedStage &from = o.stages[i - 1], &to = o.stages[i];
    if (auto line = embedding_warning(from.name, from.size.params);
        line && o.law.published && o.law.name != "kaplan")
      lines.push_back(std::move(*line));
    if (auto line =
            growth_warning(from.name, to.name, growth_factor(from.size.params, to.size.params)))
      lines.push_back(std::move(*line));
  }
}

// Warns if only the bound on the last stage keeps the last growth from coming later.
void about_last_stage(const Optimum& o, Lines& lines) {
  if (o.stages.size() < 2 || o.full.plan.decay_steps > 0) return;
  const double share = static_cast<double>(o.stages.back().steps) /
                       static_cast<double>(o.full.plan.total_steps);
  if (share > 1.1 * kLeastLastStage) return;
  lines.push_back(fmt::format(
      "the last stage is as short as a plan allows, {:.0f}% of the run: by this law {} alone "
      "nearly reaches that loss",
      100 * share, o.stages[o.stages.size() - 2].name));
}

void about_data(const Optimum& o, Lines& lines) {
  const std::optional<double> times = epochs(o.full.plan);
  if (times && *times > 1) lines.push_back(epochs_warning(*times));
}

}  // namespace

std::vector<std::string> warnings_of(const Optimum& o, const std::string& why_not_grown) {
  Lines lines = whole_run_warnings(o.law, o.full.plan);
  const scaling::Assumption assumption = o.options.transfer.assumption;
  if (o.stages.size() == 1 && o.options.most_stages > 1)
    lines.push_back(why_not_grown.empty()
                        ? "no growth pays under this assumption: the plan is the final model alone"
                        : "the plan is the final model alone: " + why_not_grown);
  about_growths(o, lines);
  about_law(o, lines);
  if (assumption == Assumption::loss_state) about_loss_state(o, lines);
  if (assumption == Assumption::mixing) about_mixing(o, lines);
  if (assumption == Assumption::measured && o.stages.size() > 1)
    lines.push_back(
        "rho is assumed to hold until the decay begins, but was measured for one time of growth");
  about_last_stage(o, lines);
  about_data(o, lines);
  return lines;
}

}  // namespace stagedtrain::plan
