// How should a run that is under way continue? Plans the rest from its log.
#pragma once

#include "lengths/choose.h"
#include "lengths/slope_watch.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// When should the stage that is being trained end with a growth? In steps of the run.
struct GrowthTime {
  double step = 0, low = 0, high = 0;  // with its 80% interval, over bootstraps
  double slope = 0;                    // the slope at which growing is best
  bool now = false;                    // whether the time has come or is past
};

struct Replan {
  std::string run, stage;            // the stage that is being trained
  double step = 0;                   // the last logged step
  SlopeReading reading;              // the stage's curve now
  std::optional<GrowthTime> growth;  // empty in the last stage
  std::vector<double> old_steps;     // the steps of all stages in the run's schedule
  std::vector<std::string> messages;  // what the planner says of lengths and assumption
  std::vector<std::string> warnings;
  schedule::Schedule schedule;  // the run's schedule with the new lengths, for `train --replan`
  std::size_t first_new = 0;    // the first stage that has not ended
};

// `schedule` is that of the run (its schedule.yaml). Under loss-state the growth comes where the
// slope of the fitted curve reaches that of the law's best growth; under mixing or a measured rho,
// at the latest time before the decay. Later stages get new lengths if the schedule names a target
// (plan.scratch) and the law covers it; else they keep theirs. Throws Error(input) if the stage's
// log does not suffice for a fit or does not match the schedule, and Error(usage) if the run has
// ended or growing saves nothing by the law.
Replan replan(const runlog::Run& run, const schedule::Schedule& schedule, const DataFacts& facts,
              const Measurements& measurements, const GrowthOutcomes& outcomes);

std::string to_text(const Replan& replan);
Json to_json(const Replan& replan);

}  // namespace stagedtrain::plan
