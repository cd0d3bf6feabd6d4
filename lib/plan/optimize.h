// The stages that reach a loss at the least cost: sizes, growth times and operators.
#pragma once

#include "law/ladder.h"
#include "plan/candidates.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {

struct OptimizeOptions {
  PlanningLaw law = find_planning_law("chinchilla");
  std::int64_t most_stages = 2;
  law::Assumption transfer = law::Assumption::loss_state;
  double rho = 0;            // measured
  double mixing_tokens = 0;  // that a growth takes to mix; 0: not known
  double end_tokens = 0;     // of the run from scratch; 0: as many as the schedule has
};

// One stage of the plan, tokens in whole steps. Losses are the law's, not promises.
struct OptimizedStage {
  std::string name;
  Candidate size;
  Tree grow;  // from the stage before
  std::int64_t first_step = 0, steps = 0;
  double tokens = 0, flops = 0;
  double resume_tokens = 0;          // where it stands on its own curve when it begins
  std::optional<double> begin_loss;  // nothing for fresh weights
  double end_loss = 0, end_slope = 0;
  // Steps of the run between which the growth into the next stage keeps 95 % of what it saves.
  std::optional<std::array<std::int64_t, 2>> plateau;
};

// What part of a run from scratch to the same loss is saved, in three ways of counting cost.
struct Savings {
  double flops = 0, params = 0, non_embedding = 0;
};

struct Optimum {
  schedule::Schedule schedule;  // with these stages; resolve() accepts it
  PlanningLaw law;
  law::Assumption assumption = law::Assumption::loss_state;
  std::vector<OptimizedStage> stages;
  double end_loss = 0;                           // that all of this is about
  double scratch_tokens = 0, scratch_flops = 0;  // of the final model alone, to the same loss
  double flops = 0;
  Savings planned;                // under the assumption that was planned for
  double floor = 0, ceiling = 0;  // in FLOPs: best under loss-state; one late jump under mixing
  double all_sizes = 0;           // floor, with as many stages as there are sizes
  std::vector<std::string> warnings;
};

// Plans the schedule's final model anew; of its own stages only their length together counts, and
// only if end_tokens is 0. Throws Error(usage) for a schedule that starts from a checkpoint, and as
// resolve() does.
Optimum optimize(const schedule::Schedule& schedule, const OptimizeOptions& options,
                 const DataFacts& facts = {});

std::string to_text(const Optimum& optimum);
Json to_json(const Optimum& optimum);

}  // namespace stagedtrain::plan
