// Planning the rest of a run that is under way, from its log.
#pragma once

#include "plan/choose.h"
#include "plan/slope_watch.h"
#include "runlog/run_log.h"

namespace stagedtrain::plan {

// When to grow out of the stage that is being trained, in steps of the run.
struct GrowthTime {
  double step = 0, low = 0, high = 0;  // 80% of the bootstraps lie between low and high
  double slope = 0;                    // of the stage's curve there
  bool now = false;                    // it has come, or is past
};

struct Replan {
  std::string run, stage;            // the stage that is being trained
  double step = 0;                   // where the run stands
  SlopeReading reading;              // of its curve now
  std::optional<GrowthTime> growth;  // nothing in the last stage
  std::vector<double> old_steps;     // of all stages, as the run has them
  std::vector<std::string> words;    // of the planner: lengths, assumption
  std::vector<std::string> warnings;
  schedule::Schedule schedule;  // for `train --replan`: the run with the new lengths
  std::size_t first_new = 0;    // stages from here on have not ended
};

// schedule: that of the run (its schedule.yaml). Under loss-state the growth comes where the slope
// of the fitted curve reaches that of the law's best growth; under mixing or a measured rho at the
// last moment before the decay. Later stages are chosen anew if the schedule names the run from
// scratch that is aimed at (plan.scratch) and the law holds for it, else they keep their lengths.
// Throws Error(input) if the log does not carry a fit of the stage, Error(usage) if the run has
// ended or its law sees no gain.
Replan replan(const runlog::Run& run, const schedule::Schedule& schedule, const DataFacts& facts,
              const Measurements& measurements, const Learned& learned);

std::string to_text(const Replan& replan);
Json to_json(const Replan& replan);

}  // namespace stagedtrain::plan
