// Which growth paths keep the limits of a plan (stages, tokens, time), and which of them is the
// cheapest? The parts of the search in optimize_solve.cc that deal with limits.
#pragma once

#include <optional>
#include <vector>

#include "optimize/optimize_problem.h"

namespace stagedtrain::plan {

// Limits of the whole run. Of tokens and seconds 0 means none, and one part in a million more
// counts as rounding.
struct Limits {
  std::size_t stages = 2;
  double most_tokens = 0, most_seconds = 0;

  bool too_many_tokens(const Problem& problem, const scaling::GrowthPath& growth_path,
                       double end) const;
  bool too_long(const Problem& problem, const scaling::GrowthPath& growth_path, double end) const;
  bool keeps(const Problem& problem, const scaling::GrowthPath& growth_path, double end) const;
  // Throws Error(usage) for a path that does not keep the limits.
  void check(const Problem& problem, const scaling::GrowthPath& growth_path, double end) const;
};

double tokens_of(const Problem& problem, const scaling::GrowthPath& growth_path, double end_tokens);
// The number of steps, times the tokens of a step of the final size: more than tokens_of() if
// stages have a shorter context. The learning rate follows steps, so this is what a decay is a
// share of.
double step_length_of(const Problem& problem, const scaling::GrowthPath& growth_path,
                      double end_tokens);
double cost_of(const Problem& problem, const scaling::GrowthPath& growth_path, double end_tokens);

// Finds all growths that save something and come before the learning rate decays. `prices` are
// added to the cost of a token of each size.
scaling::GrowthPaths loss_state_growth_paths(const Problem& problem, const scaling::RunLength& run,
                                             std::vector<double> prices = {});

// Returns the path of one growth from a size straight into the final one. If that growth is not
// possible or saves nothing, returns the final size alone.
scaling::GrowthPath one_jump(const Problem& problem, std::size_t from,
                             const scaling::GrowthPoint& growth, const scaling::RunLength& run);

// Returns the cheapest of the paths that keep the limits, the first of equal ones; nothing if none
// does.
std::optional<scaling::GrowthPath> cheapest_of(const Problem& problem,
                                               const std::vector<scaling::GrowthPath>& found,
                                               const scaling::RunLength& run, const Limits& limits);

// Returns the cheapest path under loss-state that keeps the limits. `free` is the cheapest one
// without limits. If no path keeps them, the result breaks one.
scaling::GrowthPath limited(const Problem& problem, const scaling::RunLength& run,
                            const Limits& limits, const scaling::GrowthPath& free);

}  // namespace stagedtrain::plan
