// What does the planner know before it chooses lengths? The sizes with their curves and costs, the
// run from scratch, and how far a grown model is on its curve.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lengths/choose.h"
#include "scaling/pair.h"

namespace stagedtrain::plan {

// Whether the planner chooses a stage's length, or the slope at which it ends.
bool is_auto(const schedule::StageSpec& stage);
bool has_auto_slope(const schedule::StageSpec& stage);
// Returns the schedule with one step for every auto, so that its models can be resolved.
schedule::Schedule with_placeholders(schedule::Schedule s);
// Returns an error at stage i of the schedule.
Error stage_error(const schedule::Schedule& s, std::size_t i, const std::string& what);

struct LengthFacts {
  RunPlan plan;  // with placeholders: its models and given lengths are final
  PlanningLaw law;
  double step_tokens = 0;         // tokens of a step of the final model
  scaling::Family sizes;          // one for each stage
  scaling::RunLength run;         // the run from scratch: tokens, decay and mixing time
  double end_loss = 0;            // what the law predicts for it
  std::optional<Error> nonsense;  // set if the law predicts an end loss worse than guessing
  scaling::Assumption assumption = scaling::Assumption::loss_state;
  std::vector<double> rho;               // for the growth into each stage
  std::vector<std::string> measured_in;  // the runs that rho was measured in
  // What a decay gained in an earlier run, for laws of a constant rate. Unset if it is not known,
  // or already in the law's losses.
  std::optional<GrowthOutcome> decay_drop;
};

// Throws Error(usage) if the law has no curve of a size, or if costs in seconds were not measured.
LengthFacts length_facts(const schedule::Schedule& s, const DataFacts& facts,
                         const Measurements& measurements, const GrowthOutcomes& outcomes);

// Returns the tokens of the decay in a run of so many steps of `step_tokens` tokens.
double decay_tokens(const schedule::LrSpec& lr, double steps, double step_tokens);

}  // namespace stagedtrain::plan
