// What a schedule leaves to the planner: `for: auto` and `until: {slope: auto}`, decided before the
// first step.
#pragma once

#include "plan/learned.h"
#include "plan/transfer.h"

namespace stagedtrain::plan {

// Whether the schedule says auto anywhere.
bool asks_planner(const schedule::Schedule& schedule);

struct Choice {
  schedule::Schedule schedule;     // with numbers in place of every auto
  std::vector<std::string> words;  // what was chosen, why, and under which assumption
  std::vector<double> end_losses;  // of the stages; none if the law sees nonsense for such sizes
  std::string predicted_by;        // that law, and the assumption
  Transfer transfer;               // that assumption, with its numbers
};

// Each stage of length auto trains until growing is best: under loss-state where both models pay
// the same for the next bit of loss; with a rho (mixing: 1) at the last moment before the decay.
// The last stage trains to the loss of the run from scratch that schedule.plan names. Stages whose
// length is given keep it, and what follows is chosen after it. A slope of auto becomes that of the
// stage's own curve where growing is best under loss-state.
// Throws Error(usage) at the stage where the law sees no gain, and as resolve() does.
Choice choose(const schedule::Schedule& schedule, const DataFacts& facts,
              const Measurements& measurements, const Learned& learned);

// asked, with what a run's recorded schedule (its text) has decided in place of auto: a run that
// goes on keeps its lengths, whatever the planner has learnt since.
schedule::Schedule as_recorded(schedule::Schedule asked, const std::string& recorded);

}  // namespace stagedtrain::plan
