// Computes savings and their standard errors from per-seed comparisons.
#include "compare/paired.h"

#include <algorithm>
#include <cmath>

#include "base/mean.h"
#include "compare/seeds.h"

namespace stagedtrain::report {
namespace {

// Returns the comparison of the staged run of this name, or null if it also uses scratch runs of
// other seeds.
const Comparison* comparison_of(const Report& apart, const std::string& name) {
  for (const Comparison& one : apart.comparisons)
    if (apart.runs[one.staged].name == name)
      return have_seeds_of(apart.runs[one.staged], apart.runs, one.ends) ? &one : nullptr;
  return nullptr;
}

// What a saving or a loss gap is for each seed.
struct Values {
  std::vector<double> values;
  double se = runlog::kUnknown;  // of the first seed
  Reach reach = Reach::inside;

  // Adds a seed's value, if it is known.
  template <class Part>
  bool add(const std::optional<Part>& found) {
    if (!found || found->reach == Reach::beyond || !std::isfinite(found->value)) return false;
    if (values.empty()) se = found->se;
    values.push_back(found->value);
    if (found->reach == Reach::extrapolated) reach = found->reach;
    return true;
  }
  double error() const { return values.size() == 1 ? se : mean_of(values).error; }
};

// Replaces a value that was computed with scratch runs of more seeds by the mean over its own.
template <class Part>
void take_mean(const Values& seeds, Part& part) {
  part.value = mean_of(seeds.values).value;
  part.reach = seeds.reach;
}

void take_saving(const Values& seeds, bool more_seeds, double staged_cost, Saving& saving) {
  saving.se = seeds.error();
  if (!more_seeds) return;
  take_mean(seeds, saving);
  saving.scratch_cost = staged_cost / (1 - saving.value);
  saving.at_least.reset();
  saving.at_most.reset();
}

using PerSeed = std::vector<const Comparison*>;

void pair_measure(const PerSeed& seeds, bool more_seeds, const DecayedEnd& staged,
                  CostResult& result) {
  Values savings, gaps;
  for (const Comparison* one : seeds)
    if (!savings.add((*one)[result.kind].saving)) return;
  if (!result.saving) return;
  take_saving(savings, more_seeds, staged.cost, *result.saving);
  result.paired = true;
  for (const Comparison* one : seeds)
    if (!gaps.add((*one)[result.kind].gap)) return;
  if (!result.gap) return;
  result.gap->se = gaps.error();
  if (!more_seeds) return;
  take_mean(gaps, *result.gap);
  result.gap->scratch_loss = staged.loss + result.gap->value;
}

// The same for the saving against the best size, if it is the best for every seed.
void pair_free_size(const Report& apart, const PerSeed& seeds, bool more_seeds, double staged_flops,
                    FreeSize& mean) {
  Values savings;
  for (const Comparison* one : seeds) {
    const std::optional<FreeSize>& found = one->free_size;
    if (!found || found->size != mean.size || !savings.add(std::optional(found->saving)) ||
        !have_seeds_of(apart.runs[one->staged], apart.runs,
                       {found->saving.low, found->saving.high}))
      return;
  }
  take_saving(savings, more_seeds, staged_flops, mean.saving);
  mean.paired = true;
}

}  // namespace

void pair_by_seed(Report& means, const Report& apart) {
  for (Comparison& comparison : means.comparisons) {
    const Run& staged = means.runs[comparison.staged];
    const bool more_seeds = !have_seeds_of(staged, means.runs, comparison.ends);
    if (!staged.comparable() || (staged.samples.empty() && !more_seeds)) continue;
    PerSeed seeds;
    if (staged.samples.empty()) seeds.push_back(comparison_of(apart, staged.name));
    for (const runlog::Sample& sample : staged.samples)
      seeds.push_back(comparison_of(apart, sample.name));
    if (std::ranges::count(seeds, nullptr) > 0) continue;
    for (CostResult& result : comparison.results)
      pair_measure(seeds, more_seeds, decayed_end(staged, result.kind), result);
    if (comparison.free_size)
      pair_free_size(apart, seeds, more_seeds, staged.end->at.flops, *comparison.free_size);
    if (more_seeds && comparison[CostKind::flops].paired)
      comparison.notes.push_back(
          "Paired by seed: each saving is against the scratch runs of its own seed, although those "
          "that are shown are of other seeds or means over more.");
  }
}

}  // namespace stagedtrain::report
