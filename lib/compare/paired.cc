// Computes standard errors of savings from per-seed comparisons.
#include "compare/paired.h"

#include <algorithm>
#include <cmath>

#include "base/mean.h"
#include "compare/seeds.h"

namespace stagedtrain::report {
namespace {

// Returns the comparison of this seed's staged run, or null if it also uses scratch runs of other
// seeds.
const Comparison* comparison_of(const Report& apart, const runlog::Sample& sample) {
  for (const Comparison& one : apart.comparisons) {
    const Run& staged = apart.runs[one.staged];
    if (staged.name != sample.name) continue;
    const bool paired = std::ranges::all_of(
        one.ends, [&](std::size_t end) { return seeds_of(apart.runs[end]) == seeds_of(staged); });
    return paired ? &one : nullptr;
  }
  return nullptr;
}

// Returns the value of `part` (saving or gap) for each seed; empty if one of them has no value.
template <class Part>
std::vector<double> values_of(const std::vector<const Comparison*>& seeds, CostKind kind,
                              Part part) {
  std::vector<double> values;
  for (const Comparison* one : seeds) {
    const auto& found = (*one)[kind].*part;
    if (!found || found->reach == Reach::beyond || !std::isfinite(found->value)) return {};
    values.push_back(found->value);
  }
  return values;
}

void pair_measure(const std::vector<const Comparison*>& seeds, CostResult& result) {
  const auto savings = values_of(seeds, result.kind, &CostResult::saving);
  if (!result.saving || savings.empty()) return;
  result.saving->se = mean_of(savings).error;
  result.paired = true;
  const auto gaps = values_of(seeds, result.kind, &CostResult::gap);
  if (result.gap && !gaps.empty()) result.gap->se = mean_of(gaps).error;
}

}  // namespace

void pair_by_seed(Report& means, const Report& apart) {
  for (Comparison& comparison : means.comparisons) {
    const Run& staged = means.runs[comparison.staged];
    if (staged.samples.size() < 2) continue;
    std::vector<const Comparison*> seeds;
    for (const runlog::Sample& sample : staged.samples)
      seeds.push_back(comparison_of(apart, sample));
    if (std::ranges::count(seeds, nullptr) > 0) continue;
    for (CostResult& result : comparison.results) pair_measure(seeds, result);
  }
}

}  // namespace stagedtrain::report
