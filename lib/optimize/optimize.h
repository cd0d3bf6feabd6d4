// Which stages (sizes, growth times and operators) reach a loss at the least cost?
#pragma once

#include "forecast/full_plan.h"
#include "optimize/candidates.h"
#include "scaling/growth_path.h"

namespace stagedtrain::plan {

// The goal of a plan. For every kind of goal the answer is the cheapest way to some loss.
struct Goal {
  enum class Kind {
    tokens,  // reach the loss of so many tokens of the final model from scratch
    loss,    // reach this loss, in nats
    cost,    // reach the lowest loss for this cost, in OptimizeOptions::unit
  };
  Kind kind = Kind::tokens;
  double amount = 0;  // for tokens, 0 means as many as the schedule has
};

// `seconds` are seconds of training; `money` is their price by machine.price_per_hour.
enum class CostUnit { flops, seconds, money };

struct OptimizeOptions {
  PlanningLaw law = find_planning_law("chinchilla");
  Transfer transfer;
  Goal goal;
  CostUnit unit = CostUnit::flops;
  std::int64_t most_stages = 2;
  // Limits, where 0 means none: tokens of all stages together, seconds of the whole run, and the
  // least tokens of a stage. The limit of memory is machine.memory of the schedule.
  double most_tokens = 0, most_seconds = 0, shortest_stage = 0;
  Measurements known;
};

// One stage of the plan. `tokens` is a whole number of steps. Losses are predictions by the law.
struct OptimizedStage {
  std::string name;
  Candidate size;
  Tree grow;  // from the stage before
  std::int64_t first_step = 0, steps = 0;
  double tokens = 0, flops = 0;
  double resume_tokens = 0;          // its position on its own curve when it begins
  double lost_tokens = 0;            // tokens that its re-warm-up loses
  std::optional<double> begin_loss;  // empty for fresh weights
  double end_loss = 0, end_slope = 0;
  // The range of steps of the run in which the growth into the next stage keeps 95% of its saving.
  std::optional<std::array<std::int64_t, 2>> plateau;
};

struct Optimum {
  schedule::Schedule schedule;  // with these stages; resolve() accepts it
  FullPlan full;                // the plan of that schedule
  PlanningLaw law;
  OptimizeOptions options;
  std::vector<OptimizedStage> stages;
  double end_loss = 0;                           // the loss at which the plan ends
  double scratch_tokens = 0, scratch_flops = 0;  // the final model from scratch to that loss
  double tokens = 0, flops = 0;
  Savings planned;                // under the assumption of options.transfer
  double floor = 0, ceiling = 0;  // in the unit: best under loss-state; this plan under mixing
  double all_sizes = 0;           // the floor with as many stages as there are sizes
  std::optional<double> endless;  // the floor with endlessly many stages (scaling/limit.h)
  // Further steps of the final model that are saved because the smaller model does the warm-up.
  double warmup_steps_saved = 0;
  std::vector<std::string> warnings;
  std::vector<std::string> not_considered;  // how many smaller models were no candidates, and why
};

// Plans new stages for the schedule's final model. Its own stages matter only for the goal of 0
// tokens, which means their tokens together, and for the settings of the last one (re-warm-up,
// peak). Throws Error(usage) for a schedule that starts from a checkpoint, for limits that no plan
// keeps, for a loss that the final model cannot reach or that is worse than guessing, as
// make_problem() and resolve() do.
Optimum optimize(const schedule::Schedule& schedule, const OptimizeOptions& options,
                 const DataFacts& facts = {});

// Returns the answer in at most 40 lines (answer.h); to_text() and to_json() return everything.
std::string short_text(const Optimum& optimum);
std::string to_text(const Optimum& optimum);
Json to_json(const Optimum& optimum);

}  // namespace stagedtrain::plan
