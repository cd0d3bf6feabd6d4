// Interpolates losses in log cost, and propagates their errors to first order.
#include "compare/savings.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stagedtrain::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Returns the standard error of staged - ((1 - t) * low + t * high), whose errors are independent.
double joint_se(double staged, double low, double high, double t) {
  return std::sqrt(staged * staged + (1 - t) * (1 - t) * low * low + t * t * high * high);
}

// Returns the first pair of neighbours on the frontier whose upper end reaches far enough, or else
// the last pair.
template <class Reaches>
std::size_t segment(const std::vector<std::size_t>& line, Reaches reaches) {
  std::size_t i = 0;
  while (i + 2 < line.size() && !reaches(line[i + 1])) ++i;
  return i;
}

Reach reach_of(double log_cost, double log_first, double log_last) {
  if (log_cost >= log_first && log_cost <= log_last) return Reach::inside;
  const double outside = std::max(log_first - log_cost, log_cost - log_last);
  return outside <= std::log(kExtrapolation) ? Reach::extrapolated : Reach::beyond;
}

}  // namespace

std::vector<std::size_t> frontier(const std::vector<DecayedEnd>& ends) {
  std::vector<std::size_t> order;  // without unknown costs or losses, which cannot be sorted
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (ends[i].cost > 0 && std::isfinite(ends[i].loss)) order.push_back(i);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return ends[a].cost != ends[b].cost ? ends[a].cost < ends[b].cost : ends[a].loss < ends[b].loss;
  });
  std::vector<std::size_t> line;
  for (std::size_t i : order)
    if (line.empty() || ends[i].loss < ends[line.back()].loss) line.push_back(i);
  return line;
}

std::optional<Saving> saving(const DecayedEnd& staged, const std::vector<DecayedEnd>& ends) {
  const std::vector<std::size_t> line = frontier(ends);
  if (line.size() < 2 || !(staged.cost > 0)) return {};
  const DecayedEnd &first = ends[line.front()], &last = ends[line.back()];
  const std::size_t i =
      segment(line, [&](std::size_t end) { return ends[end].loss <= staged.loss; });
  const DecayedEnd &low = ends[line[i]], &high = ends[line[i + 1]];
  const double t = (low.loss - staged.loss) / (low.loss - high.loss);
  const double span = std::log(high.cost / low.cost);
  const double log_cost = std::log(low.cost) + t * span;
  Saving result{
      .value = kNan, .se = kNan, .scratch_cost = kNan, .low = line[i], .high = line[i + 1]};
  // By loss, not by cost: rounding must not push an end that was met exactly outside.
  const bool inside = staged.loss <= first.loss && staged.loss >= last.loss;
  result.reach =
      inside ? Reach::inside : reach_of(log_cost, std::log(first.cost), std::log(last.cost));
  if (staged.loss < last.loss) result.at_least = 1 - staged.cost / last.cost;
  if (staged.loss > first.loss) result.at_most = 1 - staged.cost / first.cost;
  if (result.reach == Reach::beyond) return result;
  result.scratch_cost = std::exp(log_cost);
  result.value = 1 - staged.cost / result.scratch_cost;
  const double log_se = joint_se(staged.se, low.se, high.se, t) * span / (low.loss - high.loss);
  result.se = staged.cost / result.scratch_cost * log_se;
  return result;
}

std::optional<LossGap> loss_gap(const DecayedEnd& staged, const std::vector<DecayedEnd>& ends) {
  const std::vector<std::size_t> line = frontier(ends);
  if (line.size() < 2 || !(staged.cost > 0)) return {};
  const std::size_t i =
      segment(line, [&](std::size_t end) { return ends[end].cost >= staged.cost; });
  const DecayedEnd &low = ends[line[i]], &high = ends[line[i + 1]];
  LossGap result{
      .value = kNan, .se = kNan, .scratch_loss = kNan, .low = line[i], .high = line[i + 1]};
  result.reach = reach_of(std::log(staged.cost), std::log(ends[line.front()].cost),
                          std::log(ends[line.back()].cost));
  if (result.reach == Reach::beyond) return result;
  const double t = std::log(staged.cost / low.cost) / std::log(high.cost / low.cost);
  result.scratch_loss = low.loss + t * (high.loss - low.loss);
  result.value = result.scratch_loss - staged.loss;
  result.se = joint_se(staged.se, low.se, high.se, t);
  return result;
}

}  // namespace stagedtrain::report
