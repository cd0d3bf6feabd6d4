// One line for each assumption that this plan strains.
#include "plan/optimize_warnings.h"

#include "base/text.h"

namespace stagedtrain::plan {
namespace {

using law::Assumption;
using Lines = std::vector<std::string>;
constexpr double kTokensPerParameter = 20, kMostGrowth = 4;

void about_law(const Optimum& o, Lines& lines) {
  for (const OptimizedStage& stage : o.stages) {
    const double n = stage.size.parameters;
    if (n >= o.law.least_parameters && n <= o.law.most_parameters) continue;
    lines.push_back(
        fmt::format("{}: {} parameters, but the law {} was fitted to {} to {}; fit your own runs",
                    stage.name, short_count(n), o.law.name, short_count(o.law.least_parameters),
                    short_count(o.law.most_parameters)));
  }
  if (o.law.name == "kaplan")
    lines.push_back("kaplan: its runs have a constant rate and the critical batch of their loss");
}

void about_loss_state(const Optimum& o, Lines& lines) {
  const double tokens_per_parameter =
      o.scratch_tokens / static_cast<double>(o.stages.back().size.params.total);
  if (tokens_per_parameter > kTokensPerParameter)
    lines.push_back(fmt::format(
        "{:.3g} tokens for each parameter: under loss-state the tokens saved stay the same as runs "
        "grow, so the percentage falls; here it is at most {:.1f}%",
        tokens_per_parameter, 100 * o.all_sizes));
}

void about_mixing(const Optimum& o, const OptimizeOptions& options, Lines& lines) {
  if (options.mixing_tokens == 0)
    lines.push_back(
        "the mixing time is not known and was taken as 0: measure it on a pilot, from the growth "
        "to where the grown run meets one from scratch");
  if (o.schedule.lr.curve != "wsd")
    lines.push_back(
        fmt::format("the learning rate ({}) falls all along: mixing was seen at a rate "
                    "that holds until a late decay (wsd)",
                    o.schedule.lr.curve));
}

void about_growths(const Optimum& o, Lines& lines) {
  for (std::size_t i = 1; i < o.stages.size(); ++i) {
    const double factor = o.stages[i].size.parameters / o.stages[i - 1].size.parameters;
    if (factor > kMostGrowth * (1 + 1e-9))
      lines.push_back(
          fmt::format("{} to {}: {:.3g} times the parameters; growths beyond 4 have "
                      "done worse than planned",
                      o.stages[i - 1].name, o.stages[i].name, factor));
  }
}

}  // namespace

std::vector<std::string> warnings_of(const Optimum& o, const OptimizeOptions& options) {
  Lines lines;
  if (o.stages.size() == 1)
    lines.push_back("no growth pays under this assumption: the plan is the final model alone");
  about_law(o, lines);
  about_growths(o, lines);
  if (o.assumption == Assumption::loss_state) about_loss_state(o, lines);
  if (o.assumption == Assumption::mixing) about_mixing(o, options, lines);
  if (o.assumption == Assumption::measured && o.stages.size() > 1)
    lines.push_back(
        "rho is taken to hold until the last moment before the decay; it was measured at one time");
  return lines;
}

}  // namespace stagedtrain::plan
