// What may differ between the schedule of a run and the one that it is to continue with?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "plan/run_plan.h"

namespace stagedtrain::train {

struct Candidate;

// How far the run in a folder has come, by its old schedule.
struct Standing {
  plan::RunPlan plan;                       // the plan of the old schedule
  std::optional<state::Progress> progress;  // nothing if no checkpoint is of this run
  bool has_begun(const std::string& stage) const;
  bool has_ended(const std::string& stage) const;
  bool run_has_ended() const;
};
// candidates: the furthest first. plan: the new one, for what it knows of the files.
Standing standing_of(const std::string& schedule_yaml, const plan::RunPlan& plan,
                     const std::vector<Candidate>& candidates);

// Each throws Error(usage) that names the keys which may not differ, and returns what is to be said
// of those that may: the data under another path (its fingerprint is compared when it is opened),
// batch.micro and batch.recompute.
std::vector<std::string> refuse_other_schedule(const Path& folder, const plan::RunPlan& plan,
                                               const std::string& yaml, const std::string& before);
// Stages that have not ended may have other lengths; those that have not begun, any other keys.
std::vector<std::string> refuse_replan(const Path& folder, const plan::RunPlan& plan,
                                       const std::string& yaml, const std::string& before,
                                       const Standing& standing);
// A run that has ended may have a longer last stage.
std::vector<std::string> refuse_extension(const Path& folder, const std::string& yaml,
                                          const std::string& before, const Standing& standing,
                                          const plan::RunPlan& plan);

}  // namespace stagedtrain::train
