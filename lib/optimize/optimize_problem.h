// The input of the search for stages: sizes with curves and costs, and the growths between them.
#pragma once

#include "optimize/optimize.h"
#include "plan/decay.h"

namespace stagedtrain::plan {

struct Problem {
  const OptimizeOptions& options;
  RunPlan base = {};  // the plan of the given schedule
  std::vector<Candidate> sizes = {};
  scaling::Family family = {};  // the same sizes, with curves and the cost of a token in the unit
  // What a token of each size costs, and its seconds, which are 0 if neither the unit nor a limit
  // needs them.
  std::vector<double> costs = {}, seconds = {};
  scaling::FamilyPairs pairs = {};      // the growths that operators can make (may_grow())
  double step_tokens = 0;               // tokens of a step after the batch-size warm-up
  double lost_tokens = 0;               // tokens that the re-warm-up of a growth loses
  std::vector<std::string> not_considered = {};  // the smaller models that are left out, and why

  const scaling::Size& final_size() const { return family.back(); }
  // A step of a size with a shorter context has as many sequences, so fewer tokens.
  double step_tokens_of(const Candidate& size) const {
    return step_tokens * static_cast<double>(size.model.context) /
           static_cast<double>(sizes.back().model.context);
  }
};

// `options` must outlive the result. Throws Error(usage) if the law has no curve of the final
// model, or if the cost of a token in the unit is not known. Sizes other than the final model that
// need more than machine.memory are left out; run_cost() checks the final model.
Problem make_problem(const RunPlan& base, const OptimizeOptions& options);

// The best stages of a run that ends at the loss of run.tokens tokens from scratch.
struct Solution {
  scaling::RunLength run;
  double end_loss = 0;
  scaling::GrowthPath growth_path;               // the growth path, under options.transfer
  double floor = 0, all_sizes = 0, ceiling = 0;  // savings in the unit
  std::string why_not_grown;  // why plans of more stages were refused, if this one does not grow
};
// Finds the stages for the goal and the limits of the options. most_seconds limits the time of
// training; 0 means no limit. Throws Error(usage) if no plan keeps the limits, if the final model
// cannot reach the loss, or if the law predicts a loss worse than guessing.
Solution solve(const Problem& problem, double most_seconds = 0);

// Returns the tokens of the tail_steps() of a run of run_tokens, were all its steps those of the
// final size, with this number of stages, each of which is rounded to whole steps.
double tail_tokens(const Problem& problem, double run_tokens, std::size_t stages);

// Returns the tokens of each stage of a growth path times the weight of its size, summed.
double sum_over(const Problem& problem, const scaling::GrowthPath& growth_path, double end_tokens,
                const std::vector<double>& weights);

}  // namespace stagedtrain::plan
