// Which published rule decides when to grow? A table of rules by name, with the runs they hold for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scaling/pair.h"

namespace stagedtrain::scaling {

// What the rules need to know about a run. Each rule uses a part of it.
struct RuleQuestion {
  std::size_t stages = 2;
  double parameters = 0;  // all parameters of the final size
  RunLength run;
  std::optional<Size> small;  // the first size, with its curve
  // Parameters without embeddings of the first and of the final size. They are 0 if the curve was
  // fitted to the user's own logs: such a curve belongs to the run's own batch size, so
  // share_at_slopes() is not used.
  double small_inner = 0, final_inner = 0;
};

// How a rule divides the tokens of the run, and warnings for the user.
struct RuleAnswer {
  std::vector<double> shares;  // each stage's share of the run's tokens; they sum to 1
  std::vector<std::string> warnings;
};

struct Rule {
  const char* name;
  const char* source;
  const char* says;
  const char* valid;
  // Throws Error(usage) with the reason if the rule does not apply to this run.
  RuleAnswer (*answer)(const RuleQuestion& question);
};
const std::vector<Rule>& rules();
// Throws Error(usage), with the nearest name, for a name that is not in the table.
const Rule& find_rule(const std::string& name);

// The thresholds of Staged Training (arXiv 2203.06211): a model is grown where d ln L / d ln C has
// risen to them. The authors found them by hand. The optima of Kaplan's law are close: -0.05975 for
// doubled depth and -0.05191 for doubled width, whatever the size.
constexpr double kDepthSlope = -0.0575, kWidthSlope = -0.0475;
// The slope of the grown model at which the paper's runs ended.
constexpr double kEndSlope = -0.052;

// Returns the share of a run's steps that lies before the growth, if the run grows at `slope` and
// ends at kEndSlope by Kaplan's law. It depends only on the ratio of both sizes. The law's tokens
// themselves are those of the critical batch, six to ten times as many as those of the paper's runs
// with 0.5M tokens a step.
double share_at_slopes(double small_inner, double final_inner, double slope);

// Returns the tokens after which a curve's slope d ln L / d ln D has risen to `slope`. Throws
// Error(usage) if `slope` is not negative, if the curve never reaches it, or if it is flatter from
// the start.
double tokens_at_slope(const LossCurve& curve, double slope);

// The timing law of stacking (G_stack, arXiv 2405.15319). Returns the tokens of the small model
// before it is stacked, for the parameters of the final size and the FLOPs of the run.
double g_stack_tokens(double parameters, double flops);

}  // namespace stagedtrain::scaling
