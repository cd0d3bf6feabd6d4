// The stages that reach a loss at the least cost: sizes, growth times and operators.
#pragma once

#include "law/ladder.h"
#include "plan/candidates.h"
#include "plan/full_plan.h"

namespace stagedtrain::plan {

// What is given; the rest is chosen. Whatever it is, the answer is the cheapest way to some loss.
struct Goal {
  enum class Kind {
    tokens,  // the loss that so many tokens of the final model from scratch come to
    loss,    // this loss
    cost,    // the least loss that this cost, in the options' unit, comes to
  };
  Kind kind = Kind::tokens;
  double amount = 0;  // of tokens: 0 means as many as the schedule has
};

// seconds are of training, money is their price.
enum class CostUnit { flops, seconds, money };

struct OptimizeOptions {
  PlanningLaw law = find_planning_law("chinchilla");
  Transfer transfer;
  Goal goal;
  CostUnit unit = CostUnit::flops;
  std::int64_t most_stages = 2;
  // Limits; 0: none. Tokens of all stages together, seconds of the whole run, tokens of a stage.
  // The memory is schedule.machine's.
  double most_tokens = 0, most_seconds = 0, shortest_stage = 0;
  Measurements known;
};

// One stage of the plan, tokens in whole steps. Losses are the law's, not promises.
struct OptimizedStage {
  std::string name;
  Candidate size;
  Tree grow;  // from the stage before
  std::int64_t first_step = 0, steps = 0;
  double tokens = 0, flops = 0;
  double resume_tokens = 0;          // where it stands on its own curve when it begins
  double lost_tokens = 0;            // of re-warm-up
  std::optional<double> begin_loss;  // nothing for fresh weights
  double end_loss = 0, end_slope = 0;
  // Steps of the run between which the growth into the next stage keeps 95 % of what it saves.
  std::optional<std::array<std::int64_t, 2>> plateau;
};

struct Optimum {
  schedule::Schedule schedule;  // with these stages; resolve() accepts it
  FullPlan full;                // of that schedule
  PlanningLaw law;
  OptimizeOptions options;
  std::vector<OptimizedStage> stages;
  double end_loss = 0;                           // that all of this is about
  double scratch_tokens = 0, scratch_flops = 0;  // of the final model alone, to the same loss
  double tokens = 0, flops = 0;
  Savings planned;                // under the assumption that was planned for
  double floor = 0, ceiling = 0;  // in the unit: best under loss-state; this plan under mixing
  double all_sizes = 0;           // floor, with as many stages as there are sizes
  std::optional<double> endless;  // floor, with endlessly many sizes that cost as their parameters
  // Steps of the final model that the small one's initial warm-up saves besides, as it costs less.
  double warmup_steps_saved = 0;
  std::vector<std::string> warnings;
};

// Plans the schedule's final model anew; of its own stages only their length together counts, and
// only if the goal is 0 tokens. Throws Error(usage) for a schedule that starts from a checkpoint,
// for limits that cannot be kept, and as resolve() does.
Optimum optimize(const schedule::Schedule& schedule, const OptimizeOptions& options,
                 const DataFacts& facts = {});

// The answer in 40 lines (see answer.h), and everything.
std::string short_text(const Optimum& optimum);
std::string to_text(const Optimum& optimum);
Json to_json(const Optimum& optimum);

}  // namespace stagedtrain::plan
