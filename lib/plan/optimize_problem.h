// What the choice of stages needs: sizes with curves and costs, and the ladders over them.
#pragma once

#include "plan/optimize.h"

namespace stagedtrain::plan {

struct Problem {
  const OptimizeOptions& options;
  RunPlan base = {};  // of the schedule as it was
  std::vector<Candidate> sizes = {};
  law::Family family = {};  // the same, with curves and the cost of a token in the options' unit
  // Of a token of each size: that cost, and seconds, where the unit or a limit asks for them.
  std::vector<double> costs = {}, seconds = {};
  law::FamilyPairs pairs = {};  // that the operators connect
  double step_tokens = 0;       // of one step after its warm-ups
  double lost_tokens = 0;  // by the re-warm-up of a growth
  std::vector<std::string> notes = {};

  const law::Size& final_size() const { return family.back(); }
};

// Throws Error(usage) where the law has no curve of the final model, its memory does not suffice,
// or the unit's cost of a token is not known.
Problem make_problem(const RunPlan& base, const OptimizeOptions& options);

// The best stages of a run that comes to the loss of `tokens` from scratch.
struct Solution {
  law::RunLength run;
  double end_loss = 0;
  law::Ladder ladder;                            // as planned
  double floor = 0, all_sizes = 0, ceiling = 0;  // savings in the unit
};
// For the goal and limits of the options; most_seconds: of training, 0 for no limit. Throws
// Error(usage) where there is none.
Solution solve(const Problem& problem, double most_seconds = 0);

// How many tokens of the final model end a run of run_tokens in all: no growth may fall into its
// decay, and a last stage that is shorter than kLeastLastStage of the run, or hardly longer than its
// own re-warm-up, says nothing about a model of that size.
inline constexpr double kLeastLastStage = 0.05;
double tail_tokens(const Problem& problem, double run_tokens);

// The sum over all tokens that a ladder trains, each weighted by its size.
double sum_over(const Problem& problem, const law::Ladder& ladder, double end_tokens,
                const std::vector<double>& weights);

}  // namespace stagedtrain::plan
