// Rules of the literature for when to grow, by name, each with what it holds for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "law/pair.h"

namespace stagedtrain::law {

// What the rules may ask about a run. Each uses what it needs.
struct RuleQuestion {
  std::size_t stages = 2;
  double parameters = 0;  // of the final size, all of them
  RunLength run;
  std::optional<Size> small;  // the first size, with its curve
  // Parameters without embeddings of the first and of the final size. 0 where the curve is of own
  // logs, which says itself when a run of this batch comes to a slope.
  double small_inner = 0, final_inner = 0;
};

// How a rule divides the tokens of the run, and what the user should know.
struct RuleAnswer {
  std::vector<double> shares;  // of the run's tokens, one for each stage; their sum is 1
  std::vector<std::string> warnings;
};

struct Rule {
  const char* name;
  const char* source;
  const char* says;
  const char* valid;
  // Throws Error(usage) with the reason where the rule does not hold.
  RuleAnswer (*answer)(const RuleQuestion& question);
};
const std::vector<Rule>& rules();
// Throws Error(usage) with the nearest name.
const Rule& find_rule(const std::string& name);

// The paper's thresholds (arXiv 2203.06211): grow where d ln L / d ln C has risen to these. They
// were found by hand, and are near the optimum of Kaplan's law: -0.05975 for doubled depth,
// -0.05191 for doubled width. Those follow from the law alone, for any size.
constexpr double kDepthSlope = -0.0575, kWidthSlope = -0.0475;
// The paper's runs ended where the slope of the grown model had risen to this.
constexpr double kEndSlope = -0.052;

// The part of a run's steps before the growth of a run that grows and ends at these slopes by
// Kaplan's law. It hangs on the ratio of both sizes alone, not on how long the run is: the law's own
// tokens are of the critical batch, six to ten times those of the paper's runs of 0.5M tokens a step.
double share_at_slopes(double small_inner, double final_inner, double slope);

// The tokens after which a curve's slope has risen to this. Throws Error(usage) if it never does.
double tokens_at_slope(const LossCurve& curve, double slope);

// Stacking's timing law (G_stack, arXiv 2405.15319): tokens of the small model before it is
// stacked, for a final size of so many parameters and a run of so many FLOPs.
double g_stack_tokens(double parameters, double flops);

}  // namespace stagedtrain::law
