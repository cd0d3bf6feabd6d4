// Sums tokens and FLOPs over ramps in closed form, and finds the steps at which they reach an
// amount.
#include "plan/step_sums.h"

#include <algorithm>
#include <cmath>

#include "arch/cost.h"
#include "arch/muon_matrices.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;

// Returns the sum of floor(i * rise / over) for i from 0 to n - 1. It counts lattice points below a
// line by the Euclidean algorithm, in O(log over).
std::int64_t floor_sum(std::int64_t n, std::int64_t over, std::int64_t rise) {
  __int128 sum = 0, a = rise, m = over, b = 0, count = n;
  for (;;) {
    sum += count * (count - 1) / 2 * (a / m) + count * (b / m);
    a %= m;
    b %= m;
    const __int128 top = a * count + b;
    if (top < m) return static_cast<std::int64_t>(sum);
    count = top / m;
    b = top % m;
    std::swap(m, a);
  }
}

// Returns the divisors of n in ascending order.
std::vector<std::int64_t> divisors(std::int64_t n) {
  std::vector<std::int64_t> low, high;
  for (std::int64_t d = 1; d * d <= n; ++d) {
    if (n % d != 0) continue;
    low.push_back(d);
    if (d * d != n) high.push_back(n / d);
  }
  low.insert(low.end(), high.rbegin(), high.rend());
  return low;
}

// Returns the first step at which the length warm-up allows pieces of this length.
std::int64_t first_step_of(const schedule::RampSpec& ramp, std::int64_t context,
                           std::int64_t length) {
  if (length <= ramp.start || ramp.over == 0) return 0;
  const std::int64_t rise = context - ramp.start;
  return ((length - ramp.start) * ramp.over + rise - 1) / rise;
}

}  // namespace

std::int64_t sequences_at(const Schedule& s, std::int64_t step) {
  const auto& ramp = s.batch.size_warmup;
  if (!ramp || step >= ramp->over) return s.batch.sequences;
  return ramp->start + (s.batch.sequences - ramp->start) * step / ramp->over;
}

std::int64_t length_at(const Schedule& s, const arch::ModelConfig& model, std::int64_t step) {
  const auto& ramp = s.batch.length_warmup;
  if (!ramp || step >= ramp->over || ramp->start >= model.context) return model.context;
  const std::int64_t most = ramp->start + (model.context - ramp->start) * step / ramp->over;
  const std::vector<std::int64_t> lengths = divisors(model.context);
  return *(std::upper_bound(lengths.begin(), lengths.end(), most) - 1);
}

std::int64_t tokens_at(const Schedule& s, const arch::ModelConfig& model, std::int64_t step) {
  return sequences_at(s, step) * model.context;
}

double optimizer_flops_per_step(const Schedule& s, const arch::ModelConfig& model) {
  return s.optimizer.name == schedule::OptimizerName::muon ? arch::newton_schulz_flops(model) : 0;
}

double flops_per_token(const Schedule& s, const arch::ModelConfig& model) {
  return arch::flops_per_token(model) + optimizer_flops_per_step(s, model) /
                                            static_cast<double>(s.batch.sequences * model.context);
}

StepSums::StepSums(const Schedule& s, const arch::ModelConfig& model)
    : StepSums(
          s, model, [&](std::int64_t length) { return arch::flops_per_token(model, length); },
          optimizer_flops_per_step(s, model)) {}

StepSums::StepSums(const Schedule& s, const arch::ModelConfig& model,
                   const FlopsPerToken& flops_per_token, double optimizer_flops_per_step)
    : context_(model.context),
      sequences_(s.batch.sequences),
      start_(s.batch.size_warmup ? s.batch.size_warmup->start : sequences_),
      over_(s.batch.size_warmup ? s.batch.size_warmup->over : 0),
      ramp_end_(over_),
      optimizer_flops_(optimizer_flops_per_step) {
  const auto& ramp = s.batch.length_warmup;
  if (!ramp || ramp->over == 0 || ramp->start >= context_) {
    segments_ = {{0, flops_per_token(context_)}};
    return;
  }
  ramp_end_ = std::max(over_, ramp->over);
  for (std::int64_t length : divisors(context_)) {
    const std::int64_t step = first_step_of(*ramp, context_, length);
    if (!segments_.empty() && segments_.back().first_step == step) segments_.pop_back();
    segments_.push_back({step, flops_per_token(length)});
  }
}

std::int64_t StepSums::sequences_before(std::int64_t step) const {
  const std::int64_t in_ramp = std::min(step, over_);
  const std::int64_t risen =
      in_ramp > 0 ? start_ * in_ramp + floor_sum(in_ramp, over_, sequences_ - start_) : 0;
  return risen + (step - in_ramp) * sequences_;
}

std::int64_t StepSums::tokens(std::int64_t first, std::int64_t last) const {
  return (sequences_before(last) - sequences_before(first)) * context_;
}

double StepSums::flops(std::int64_t first, std::int64_t last) const {
  double sum = optimizer_flops_ * static_cast<double>(last - first);
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const std::int64_t from = std::max(first, segments_[i].first_step);
    const std::int64_t to =
        i + 1 < segments_.size() ? std::min(last, segments_[i + 1].first_step) : last;
    if (from < to)
      sum += static_cast<double>(tokens(from, to)) * segments_[i].flops_per_token;
  }
  return sum;
}

// Sums rise with the number of steps, so within the ramps the step is found by halving. After them
// all steps are equal.
template <class Sum>
double StepSums::steps_for(std::int64_t first, double amount, Sum sum) const {
  constexpr double kRounding = 1 - 1e-12;
  const double wanted = amount * kRounding;
  const std::int64_t ramp = std::max<std::int64_t>(0, ramp_end_ - first);
  const double in_ramp = sum(first, first + ramp);
  if (in_ramp < wanted) {
    const double each = sum(first + ramp, first + ramp + 1);
    return static_cast<double>(ramp) + std::ceil((amount - in_ramp) / each * kRounding);
  }
  std::int64_t low = 0, high = ramp;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (sum(first, first + middle) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return static_cast<double>(low);
}

double StepSums::steps_for_tokens(std::int64_t first, double amount) const {
  return steps_for(first, amount, [this](std::int64_t from, std::int64_t to) {
    return static_cast<double>(tokens(from, to));
  });
}

double StepSums::steps_for_flops(std::int64_t first, double amount) const {
  return steps_for(first, amount,
                   [this](std::int64_t from, std::int64_t to) { return flops(from, to); });
}

std::int64_t StepSums::steps_before(std::int64_t first, std::int64_t last, double amount) const {
  const auto wanted = static_cast<std::int64_t>(std::ceil(std::min(amount, 0x1p62)));
  std::int64_t low = 0, high = last - first;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (tokens(last - middle, last) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace stagedtrain::plan
