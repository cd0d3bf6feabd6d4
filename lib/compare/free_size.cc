// Interpolates within each size, and chooses the size that needs the fewest FLOPs.
#include "compare/free_size.h"

#include <cmath>
#include <limits>
#include <map>

#include "arch/size_text.h"
#include "compare/comparison.h"
#include "compare/fairness.h"
#include "compare/seeds.h"

namespace stagedtrain::report {
namespace {

using Ends = std::vector<std::size_t>;

std::optional<Saving> saving_of(const std::vector<Run>& runs, const Run& staged, const Ends& all) {
  const Ends ends = prefer_seeds_of(staged, runs, all);
  std::optional<Saving> found =
      saving(decayed_end(staged, CostKind::flops), decayed_ends(runs, ends, CostKind::flops));
  if (!found) return {};
  found->low = ends[found->low];
  found->high = ends[found->high];
  return found;
}

// Returns an upper bound of what is saved against a size; infinity if no end of that size reached
// the loss.
double most_saved(const Saving& saving) {
  if (saving.reach != Reach::beyond) return saving.value;
  return saving.at_most.value_or(std::numeric_limits<double>::infinity());
}

}  // namespace

bool is_other_size(const Run& run, const Run& staged) {
  const arch::ModelConfig &a = run.final_model, &b = staged.final_model;
  return !run.staged() && !(a == b) && a.architecture == b.architecture && a.vocab == b.vocab &&
         a.context == b.context && run.from.empty() && differences_but_size(run, staged).empty();
}

std::optional<FreeSize> compare_with_sizes(const std::vector<Run>& runs, std::size_t index,
                                           const Ends& own) {
  const Run& staged = runs[index];
  if (!staged.comparable()) return {};
  std::map<std::string, Ends> by_size;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (is_other_size(runs[i], staged) && runs[i].comparable())
      by_size[arch::size_text(runs[i].final_model, staged.final_model)].push_back(i);
  if (by_size.empty()) return {};
  const std::string own_size = arch::size_text(staged.final_model, staged.final_model);
  by_size[own_size] = own;
  std::map<std::string, std::optional<Saving>> savings;
  std::optional<FreeSize> best;
  for (const auto& [size, ends] : by_size) {
    const std::optional<Saving> found = savings[size] = saving_of(runs, staged, ends);
    if (!found || !std::isfinite(most_saved(*found))) continue;
    if (!best || most_saved(*found) < most_saved(best->saving))
      best = FreeSize{.size = size, .saving = *found, .is_final_model = size == own_size};
  }
  if (!best) return {};
  for (const auto& [size, found] : savings) {
    // A size is decided, and worse, if it did not reach the loss with as many FLOPs as the best one
    // needs.
    const bool decided = found && (std::isfinite(most_saved(*found)) ||
                                   found->at_least.value_or(-1) >= most_saved(best->saving));
    (decided ? best->sizes : best->undecided).push_back(size);
  }
  return best;
}

}  // namespace stagedtrain::report
