// Stages that a planner chose, as a schedule's own.
#pragma once

#include <string>
#include <vector>

#include "schedule/schedule.h"

namespace stagedtrain::plan {

struct ChosenStage {
  std::string name;
  arch::ModelConfig model;
  Tree grow;  // from the stage before; nothing for the first
  std::int64_t steps = 0;
  double tokens = 0;  // counts in place of steps where the batch has a warm-up
};

// The schedule with these stages in place of its own; the tree that it was read from is made to
// match. What the last stage had of its own stays: its re-warm-up becomes every growth's, its peak
// that of the new last stage.
schedule::Schedule with_stages(schedule::Schedule schedule, const std::vector<ChosenStage>& stages);

// The keys in which a stage's model differs from the final one.
Tree own_keys(const arch::ModelConfig& model, const arch::ModelConfig& last);

// "6x768": layers and width.
std::string size_name(const arch::ModelConfig& model);

}  // namespace stagedtrain::plan
