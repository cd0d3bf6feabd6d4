// When does each published rule grow, and for which runs is it refused?
#include "scaling/rules.h"

#include <algorithm>
#include <boost/math/tools/roots.hpp>
#include <cmath>

#include "base/error.h"
#include "scaling/kaplan.h"
#include "text/text.h"

namespace stagedtrain::scaling {
namespace {

void require_two_stages(const RuleQuestion& q, const char* name) {
  if (q.stages != 2) throw usage_error("{}: {} stages, expected 2", name, q.stages);
}

RuleAnswer grown_after(const RuleQuestion& q, double tokens) {
  const double share = tokens / q.run.tokens;
  return {{share, 1 - share}, {}};
}

RuleAnswer at_slope(const RuleQuestion& q, double slope, const char* name) {
  require_two_stages(q, name);
  if (!q.small) throw usage_error("{}: needs the curve of the smaller size", name);
  const double by_curve = tokens_at_slope(*q.small->curve, slope);
  const bool scales = q.small_inner > 0 && q.final_inner > q.small_inner;
  const double scaled =
      scales ? q.run.tokens * share_at_slopes(q.small_inner, q.final_inner, slope) : kInfinity;
  const double tokens = std::min(by_curve, scaled);
  if (tokens >= q.run.tokens - q.run.decay)
    throw usage_error("{}: the rule grows after {} tokens, when the slope reaches {}, but {} {}",
                      name, short_count(tokens), slope,
                      q.run.decay > 0 ? "the learning rate decays from" : "the run ends after",
                      short_count(q.run.tokens - q.run.decay))
        .with_hint("the run is too short for this rule; let the planner choose");
  RuleAnswer answer = grown_after(q, tokens);
  if (scaled < by_curve)
    answer.warnings.push_back(fmt::format(
        "{}: by the law the slope reaches {} only after {} tokens; the growth is placed "
        "as in a run that ends, like those of the paper, at the slope {}",
        name, slope, short_count(by_curve), kEndSlope));
  answer.warnings.push_back(
      "the threshold was found for Kaplan's law at its critical batch; --optimize derives the time "
      "from your own law and costs");
  return answer;
}

RuleAnswer paper_depth(const RuleQuestion& q) { return at_slope(q, kDepthSlope, "paper-depth"); }
RuleAnswer paper_width(const RuleQuestion& q) { return at_slope(q, kWidthSlope, "paper-width"); }

// G_stack's law was fitted to final sizes of 410M to 7B and runs of up to 750B tokens. For short
// runs of small models it gives more tokens than the whole run has.
RuleAnswer g_stack(const RuleQuestion& q) {
  require_two_stages(q, "g-stack");
  const double flops = 6 * q.parameters * q.run.tokens;
  const double tokens = g_stack_tokens(q.parameters, flops);
  if (!(tokens < q.run.tokens / 2))
    throw usage_error(
        "g-stack: its law asks for {} tokens before the growth, expected less than "
        "half of the run's {}",
        short_count(tokens), short_count(q.run.tokens))
        .with_hint("the law was fitted to longer runs of larger models; let the planner choose");
  RuleAnswer answer = grown_after(q, tokens);
  if (q.parameters < 4e8 || q.parameters > 7e9)
    answer.warnings.push_back(
        fmt::format("g-stack: {} parameters, fitted on 400M to 7G", short_count(q.parameters)));
  if (flops < 1e20 || flops > 1e24)
    answer.warnings.push_back(
        fmt::format("g-stack: {} FLOPs, assumed valid from 1e20 to 1e24", short_count(flops)));
  return answer;
}

// Stage i of k gets T i^power / sum_j j^power of the T tokens.
RuleAnswer proportional(const RuleQuestion& q, double power) {
  if (q.stages < 1) throw usage_error("0 stages, expected at least 1");
  RuleAnswer answer;
  double sum = 0;
  for (std::size_t i = 1; i <= q.stages; ++i) {
    answer.shares.push_back(std::pow(static_cast<double>(i), power));
    sum += answer.shares.back();
  }
  for (double& share : answer.shares) share /= sum;
  if (q.run.decay > answer.shares.back() * q.run.tokens)
    answer.warnings.push_back("the rate decays before the last growth");
  return answer;
}

RuleAnswer equal(const RuleQuestion& q) { return proportional(q, 0); }
RuleAnswer proportional_1(const RuleQuestion& q) { return proportional(q, 1); }
RuleAnswer proportional_2(const RuleQuestion& q) { return proportional(q, 2); }

RuleAnswer one_jump(const RuleQuestion& q) {
  require_two_stages(q, "one-jump");
  RuleAnswer answer = grown_after(q, q.run.last_growth());
  if (q.run.mixing == 0)
    answer.warnings.push_back(
        "one-jump: without a measured mixing time the growth comes directly before the decay");
  if (q.run.decay == 0)
    answer.warnings.push_back(
        "one-jump: the rule is for a learning rate that stays constant and then decays (wsd)");
  return answer;
}

}  // namespace

const std::vector<Rule>& rules() {
  static const std::vector<Rule> table = {
      {"paper-depth", "Shen et al. 2022, arXiv 2203.06211",
       "double the layers where d ln L / d ln C reaches -0.0575",
       "a run long enough to reach it; a curve of the smaller size", paper_depth},
      {"paper-width", "Shen et al. 2022, arXiv 2203.06211",
       "double the width where d ln L / d ln C reaches -0.0475",
       "a run long enough to reach it; a curve of the smaller size", paper_width},
      {"g-stack", "Du et al. 2024, arXiv 2405.15319",
       "stack after log10 d = 0.88 log10 N + 163.27 / log10 C - 5.74 tokens",
       "400M to 7G parameters, 1e20 to 1e24 FLOPs, d less than half of the run", g_stack},
      {"prop-1", "MIDAS, Saunshi et al. 2024, arXiv 2409.19044",
       "stage i gets tokens in proportion to i", "any number of stages", proportional_1},
      {"prop-2", "MIDAS, Saunshi et al. 2024, arXiv 2409.19044",
       "stage i gets tokens in proportion to i squared", "any number of stages", proportional_2},
      {"equal", "MSG, Yao et al. 2023, arXiv 2305.02869", "all stages get the same tokens",
       "any number of stages", equal},
      {"one-jump", "arXiv 2511.04981",
       "grow once, as late as the mixing time before the decay allows",
       "a learning rate that stays constant and then decays; a mixing time from a pilot run",
       one_jump},
  };
  return table;
}

const Rule& find_rule(const std::string& name) {
  std::vector<std::string> names;
  for (const Rule& rule : rules()) {
    if (rule.name == name) return rule;
    names.push_back(rule.name);
  }
  throw usage_error("unknown rule '{}'{}", name, suggestion(name, names));
}

namespace {

// Returns the law's Smin to reach a loss, in arbitrary units.
double steps_to(const Kaplan& law, double parameters, double loss) {
  return std::pow(loss - law.floor(parameters), -1 / law.aS);
}

// Solves d ln L / d ln C = -1 / (L / (L - floor) / aS + 1/aB) for L.
double loss_at_slope(const Kaplan& law, double parameters, double slope) {
  const double excesses = law.aS * (-1 / slope - 1 / law.aB);  // L / (L - floor)
  return law.floor(parameters) / (1 - 1 / excesses);
}

}  // namespace

double share_at_slopes(double small_inner, double final_inner, double slope) {
  const Kaplan law;
  const double growth = loss_at_slope(law, small_inner, slope);
  const double end = loss_at_slope(law, final_inner, kEndSlope);
  const double before = steps_to(law, small_inner, growth);
  return before / (before + steps_to(law, final_inner, end) - steps_to(law, final_inner, growth));
}

// A law with a floor is flat near it and steeper above. The search starts at the floor, goes up in
// loss until the slope is at most the threshold, and halves the interval.
double tokens_at_slope(const LossCurve& curve, double slope) {
  if (!(slope < 0)) throw usage_error("slope is {}, expected less than 0", slope);
  const double floor = curve.floor();
  double low = 1e-9 * (1 + std::abs(floor)), high = low;  // losses above the floor
  if (!(curve.log_slope(floor + low) >= slope))
    throw usage_error("the slope of the loss never reaches {}", slope);
  const double most = std::isfinite(curve.start()) ? curve.start() - floor : 1e6;
  while (curve.log_slope(floor + high) > slope && high < most) high *= 2;
  if (high >= most) throw usage_error("the slope of the loss is above {} from the start", slope);
  std::uintmax_t most_steps = 100;
  const auto [below, above] = boost::math::tools::bisect(
      [&](double excess) { return curve.log_slope(floor + excess) - slope; }, low, high,
      boost::math::tools::eps_tolerance<double>(), most_steps);
  return curve.tokens(floor + below);
}

double g_stack_tokens(double parameters, double flops) {
  return std::pow(10, 0.88 * std::log10(parameters) + 163.27 / std::log10(flops) - 5.74);
}

}  // namespace stagedtrain::scaling
