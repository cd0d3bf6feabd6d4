// Which numbers replace `for: auto` and `until: {slope: auto}` in a schedule? They are chosen
// before the first step.
#pragma once

#include "fit/planning_law.h"
#include "outcomes/growth_outcomes.h"
#include "scaling/transfer.h"

namespace stagedtrain::plan {

// Whether the schedule has an auto anywhere.
bool asks_planner(const schedule::Schedule& schedule);

struct Choice {
  schedule::Schedule schedule;        // with numbers in place of every auto
  std::vector<std::string> messages;  // what was chosen, why, and under which assumption
  std::vector<double> end_losses;  // nats, one for each stage; empty if the law cannot predict them
  std::string predicted_by;        // the law and the assumption of end_losses
  Transfer transfer;               // the assumption, with its numbers
  PlanningLaw law;                 // the schedule's law
};

// Each stage of length auto trains until growing is best: under loss-state, where both models pay
// the same for the next bit of loss; with a rho (1 under mixing), at the latest time before the
// decay. The last stage trains to the loss of the run from scratch that schedule.plan names. Stages
// with a given length keep it, and later stages are chosen after it. A slope of auto becomes the
// slope of the stage's own curve where growing is best under loss-state. choose.cc describes the
// method. Throws Error(usage): at the stage, if growing saves nothing by the law or its best time
// has passed; for a law without a curve for a stage, a cost that was not measured, a schedule that
// starts from a checkpoint, and losses worse than guessing where lengths depend on them; and as
// resolve() does.
Choice choose(const schedule::Schedule& schedule, const DataFacts& facts,
              const Measurements& measurements, const GrowthOutcomes& outcomes);

// Returns `asked` with the numbers of `recorded`, the text of a run's own schedule.yaml, in place
// of every auto. So a resumed run keeps its lengths, even if the planner would now choose others.
schedule::Schedule as_recorded(schedule::Schedule asked, const std::string& recorded);

}  // namespace stagedtrain::plan
