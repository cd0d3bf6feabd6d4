// Computes quantiles of the last stage's tokens and their cost.
#include "forecast/cost_to_end.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "plan/step_sums.h"
#include "statistics/bootstrap.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr double kNever = 100;  // times as long as planned

std::string between(const std::array<double, 2>& range, std::string (*text)(double),
                    const char* unit) {
  if (std::isinf(range[1]))
    return fmt::format("{}{} or more, and perhaps never", text(range[0]), unit);
  return fmt::format("{} to {}{}", text(range[0]), text(range[1]), unit);
}

}  // namespace

std::optional<CostToEnd> cost_to_end(const RunPlan& plan, const RunCost& cost,
                                     std::vector<double> last_tokens) {
  if (last_tokens.empty()) return {};
  const auto planned = static_cast<double>(plan.stages.back().tokens);
  for (double& tokens : last_tokens)  // infinity where a law's floor lies above the loss
    tokens = std::isnan(tokens) ? kNever * planned : std::clamp(tokens, 0.0, kNever * planned);
  const scaling::Interval found = scaling::interval(std::move(last_tokens));
  const auto priced = [&](double all, double per_token) {
    const auto at = [&](double tokens) {
      return tokens >= kNever * planned ? std::numeric_limits<double>::infinity()
                                        : all + (tokens - planned) * per_token;
    };
    return std::array{at(found.low), at(found.high)};
  };
  CostToEnd result{
      priced(plan.flops, flops_per_token(plan.schedule, plan.stages.back().model)), {}, {}};
  if (!cost.timed) return result;
  const double per_token = cost.stages.back().seconds_per_token;
  result.seconds = priced(cost.total.training_seconds, per_token);
  if (const double seconds = cost.total.seconds(); cost.total.money > 0 && seconds > 0)
    result.money = priced(cost.total.money, per_token * cost.total.money / seconds);
  return result;
}

std::string to_text(const CostToEnd& cost) {
  const auto money = [](double amount) { return fmt::format("{:.2f}", amount); };
  std::string text = "80%: " + between(cost.flops, short_count, " FLOPs");
  if (cost.seconds) text += ", " + between(*cost.seconds, short_seconds, "");
  if (cost.money) text += ", " + between(*cost.money, money, " in money");
  return text;
}

}  // namespace stagedtrain::plan
