// How are stages that a planner chose written into a schedule?
#pragma once

#include <string>
#include <vector>

#include "schedule/schedule.h"

namespace stagedtrain::plan {

struct ChosenStage {
  std::string name;
  arch::ModelConfig model;
  Tree grow;  // the growth from the stage before; empty for the first stage
  std::int64_t steps = 0;
  double tokens = 0;  // the length, in place of steps, if the batch size has a warm-up
  schedule::TrainOnly train_only = schedule::TrainOnly::all;
  schedule::Policies policies = {};
};

// Returns the schedule with these stages in place of its own, also in the tree that it was read
// from. The settings of the old last stage are kept: every growth gets its re-warm-up, and the new
// last stage its peak learning rate.
schedule::Schedule with_stages(schedule::Schedule schedule, const std::vector<ChosenStage>& stages);

// Returns the schedule of a run with this stage alone, which trains the final model from fresh
// weights and without a time budget, also in the tree that it was read from.
schedule::Schedule with_only(schedule::Schedule schedule, const schedule::StageSpec& stage);

// Returns the keys, with values, in which a stage's model differs from the final one.
Tree own_keys(const arch::ModelConfig& model, const arch::ModelConfig& last);

// Returns layers and width, as "6x768".
std::string size_name(const arch::ModelConfig& model);

}  // namespace stagedtrain::plan
